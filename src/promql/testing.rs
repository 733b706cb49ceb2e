//! Random PromQL for property tests: texts that parse with every switch of [`ParseOptions::all`] on, of the whole
//! grammar, over the metrics, labels and values named here. For tests only.
//!
//! [`ParseOptions::all`]: super::parser::ParseOptions::all

use proptest::prelude::*;
use proptest::sample::select;

use super::ast::{Expr, ExprKind, Selector, Span};

/// Metrics that occur; some are keywords.
pub const METRICS: &[&str] =
    &["up", "http_requests_total", "job:errors:rate5m", "sum", "by", "offset", "fill", "start"];

/// Labels that occur.
pub const LABELS: &[&str] = &["job", "instance", "le", "__name__x", "on", "group_left", "bool"];

const VALUES: &[&str] = &["\"a\"", "'b'", "``", "\"\\n\\\"\\x41\\u00e9\"", "\"a.*|b\"", "\"1\""];
const RANGE_FUNCTIONS: &[&str] =
    &["rate", "increase", "avg_over_time", "last_over_time", "changes", "ts_of_max_over_time"];
const MATH_FUNCTIONS: &[&str] = &["abs", "CEIL", "exp", "hour", "timestamp", "histogram_count"];
const NUMBERS: &[&str] =
    &["0", "1", "1.5", "1e3", "0x1F", "017", "1_000", "Inf", "nAn", "5m", "1h30m", ".5", "2."];

type Text = BoxedStrategy<String>;

/// An expression whose value is an instant vector.
pub fn vector_expr() -> Text {
    let leaf = prop_oneof![selector(), range_call(matrix())].boxed();
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            binary(inner.clone()),
            (scalar_expr(), select(COMPARISONS), bool_modifier(), inner.clone())
                .prop_map(|(s, op, bool, v)| format!("(({s}) {op} {bool} {v})")),
            aggregate(inner.clone()),
            (select(MATH_FUNCTIONS), inner.clone())
                .prop_map(|(f, v)| format!("{}({v})", f.to_lowercase())),
            inner.clone().prop_map(|v| format!("({v})")),
            (select(&["-", "+", "- -"][..]), inner.clone())
                .prop_map(|(sign, v)| format!("{sign}{v}")),
            range_call(subquery(inner.clone())),
            (inner.clone(), select(LABELS)).prop_map(|(v, label)| format!(
                "label_replace({v}, \"{label}\", \"$1\", \"job\", \"(.*)\")"
            )),
            (inner, label_matchers()).prop_map(|(v, m)| format!("info({v}, {{{m}}})")),
        ]
        .boxed()
    })
    .boxed()
}

/// An expression whose value is a scalar.
pub fn scalar_expr() -> Text {
    let leaf = prop_oneof![
        select(NUMBERS).prop_map(str::to_string),
        select(&["time()", "pi()", "step()", "START()", "scalar(up)", "max_of(1, 2)"][..])
            .prop_map(str::to_string),
    ]
    .boxed();
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), select(ARITHMETIC), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), select(COMPARISONS), inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} bool {b})")),
            (select(&["-", "+"][..]), inner.clone()).prop_map(|(sign, a)| format!("{sign}{a}")),
            inner.prop_map(|a| format!("({a})")),
        ]
        .boxed()
    })
    .boxed()
}

const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2", "AtaN2"];
const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];
const SETS: &[&str] = &["and", "OR", "unless"];

/// With a scalar on one side in parentheses, since matching clauses around it are only for vectors.
fn binary(inner: Text) -> Text {
    let arithmetic = (inner.clone(), select(ARITHMETIC), matching(), inner.clone())
        .prop_map(|(a, op, m, b)| format!("{a} {op} {m} {b}"));
    let comparison =
        (inner.clone(), select(COMPARISONS), bool_modifier(), matching(), inner.clone())
            .prop_map(|(a, op, bool, m, b)| format!("({a}) {op} {bool} {m} ({b})"));
    let set = (inner.clone(), select(SETS), on_or_ignoring(), inner.clone())
        .prop_map(|(a, op, on, b)| format!("{a} {op} {on} {b}"));
    let scalar = (inner.clone(), select(ARITHMETIC), scalar_expr())
        .prop_map(|(a, op, b)| format!("({a} {op} {b})"));
    let trim = (inner, select(&["</", ">/"][..])).prop_map(|(a, op)| format!("({a} {op} 5)"));
    prop_oneof![arithmetic, comparison, set, scalar, trim].boxed()
}

fn bool_modifier() -> Text {
    select(&["", "bool", "BOOL"][..]).prop_map(str::to_string).boxed()
}

fn label_list() -> Text {
    let label = prop_oneof![select(LABELS).prop_map(str::to_string), Just("\"a.b\"".to_string()),];
    let list = proptest::collection::vec(label, 0..3);
    (list, any::<bool>())
        .prop_map(|(labels, trailing)| {
            let comma = if trailing && !labels.is_empty() { "," } else { "" };
            format!("({}{comma})", labels.join(", "))
        })
        .boxed()
}

