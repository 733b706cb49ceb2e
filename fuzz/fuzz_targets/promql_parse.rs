//! Any text parses or is refused, without a panic; what is printed of a tree parses, and prints the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::promql::parser::{ParseOptions, parse};

fuzz_target!(|text: &str| {
    let options = ParseOptions::all();
    // What is printed may be longer than what was written.
    let again = ParseOptions { text_max_bytes: usize::MAX, ..options.clone() };
    if let Ok(expr) = parse(text, &options) {
        let printed = expr.to_string();
        match parse(&printed, &again) {
            Ok(second) => assert_eq!(second.to_string(), printed, "of {text:?}"),
            Err(error) => panic!("{text:?} prints as {printed:?}, which is refused: {error}"),
        }
    }
});
