//! Every expression of the conformance scripts parses, but for those that expect a failure.

use std::fs;

use silverback::promql::parser::{ParseOptions, parse};

use crate::conformance;

/// An `eval` line of a script: its expression, and whether the lines below expect a failure.
struct Eval {
    line: usize,
    text: String,
    may_fail: bool,
}

fn evals(script: &str) -> Vec<Eval> {
    let lines: Vec<&str> = script.lines().map(str::trim).collect();
    let mut evals = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((command, rest)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        if !command.starts_with("eval") {
            continue;
        }
        // `instant at T expr` or `range from T to T step T expr`.
        let skipped = if rest.trim_start().starts_with("instant") { 3 } else { 7 };
        let mut text = rest;
        for _ in 0..skipped {
            text = text.trim_start().split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
        }
        let block = lines[index + 1..].iter().take_while(|line| !line.is_empty());
        let may_fail =
            command == "eval_fail" || block.clone().any(|l| l.starts_with("expect fail"));
        evals.push(Eval { line: index + 1, text: text.trim().to_string(), may_fail });
    }
    evals
}

#[test]
fn conformance_scripts_parse() {
    let Some(directory) = conformance::directory("parsing of the conformance scripts") else {
        return;
    };
    let folder = fs::read_dir(directory).unwrap();
    let options = ParseOptions::all();
    let mut count = 0;
    let mut failures = Vec::new();
    for entry in folder {
        let path = entry.expect("directory entry").path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let script = fs::read_to_string(&path).expect("script");
        for Eval { line, text, may_fail } in evals(&script) {
            count += 1;
            match parse(&text, &options) {
                Ok(expr) => {
                    let printed = expr.to_string();
                    if let Err(error) = parse(&printed, &options) {
                        failures
                            .push(format!("{}:{line}: printed {printed}: {error}", path.display()));
                    }
                }
                Err(_) if may_fail => {}
                Err(error) => failures.push(format!("{}:{line}: {text}: {error}", path.display())),
            }
        }
    }
    assert!(count > 1000, "only {count} expressions found");
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}