fn on_or_ignoring() -> Text {
    prop_oneof![
        Just(String::new()),
        label_list().prop_map(|l| format!("on{l}")),
        label_list().prop_map(|l| format!("ignoring {l}")),
    ]
    .boxed()
}

fn matching() -> Text {
    let fill = select(&["", "fill(0)", "fill_left(-1)", "fill_right(5m) fill_left(NaN)"][..]);
    let clause = prop_oneof![
        on_or_ignoring(),
        Just("on(job) group_left()".to_string()),
        label_list().prop_map(|l| format!("ignoring{l} group_right()")),
        Just("ignoring(le) group_left(instance)".to_string()),
    ];
    (clause, fill).prop_map(|(clause, fill)| format!("{clause} {fill}")).boxed()
}

fn aggregate(inner: Text) -> Text {
    let op = select(&["sum", "AVG", "count", "group", "stddev"][..]);
    let with_param =
        select(&["topk(2, ", "quantile(0.9, ", "limit_ratio(-.5, ", "count_values('x', "][..]);
    let call = prop_oneof![
        op.prop_map(|op| (op.to_string(), "(".to_string())),
        with_param.prop_map(|text| {
            let (op, rest) = text.split_once('(').unwrap_or((text, ""));
            (op.to_string(), format!("({rest}"))
        }),
    ];
    let grouping = prop_oneof![
        Just(String::new()),
        label_list().prop_map(|l| format!("by {l}")),
        label_list().prop_map(|l| format!("WITHOUT{l}")),
    ];
    (call, grouping, any::<bool>(), inner)
        .prop_map(|((op, open), grouping, before, inner)| match before {
            true => format!("{op} {grouping} {open}{inner})"),
            false => format!("{op}{open}{inner}) {grouping}"),
        })
        .boxed()
}

fn label_matchers() -> Text {
    let label =
        prop_oneof![select(LABELS).prop_map(str::to_string), Just("'odd name'".to_string()),];
    let matcher = (label, select(&["=", "!=", "=~", "!~"][..]), select(VALUES))
        .prop_map(|(label, op, value)| format!("{label}{op}{value}"));
    proptest::collection::vec(matcher, 0..3).prop_map(|matchers| matchers.join(", ")).boxed()
}

/// A series selector without modifiers.
fn series() -> Text {
    prop_oneof![
        select(METRICS).prop_map(str::to_string),
        (select(METRICS), label_matchers()).prop_map(|(name, m)| format!("{name}{{{m}}}")),
        label_matchers().prop_map(|m| format!("{{\"utf8.name\", {m}}}").replace(", }", "}")),
    ]
    .boxed()
}

fn selector() -> Text {
    let extended = select(&["", "", " smoothed", " anchored"][..]);
    (series(), extended, time_modifiers()).prop_map(|(s, e, t)| format!("{s}{e}{t}")).boxed()
}

fn time_modifiers() -> Text {
    let at = select(&["", "", " @ 1.5", " @ -10", " @ start()", " @END()"][..]);
    let offset = prop_oneof![
        Just(String::new()),
        select(&["5m", "-1h30m", "+60", "step()", "-range()", "- min_of(step(), 1h)", "0"][..])
            .prop_map(|d| format!(" offset {d}")),
        duration(2).prop_map(|d| format!(" OFFSET -({d})")),
    ];
    (at, offset, any::<bool>())
        .prop_map(|(at, offset, at_first)| match at_first {
            true => format!("{at}{offset}"),
            false => format!("{offset}{at}"),
        })
        .boxed()
}

/// Arithmetic of durations; may be zero or negative for some steps.
fn duration(depth: u32) -> Text {
    let leaf = select(&["5m", "1h", "300", "1.5", "0.0001", "step()", "RANGE()", "1d1ms"][..])
        .prop_map(str::to_string)
        .boxed();
    leaf.prop_recursive(depth, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), select(&["+", "-", "*", "/", "%", "^"][..]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("max_of({a}, {b})")),
            inner.clone().prop_map(|a| format!("({a})")),
            // Not before a bare literal, which would make a negative range.
            inner.prop_map(|a| format!("step() - -(+{a})")),
        ]
        .boxed()
    })
    .boxed()
}

fn matrix() -> Text {
    let extended = select(&["", "", " smoothed", " anchored"][..]);
    (series(), duration(3), extended, time_modifiers())
        .prop_map(|(s, d, e, t)| format!("{s}[{d}]{e}{t}"))
        .boxed()
}

fn subquery(inner: Text) -> Text {
    let step = prop_oneof![Just(String::new()), duration(2)];
    (inner, duration(2), step, time_modifiers())
        .prop_map(|(v, range, step, t)| format!("({v})[{range}:{step}]{t}"))
        .boxed()
}

fn range_call(matrix: Text) -> Text {
    (select(RANGE_FUNCTIONS), matrix).prop_map(|(f, m)| format!("{f}({m})")).boxed()
}

/// What two trees have in common that mean the same: all but spans and the order of matchers.
pub fn canonical(mut expr: Expr) -> String {
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
