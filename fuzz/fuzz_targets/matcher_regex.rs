//! What a regex matcher says of the values it matches agrees with matching. The input is a pattern, a newline, and a
//! value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use silverback::model::{MatchOp, Matcher};

fuzz_target!(|input: &str| {
    let (pattern, value) = input.split_once('\n').unwrap_or((input, ""));
    let Ok(matcher) = Matcher::new("label", MatchOp::Regex, pattern) else {
        return;
    };
    let values = matcher.literal_values();
    for listed in values.iter().flatten() {
        assert!(matcher.matches(listed), "{pattern:?} lists {listed:?}");
    }
    if matcher.matches(value) {
        assert!(value.starts_with(matcher.literal_prefix()), "{pattern:?} matches {value:?}");
        assert!(
            values.is_none_or(|values| values.contains(&value)),
            "{pattern:?} matches {value:?}"
        );
    }
});
