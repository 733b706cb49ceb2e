//! Text to tree and back: every expression of the conformance scripts parses, but for those that expect a failure, and what
//! is printed of any tree gives the same tree again.

use std::fs;

use proptest::prelude::*;
use silverback::promql::ast::{Expr, ExprKind, Selector, Span, ValueType};
use silverback::promql::check::value_type;
use silverback::promql::parser::{ParseOptions, parse};
use silverback::promql::pretty::pretty;
use silverback::promql::script::pinned;

use crate::choices::Choices;
use crate::conformance;
use crate::promql_generator::Generator;
use crate::promql_words::WIDE;

/// How deep the random expressions are nested.
const DEPTH: u32 = 4;
/// Bytes that are enough for most of them.
const BYTES_MAX: usize = 400;

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
                    let pinned = pinned(&expr, 1_500).into_iter();
                    let flaws = pinned.chain([expr]).filter_map(|expr| prints_badly(&expr));
                    failures.extend(flaws.map(|flaw| format!("{}:{line}: {flaw}", path.display())));
                }
                Err(_) if may_fail => {}
                Err(error) => failures.push(format!("{}:{line}: {text}: {error}", path.display())),
            }
        }
    }
    assert!(count > 1000, "only {count} expressions found");
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
}

/// What is wrong with the printed form of a tree, which must give the same tree again.
fn prints_badly(expr: &Expr) -> Option<String> {
    let printed = expr.to_string();
    match parse(&printed, &ParseOptions::all()) {
        Err(error) => Some(format!("prints as {printed}, which is refused: {error}")),
        Ok(again) if canonical(again.clone()) != canonical(expr.clone()) => {
            Some(format!("prints as {printed}, which is another tree"))
        }
        Ok(again) if again.to_string() != printed => {
            Some(format!("prints as {printed}, and then as {again}"))
        }
        Ok(_) => None,
    }
}

/// What is wrong with the form in lines.
fn is_formatted_badly(expr: &Expr) -> Option<String> {
    let lines = pretty(expr);
    match parse(&lines, &ParseOptions::all()) {
        Ok(again) if canonical(again.clone()) == canonical(expr.clone()) => None,
        other => Some(format!("is formatted as {lines}, which is {other:?}")),
    }
}

/// What trees have in common that mean the same: all but spans and the order of matchers.
fn canonical(mut expr: Expr) -> String {
    clear(&mut expr);
    format!("{expr:?}")
}

fn clear(expr: &mut Expr) {
    expr.span = Span::default();
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) | ExprKind::NotUtf8(_) => {}
        ExprKind::Selector(selector) => sort_matchers(selector),
        ExprKind::Matrix(matrix) => {
            matrix.selector_span = Span::default();
            sort_matchers(&mut matrix.selector);
        }
        ExprKind::Subquery(subquery) => clear(&mut subquery.expr),
        ExprKind::Call(call) => call.args.iter_mut().for_each(clear),
        ExprKind::Aggregate(aggregate) => {
            clear(&mut aggregate.expr);
            aggregate.param.iter_mut().for_each(clear);
        }
        ExprKind::Binary(binary) => {
            clear(&mut binary.lhs);
            clear(&mut binary.rhs);
        }
        ExprKind::Unary(unary) => clear(&mut unary.expr),
        ExprKind::Paren(inner) => clear(inner),
    }
}

fn sort_matchers(selector: &mut Selector) {
    let bare = usize::from(selector.name.is_some());
    selector.matchers[bare..].sort_by_key(ToString::to_string);
}

/// The bytes that random expressions are made of.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..BYTES_MAX)
}

proptest! {
    #[test]
    fn what_is_printed_gives_the_same_tree(
        bytes in bytes(),
        at in -5_000i64..5_000,
    ) {
        let choices = &mut Choices::of(&bytes);
        let scalar = Generator::new(choices, &WIDE).scalar(DEPTH);
        let vector = Generator::new(choices, &WIDE).vector(DEPTH);
        for (text, wanted) in [(vector, ValueType::Vector), (scalar, ValueType::Scalar)] {
            let expr = parse(&text, &ParseOptions::all()).unwrap();
            prop_assert_eq!(value_type(&expr), wanted);
            prop_assert_eq!(prints_badly(&expr), None, "{}", text);
            prop_assert_eq!(is_formatted_badly(&expr), None, "{}", text);
            let flaw = pinned(&expr, at).and_then(|pinned| prints_badly(&pinned));
            prop_assert_eq!(flaw, None, "pinned: {}", text);
        }
    }

    #[test]
    fn a_cut_expression_parses_or_errs_inside_of_it(
        bytes in bytes(),
        cut in 0.0..1.0,
    ) {
        let text = Generator::new(&mut Choices::of(&bytes), &WIDE).vector(DEPTH);
        let end = (text.len() as f64 * cut) as usize;
        prop_assume!(text.is_char_boundary(end));
        if let Err(error) = parse(&text[..end], &ParseOptions::all()) {
            prop_assert!(error.line >= 1 && error.column as usize <= end + 1);
        }
    }
}
