//! The parser by tables: what parses to what, which errors come where, and that no text takes long.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::cursor::LIST_MAX;
use super::*;
use crate::promql::ast::{At, ExprKind, Span};
use crate::promql::lexer::{NESTING_MAX, OPERATORS_MAX};

fn good(text: &str) -> Expr {
    parse(text, &ParseOptions::all()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn bad(text: &str) -> String {
    match parse(text, &ParseOptions::all()) {
        Ok(expr) => panic!("{text} parses as {expr}"),
        Err(error) => error.to_string().replace(" parse error:", ""),
    }
}

#[test]
fn numbers() {
    let cases = [
        ("1", 1.0),
        ("1_000", 1000.0),
        ("1_2.3_4e1_0", 12.34e10),
        (".5", 0.5),
        ("5.", 5.0),
        ("5.e-1", 0.5),
        ("0x_fF", 255.0),
        ("0X1_0", 16.0),
        ("0755", 493.0),
        ("0_7", 7.0),
        ("089", 89.0),
        ("00", 0.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("-Inf", f64::NEG_INFINITY),
        ("+ - +1", -1.0),
        ("1h30m", 5400.0),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
        ("1ms", 0.001),
        ("0s", 0.0),
        ("-5m", -300.0),
    ];
    for (text, wanted) in cases {
        match good(text).kind {
            ExprKind::Number(number) => assert_eq!(number.value, wanted, "{text}"),
            kind => panic!("{text}: {kind:?}"),
        }
    }
    for text in [
        "1__0",
        "1_.5",
        "1._5",
        "1e_5",
        "1_",
        "1e",
        "0x",
        "0x1.5",
        "1.2.3",
        "1.5h",
        "5mm",
        "1m1h",
        "1m1m",
        "1h_30m",
        "2x",
        "1e999",
        "0xfffffffffffffffff",
        "300y",
        "5M",
    ] {
        bad(text);
    }
}

#[test]
fn strings() {
    let cases = [
        (r#""a\"b'""#, "a\"b'"),
        (r"'a\'b'", "a'b"),
        (r#""\a\b\f\n\r\t\v\\""#, "\x07\x08\x0c\n\r\t\x0b\\"),
        (r#""\101\x41\u0041\U0001F600""#, "AAA\u{1f600}"),
        (r#""\xc3\xa9""#, "é"),
        ("`a\\n\n\"`", "a\\n\n\""),
        ("'日本'", "日本"),
        ("''", ""),
    ];
    for (text, wanted) in cases {
        assert_eq!(good(text).kind, ExprKind::String(wanted.to_string()), "{text}");
    }
    let errors = [
        ("\"a", "1:1: unterminated quoted string"),
        ("'a\nb'", "1:1: unterminated quoted string"),
        ("`a", "1:1: unterminated raw string"),
        (r"'\q'", "1:1: unknown escape sequence U+0071 'q'"),
        (r#"'\"'"#, "1:1: unknown escape sequence U+0022 '\"'"),
        (r"'\x4'", "1:1: illegal character U+0027 '\\'' in escape sequence"),
        (r"'\400'", "1:1: escape sequence is an invalid Unicode code point"),
        (r"'\ud800'", "1:1: escape sequence is an invalid Unicode code point"),
        (r"'\", "1:1: escape sequence not terminated"),
        (r#""a\xc5z""#, "1:1: string literal is not valid UTF-8: \"a\\xc5z\""),
        (
            r#"label_join(a, "it's\xc5", "")"#,
            "1:15: string literal is not valid UTF-8: \"it's\\xc5\"",
        ),
        (r#"a{b="\xc5"}"#, "1:5: string literal is not valid UTF-8: \"\\xc5\""),
    ];
    for (text, wanted) in errors {
        assert_eq!(bad(text), wanted, "{text}");
    }
}

#[test]
fn precedence() {
    // The text is printed from the tree, with parentheses around every operator.
    fn shape(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Binary(binary) => {
                format!("({} {} {})", shape(&binary.lhs), binary.op.as_str(), shape(&binary.rhs))
            }
            ExprKind::Unary(unary) => format!("(-{})", shape(&unary.expr)),
            _ => expr.to_string(),
        }
    }
    let cases = [
        ("1+2*3", "(1 + (2 * 3))"),
        ("1-2-3", "((1 - 2) - 3)"),
        ("2^3^4", "(2 ^ (3 ^ 4))"),
        ("-1^2", "(-(1 ^ 2))"),
        ("-a^b", "(-(a ^ b))"),
        ("-a*b", "((-a) * b)"),
        ("2^-3*4", "((2 ^ -3) * 4)"),
        ("2^-a^b", "(2 ^ (-(a ^ b)))"),
        ("a or b and c unless d == e", "(a or ((b and c) unless (d == e)))"),
        ("a > b + c", "(a > (b + c))"),
        ("a </ 1 + 2", "(a </ (1 + 2))"),
        ("a atan2 b % c", "((a atan2 b) % c)"),
        ("a offset -2^2", "(a offset -2s ^ 2)"),
        ("a offset 1h + 2", "(a offset 1h + 2)"),
        ("a offset (1h + 2)", "a offset (1h + 2)"),
        ("-a offset 5m", "(-a offset 5m)"),
        ("a + b @ 5 + c", "((a + b @ 5.000) + c)"),
    ];
    for (text, wanted) in cases {
        assert_eq!(shape(&good(text)), wanted, "{text}");
    }
}

#[test]
fn words_are_names_where_nothing_else_fits() {
    for text in [
        "sum",
        "sum{a='b'}",
        "sum + sum",
        "by",
        "offset offset 5m",
        "and and and",
        "start",
        "step + 1",
        "fill + fill",
        "a == fill_left",
        "anchored",
        "max_of{x='1'}",
        "sum(sum)",
        "count by (by) (count)",
        "sum by (on, bool, offset, step, a:b, \"x.y\",) (up)",
        "{sum='1', by=\"2\"}",
        "a - on(on) b",
        "Sum BY (x) (up) + RATE",
        "bottomk OFFSET 5m",
        "group @ END()",
        "range",
        ":a",
        "a # comment (\n + b # another",
        "{a='b' # comment )\n}",
    ] {
        good(text);
    }
    for text in [
        "bool",
        "on",
        "ignoring",
        "group_left",
        "a + atan2",
        "sum by (without) (x)",
        "sum by (inf) (x)",
    ] {
        bad(text);
    }
}

#[test]
fn modifiers_come_in_any_order() {
    for (a, b) in [
        ("x offset 5m @ 10", "x @ 10 offset 5m"),
        ("x[5m] offset 1m @ start()", "x[5m] @ start() offset 1m"),
        ("x[5m] smoothed offset 1m", "x[5m] offset 1m smoothed"),
        ("sum(x) by (a)", "sum by (a) (x)"),
        ("a + fill_left(1) fill_right(2) b", "a + fill_right(2) fill_left(1) b"),
    ] {
        assert_eq!(good(a).to_string(), good(b).to_string());
    }
    match good("x @ -1.5").kind {
        ExprKind::Selector(selector) => assert_eq!(selector.time.at, Some(At::Timestamp(-1500))),
        kind => panic!("{kind:?}"),
    }
}

/// Wordings of Prometheus.
const SYNTAX_ERRORS: &[(&str, &str)] = &[
    ("", "1:1: no expression found in input"),
    (" # nothing", "1:1: no expression found in input"),
    ("1 +", "1:4: unexpected end of input"),
    ("a b", "1:3: unexpected identifier \"b\""),
    ("1 1", "1:3: unexpected number \"1\""),
    ("a 'a long string'", "1:3: unexpected string \"'a long st\"..."),
    ("a\n + * b", "2:4: unexpected <op:*>"),
    ("sum by x (a)", "1:8: unexpected identifier \"x\" in grouping opts, expected \"(\""),
    ("sum by (1) (a)", "1:9: unexpected number \"1\" in grouping opts, expected label"),
    (
        "sum by (a b) (c)",
        "1:11: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\"",
    ),
    ("sum by (\"\") (c)", "1:9: invalid label name for grouping: \"\""),
    ("sum by (a)", "1:11: unexpected end of input in aggregation"),
    ("(1", "1:3: unclosed left parenthesis"),
    ("1)", "1:2: unexpected right parenthesis ')'"),
    ("a[5m", "1:5: unexpected end of input in duration expression"),
    ("a]", "1:2: unexpected right bracket ']'"),
    ("a{", "1:3: unexpected end of input inside braces"),
    ("a{,}", "1:3: unexpected \",\" in label matching, expected identifier or \"}\""),
    ("a{b}", "1:4: unexpected \"}\" in label matching, expected label matching operator"),
    ("a{b=c}", "1:5: unexpected identifier \"c\" in label matching, expected string"),
    (
        "a{b='c' d='e'}",
        "1:9: unexpected identifier \"d\" in label matching, expected \",\" or \"}\"",
    ),
    ("a{b='c',,}", "1:9: unexpected \",\" in label matching, expected identifier or \"}\""),
    ("a{b!c}", "1:4: unexpected character after '!' inside braces: 'c'"),
    ("a ! b", "1:3: unexpected character after '!': ' '"),
    ("a =~ b", "1:3: unexpected character after '=': '~'"),
    ("a = b", "1:3: unexpected \"=\""),
    ("a $ b", "1:3: unexpected character: '$'"),
    ("a{b=~'('}", "1:3: error parsing regexp: missing closing ): `(`"),
    (
        "a[]",
        "1:3: unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()",
    ),
    ("a[b]", "1:3: unexpected character in duration expression: 'b'"),
    ("a[5m:1m", "1:8: unexpected end of input in duration expression"),
    ("a[5m 1m]", "1:6: unexpected duration \"1m\" in subquery or range, expected \":\" or \"]\""),
    ("a[5m:)]", "1:6: unexpected right parenthesis ')'"),
    ("a[0s]", "1:3: duration must be greater than 0"),
    ("a[-(5m)]", "1:3: duration must be greater than 0"),
    ("a[5m:0]", "1:6: duration must be greater than 0"),
    ("a[5m/0]", "1:5: division by zero"),
    ("a[5m%(0)]", "1:5: modulo by zero"),
    ("a[1e12]", "1:3: duration out of range"),
    ("a offset nan", "1:10: duration out of range"),
    (
        "a offset b",
        "1:10: unexpected identifier \"b\" in offset, expected number, duration, step(), or range()",
    ),
    ("a offset 5m offset 1h", "1:1: offset may not be set multiple times"),
    ("a @ 1 @ 2", "1:1: @ <timestamp> may not be set multiple times"),
    ("a @ b", "1:5: unexpected identifier \"b\" in @, expected timestamp"),
    ("a @ inf", "1:1: timestamp out of bounds for @ modifier: inf"),
    ("a @ (1)", "1:5: unexpected \"(\" in @, expected timestamp"),
    (
        "1 @ 5",
        "1:1: @ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    ),
    (
        "(a) offset 5m",
        "1:1: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
    ),
    ("(a)[5m]", "1:4: ranges only allowed for vector selectors"),
    ("a offset 1m [5m]", "1:13: no offset modifiers allowed before range"),
    ("a @ 1 [5m]", "1:7: no @ modifiers allowed before range"),
    ("a[5m:][5m:]", "1:1: subquery is only allowed on instant vector, got matrix instead"),
    ("a[5m] anchored smoothed", "1:1: anchored and smoothed modifiers cannot be used together"),
    ("a[5m:] anchored", "1:1: anchored modifier is not supported for subqueries"),
    ("rate(a[5m],)", "1:11: trailing commas not allowed in function call args"),
    ("foo(a)", "1:1: unknown function with name \"foo\""),
    ("RATE(a[5m])", "1:1: unknown function with name \"RATE\""),
    ("sum()", "1:1: no arguments for aggregate expression provided"),
    (
        "1 + topk(a)",
        "1:5: wrong number of arguments for aggregate expression provided, expected 2, got 1",
    ),
    (
        "sum(a, b)",
        "1:1: wrong number of arguments for aggregate expression provided, expected 1, got 2",
    ),
    (
        "a + fill(b) c",
        "1:10: unexpected identifier \"b\" in fill modifier, expected number or duration",
    ),
    ("a + fill(1) fill(2) c", "1:13: unexpected <fill>"),
    ("a + group_left b", "1:5: unexpected <group_left>"),
    ("a == on(x) bool b", "1:12: unexpected <bool>"),
];

#[test]
fn syntax_errors_say_what_and_where() {
    for (text, wanted) in SYNTAX_ERRORS {
        assert_eq!(bad(text), *wanted, "{text}");
    }
}

#[test]
fn meaningless_trees_are_refused() {
    let cases = [
        ("{}", "1:1: vector selector must contain at least one non-empty matcher"),
        (
            "1 + {a=~'.*', b!='c'}",
            "1:5: vector selector must contain at least one non-empty matcher",
        ),
        ("a{__name__='b'}", "1:1: metric name must not be set twice: \"a\" or \"b\""),
        ("a{'b'}", "1:1: metric name must not be set twice: \"a\" or \"b\""),
        ("rate()", "1:1: expected 1 argument(s) in call to \"rate\", got 0"),
        ("round()", "1:1: expected at least 1 argument(s) in call to \"round\", got 0"),
        ("round(a, 1, 2)", "1:1: expected at most 2 argument(s) in call to \"round\", got 3"),
        (
            "label_join(a, 'b')",
            "1:1: expected at least 3 argument(s) in call to \"label_join\", got 2",
        ),
        (
            "histogram_quantiles(a, 'b')",
            "1:1: expected at least 3 argument(s) in call to \"histogram_quantiles\", got 2",
        ),
        (
            "rate(a)",
            "1:6: expected type range vector in call to function \"rate\", got instant vector",
        ),
        (
            "abs(a[5m])",
            "1:5: expected type instant vector in call to function \"abs\", got range vector",
        ),
        (
            "label_join(a, 'b', 'c', d)",
            "1:25: expected type string in call to function \"label_join\", got instant vector",
        ),
        ("sum(1)", "1:5: expected type instant vector in aggregation expression, got scalar"),
        ("topk(a, b)", "1:6: expected type scalar in aggregation parameter, got instant vector"),
        ("count_values(1, b)", "1:14: expected type string in aggregation parameter, got scalar"),
        ("1 == 1", "1:3: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:3: bool modifier can only be used on comparison operators"),
        ("a and bool b", "1:3: bool modifier can only be used on comparison operators"),
        ("a and 1", "1:1: set operator \"and\" not allowed in binary scalar expression"),
        ("a + on(x) 1", "1:1: vector matching only allowed between instant vectors"),
        ("a + fill(1) 1", "1:1: filling in missing series only allowed between instant vectors"),
        ("a or fill(1) b", "1:1: filling in missing series not allowed for set operators"),
        ("a and on(x) group_left b", "1:1: no grouping allowed for \"and\" operation"),
        (
            "a + on(x) group_left(x) b",
            "1:3: label \"x\" must not occur in ON and GROUP clause at once",
        ),
        ("a + 'b'", "1:5: binary expression must contain only scalar and instant vector types"),
        ("a[5m] + b", "1:1: binary expression must contain only scalar and instant vector types"),
        (
            "-'a'",
            "1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"string\"",
        ),
        (
            "-a[5m]",
            "1:1: unary expression only allowed on expressions of type scalar or instant vector, got \"range vector\"",
        ),
        ("1[5m:]", "1:1: subquery is only allowed on instant vector, got scalar instead"),
        ("info(a, b)", "1:9: expected label selectors only, got vector selector instead"),
        ("info(a, 1)", "1:9: expected label selectors only"),
    ];
    for (text, wanted) in cases {
        assert_eq!(bad(text), wanted, "{text}");
    }
    good("a + ignoring(x) group_left(x) b");
    good("info(a, {b=~'.*'})");
}

#[test]
fn switches() {
    let off = ParseOptions { duration_expressions: false, ..ParseOptions::default() };
    let cases = [
        ("step()", "function \"step\" is not enabled"),
        ("mad_over_time(a[5m])", "function \"mad_over_time\" is not enabled"),
        (
            "limitk(1, a)",
            "limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        ("a[5m] anchored", "anchored modifier is experimental and not enabled"),
        ("a smoothed", "smoothed modifier is experimental and not enabled"),
        ("a + fill(1) b", "binop fill modifiers are experimental and not enabled"),
        ("a[5m+1m]", "experimental duration expression is not enabled"),
        ("a offset step()", "experimental duration expression is not enabled"),
    ];
    for (text, wanted) in cases {
        assert_eq!(parse(text, &off).unwrap_err().message, wanted, "{text}");
        good(text);
    }
    for text in ["a[5m+1m]", "a offset -5m", "first_over_time(a[5m])", "a </ 5"] {
        parse(text, &ParseOptions::default()).unwrap();
    }
}

#[test]
fn spans_cover_what_was_written() {
    let text = "1 + sum by (a) (rate( x{b='c'} [5m] offset 1m))";
    let cut = |span: Span| &text[span.start as usize..span.end as usize];
    let expr = good(text);
    assert_eq!(cut(expr.span), text);
    let ExprKind::Binary(binary) = expr.kind else { panic!("no binary") };
    assert_eq!(cut(binary.lhs.span), "1");
    assert_eq!(cut(binary.rhs.span), "sum by (a) (rate( x{b='c'} [5m] offset 1m))");
    let ExprKind::Aggregate(aggregate) = binary.rhs.kind else { panic!("no aggregate") };
    assert_eq!(cut(aggregate.expr.span), "rate( x{b='c'} [5m] offset 1m)");
    let ExprKind::Call(call) = aggregate.expr.kind else { panic!("no call") };
    assert_eq!(cut(call.args[0].span), "x{b='c'} [5m] offset 1m");
    let ExprKind::Matrix(matrix) = &call.args[0].kind else { panic!("no matrix") };
    assert_eq!(cut(matrix.selector_span), "x{b='c'}");
}

#[test]
fn selectors_of_the_api() {
    let options = ParseOptions::default();
    let shown = |text| {
        parse_selector(text, &options).map(|m| format!("{m:?}")).map_err(|error| error.message)
    };
    assert_eq!(shown("up{a='b'}").unwrap(), "[__name__=\"up\", a=\"b\"]");
    assert_eq!(shown("{}").unwrap(), "[]");
    assert_eq!(shown("up[5m]").unwrap_err(), "unexpected \"[\"");
    assert_eq!(shown("1").unwrap_err(), "unexpected number \"1\"");
}

#[test]
fn durations_outside_of_queries() {
    assert_eq!(parse_duration_ms("1h30m"), Ok(5_400_000));
    assert_eq!(parse_duration_ms("0"), Ok(0));
    assert_eq!(parse_duration_ms("106751d"), Ok(106_751 * 86_400_000));
    for text in ["", "5", "1.5h", "m", "1s1m", "-5m", "5m ", "106752d", "99999999999999999999s"] {
        assert!(parse_duration_ms(text).is_err(), "{text}");
    }
    for duration_ms in [0, 1, 999, 60_000, 86_400_000, 90_061_001, 604_800_000, 31_536_000_000] {
        let text = format_duration_ms(duration_ms);
        assert_eq!(parse_duration_ms(&text), Ok(duration_ms as i64), "{text}");
    }
}

/// What dashboards make of variables with many values.
#[test]
fn long_texts_of_dashboards_parse() {
    let values: Vec<String> = (0..5_000).map(|i| format!("web\\\\.{i}:9100")).collect();
    good(&format!("rate(requests_total{{instance=~\"({})\"}}[5m])", values.join("|")));
    let dotted: Vec<String> = (0..1_000).map(|i| format!("10.0.0.{i}:9100")).collect();
    good(&format!("rate(requests_total{{instance=~\"{}\"}}[5m])", dotted.join("|")));
    let sum: Vec<String> = (0..300).map(|i| format!("up{{pod=~\"web-{i}-.+-x\"}}")).collect();
    good(&sum.join(" or "));
}

/// Texts that make parsers slow or overflow their stack.
#[test]
fn hostile_texts_are_refused_quickly() {
    let nested =
        |open: &str, close: &str, depth| format!("{}a{}", open.repeat(depth), close.repeat(depth));
    let many = |count: usize, element: &dyn Fn(usize) -> String| -> String {
        (0..count).map(element).collect()
    };
    let texts = [
        nested("(", ")", 500_000),
        nested("(", ")", NESTING_MAX),
        nested("sum(", ")", 200_000),
        nested("abs(", ")", NESTING_MAX),
        nested("", "[5m:]", 200_000),
        format!("a[{}5m{}]", "(".repeat(500_000), ")".repeat(500_000)),
        format!("a[{}5m{}]", "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX)),
        "a+".repeat(500_000),
        format!("{}a", "a^".repeat(OPERATORS_MAX)),
        format!("{}a", "a+".repeat(OPERATORS_MAX)),
        format!("{}a", "-".repeat(1_000_000)),
        format!("{}a", "- ".repeat(OPERATORS_MAX)),
        format!("a[{}5m]", "2^".repeat(OPERATORS_MAX)),
        "(".repeat(1_000_000),
        "\"".repeat(1_000_001),
        "{a=\"".repeat(250_000),
        "[".repeat(1_000_000),
        "a offset 1".repeat(100_000),
        format!("a{{{}}}", "b=~\".+\",".repeat(120_000)),
        format!("a{{{}}}", many(900, &|i| format!("b=~\"\\\\pL{{{i}}}\","))),
        // Different expressions, few in each selector: small ones, large ones, alternatives.
        format!("histogram_quantiles({}a)", many(60_000, &|i| format!("{{b=~'.{i}'}},"))),
        format!("{}a", many(950, &|i| format!("{{b=~'{}{i}'}}+", many(70, &|j| format!(".*{j}"))))),
        format!("{}a", many(15, &|i| format!("{{b=~'{}{i}'}}+", "a.".repeat(30_000)))),
        format!("{}a", many(15, &|i| format!("{{b=~'{}{i}'}}+", "(a|b)?".repeat(10_000)))),
        format!("{{b=~'{}'}}", many(100_000, &|i| format!("v{i}|"))),
        format!("{{b=~'{}'}}", many(100_000, &|i| format!("{}|", i % 7))),
        // Lists, trees without operators.
        format!("label_join({}a)", "a,".repeat(500_000)),
        format!("a + on({}) group_left({}) a", "a,".repeat(250_000), "b,".repeat(250_000)),
        format!("sum by ({}) (a)", "a,".repeat(500_000)),
        (0..15).fold("scalar(a)".to_string(), |tree, _| format!("max_of({tree},{tree})")),
        "\\".repeat(1_000_000),
        "#".repeat(1_000_000),
        " ".repeat(1_000_000),
        "fill ".repeat(200_000),
        format!("fill{}", " ".repeat(1_000_000)),
        "1".repeat(1_000_000),
        "1_".repeat(500_000),
        "1m".repeat(500_000),
        "é".repeat(500_000),
        "a".repeat(1_000_000),
    ];
    for text in texts {
        let start = Instant::now();
        let parsed = parse(&text, &ParseOptions::all());
        if let Ok(expr) = parsed {
            parse(&expr.to_string(), &ParseOptions::all()).unwrap();
        }
        assert!(text.len() <= TEXT_MAX_BYTES, "{:.40}", text);
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(20), "{elapsed:?} for {:.40}", text);
    }
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let nested = |depth| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
    good(&nested(NESTING_MAX));
    assert_eq!(
        bad(&nested(NESTING_MAX + 1)),
        "1:201: expression is nested deeper than 200 parentheses"
    );
    let chain = |operators| format!("{}1", "1+".repeat(operators));
    good(&chain(OPERATORS_MAX));
    assert_eq!(bad(&chain(OPERATORS_MAX + 1)), "1:2002: expression has more than 1000 operators");
    let list = |elements: usize| format!("sum by ({}) (a)", "a,".repeat(elements));
    good(&list(LIST_MAX));
    assert_eq!(bad(&list(LIST_MAX + 1)), "1:2009: list of more than 1000 elements");
    // Small expressions take 4 KiB each, so that 2048 of them fit.
    let regexes = |selectors: usize| -> String {
        let all = |first: usize| (first..first + 512).map(|i| format!("x=~'{i}+',"));
        let selector = |index: usize| format!("{{{}}}", all(index * 512).collect::<String>());
        (0..selectors).map(selector).collect::<Vec<_>>().join("+")
    };
    good(&regexes(4));
    let error = bad(&regexes(5));
    assert!(
        error.ends_with("the regular expressions take more than 8388608 bytes when compiled"),
        "{error}"
    );
    good(&format!("1{}", " ".repeat(TEXT_MAX_BYTES - 1)));
    assert_eq!(
        bad(&" ".repeat(TEXT_MAX_BYTES + 1)),
        "1:1: query of 1048577 bytes is longer than the limit of 1048576"
    );
}

proptest! {
    #[test]
    fn any_text_parses_or_errs(text in any::<String>()) {
        let _ = parse(&text, &ParseOptions::all());
    }

    #[test]
    fn any_soup_of_tokens_parses_or_errs(tokens in proptest::collection::vec(
        proptest::sample::select(&[
            "a", "sum", "by", "on", "rate", "offset", "@", "start", "(", ")", "{", "}", "[", "]", ":", ",", "+",
            "-", "^", "==", "bool", "and", "5m", "1", "'x'", "=", "=~", "step()", "fill(1)", "group_left", "\n",
        ][..]), 0..24)) {
        let text = tokens.join(" ");
        if let Ok(expr) = parse(&text, &ParseOptions::all()) {
            prop_assert!(parse(&expr.to_string(), &ParseOptions::all()).is_ok(), "{}", text);
        }
    }
}
