//! Random PromQL of the whole grammar: every form of literal, selector, modifier, operator, aggregation and function, the
//! functions by the signatures that the parser knows. What names and numbers occur is a [`Vocabulary`]: one for the parser,
//! where anything may occur, others for evaluations, over the series there are.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use silverback::promql::ast::ValueType;
use silverback::promql::check::value_type;
use silverback::promql::functions::{Signature, Variadic, signatures};
use silverback::promql::parser::{ParseOptions, parse};

/// A strategy for a piece of a query.
pub type Text = BoxedStrategy<String>;

/// Arguments that a call gets at most beyond those it must have.
const EXTRA_ARGUMENTS_MAX: usize = 2;

/// The words of the expressions.
#[derive(Clone)]
pub struct Vocabulary {
    /// Selectors without modifiers.
    pub series: Text,
    /// Labels as they stand in lists: `a`, or `"a b"`.
    pub label: Text,
    /// `a="b", ...`, or nothing.
    pub matchers: Text,
    pub number: Text,
    /// What stands in brackets.
    pub range: Text,
    /// The step of a subquery, or nothing.
    pub step: Text,
    /// ` offset x`, or nothing.
    pub offset: Text,
    /// ` @ x`, or nothing.
    pub at: Text,
    /// ` anchored`, ` smoothed`, or nothing.
    pub extended: Text,
    /// Which functions occur.
    pub has_function: fn(&Signature) -> bool,
    pub aggregations: &'static [&'static str],
}

/// Strategies for expressions of a certain depth.
#[derive(Clone)]
struct Level {
    vector: Text,
    scalar: Text,
}

/// Expressions whose value is an instant vector, nested at most `depth` deep.
pub fn vector_expr(words: &Vocabulary, depth: u32) -> Text {
    level(words, depth).vector
}

/// Expressions whose value is a scalar.
pub fn scalar_expr(words: &Vocabulary, depth: u32) -> Text {
    level(words, depth).scalar
}

fn level(words: &Vocabulary, depth: u32) -> Level {
    let leaf = Level { vector: selector(words), scalar: words.number.clone() };
    (0..depth).fold(leaf, |below, _| Level {
        vector: prop_oneof![
            2 => below.vector.clone(),
            2 => calls(words, &below, ValueType::Vector),
            2 => aggregation(words, &below),
            2 => binary(words, &below),
            1 => sign_or_parentheses(below.vector.clone()),
        ]
        .boxed(),
        scalar: prop_oneof![
            3 => below.scalar.clone(),
            1 => calls(words, &below, ValueType::Scalar),
            1 => scalar_binary(&below),
            1 => sign_or_parentheses(below.scalar.clone()),
        ]
        .boxed(),
    })
}

/// What a text is worth; `None` if it is no PromQL.
pub fn type_of(text: &str) -> Option<ValueType> {
    parse(text, &ParseOptions::all()).ok().map(|expr| value_type(&expr))
}

/// An operator may tear apart what stands beside it without parentheses: what then makes no sense is left out.
fn only(wanted: ValueType, text: impl Strategy<Value = String> + 'static) -> Text {
    text.prop_filter("operands make no sense any more", move |text| type_of(text) == Some(wanted))
        .boxed()
}

/// One of the words.
pub fn word(words: &'static [&'static str]) -> Text {
    select(words).prop_map(str::to_string).boxed()
}

fn sign_or_parentheses(inner: Text) -> Text {
    prop_oneof![
        inner.clone().prop_map(|inner| format!("({inner})")),
        (word(&["-", "+", "- -", "-+"]), inner).prop_map(|(sign, inner)| format!("{sign}{inner}")),
    ]
    .boxed()
}

const ARITHMETIC: &[&str] = &["+", "-", "*", "/", "%", "^", "atan2", "AtaN2"];
const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

fn binary(words: &Vocabulary, below: &Level) -> Text {
    let Level { vector, scalar } = below;
    let compare = (word(COMPARISONS), word(&["", "", " bool", " BOOL"]))
        .prop_map(|(op, bool)| op + &bool)
        .boxed();
    let values = prop_oneof![2 => word(ARITHMETIC), 1 => compare.clone()].boxed();
    let matched = (values.clone(), matching(words), fill(&words.number))
        .prop_map(|(op, matching, fill)| op + &matching + &fill);
    let set =
        (word(&["and", "or", "unless", "OR"]), on_or_ignoring(words)).prop_map(|(op, on)| op + &on);
    let trim = word(&["</", ">/"]);
    only(
        ValueType::Vector,
        prop_oneof![
            3 => between(vector, matched.boxed(), vector),
            1 => between(vector, set.boxed(), vector),
            1 => between(vector, values.clone(), scalar),
            1 => between(scalar, values, vector),
            1 => between(vector, trim.clone(), scalar),
            1 => between(vector, trim, vector),
        ],
    )
}

fn scalar_binary(below: &Level) -> Text {
    let comparison = word(COMPARISONS).prop_map(|op| op + " bool").boxed();
    let op = prop_oneof![2 => word(ARITHMETIC), 1 => comparison].boxed();
    only(ValueType::Scalar, between(&below.scalar, op, &below.scalar))
}

/// The operands in parentheses or not.
fn between(lhs: &Text, op: Text, rhs: &Text) -> Text {
    (lhs.clone(), any::<bool>(), op, rhs.clone(), any::<bool>())
        .prop_map(|(lhs, wrap_lhs, op, rhs, wrap_rhs)| {
            let wrapped = |text, wrap| if wrap { format!("({text})") } else { text };
            format!("{} {op} {}", wrapped(lhs, wrap_lhs), wrapped(rhs, wrap_rhs))
        })
        .boxed()
}

fn matching(words: &Vocabulary) -> Text {
    let group = (word(&["group_left", "group_right", "GROUP_LEFT"]), label_list(words))
        .prop_map(|(group, labels)| format!(" {group}{labels}"));
    let bare_group = word(&[" group_left", " group_right"]);
    let any_group = prop_oneof![2 => Just(String::new()), 1 => group, 1 => bare_group];
    prop_oneof![
        1 => Just(String::new()),
        3 => (clause(words), any_group).prop_map(|(clause, group)| clause + &group),
    ]
    .boxed()
}

fn on_or_ignoring(words: &Vocabulary) -> Text {
    prop_oneof![Just(String::new()), clause(words)].boxed()
}

fn clause(words: &Vocabulary) -> Text {
    (word(&[" on", " ignoring ", " ON "]), label_list(words)).prop_map(|(on, l)| on + &l).boxed()
}

fn fill(number: &Text) -> Text {
    let value = (word(&["", "-", "+"]), number.clone()).prop_map(|(sign, n)| sign + &n);
    let value = value.prop_filter("a number alone", |n| is_fill_value(n)).boxed();
    prop_oneof![
        6 => Just(String::new()),
        1 => value.clone().prop_map(|n| format!(" fill({n})")),
        1 => value.clone().prop_map(|n| format!(" fill_left ({n})")),
        1 => (value.clone(), value).prop_map(|(a, b)| format!(" fill_right({a}) FILL_LEFT({b})")),
    ]
    .boxed()
}

fn is_fill_value(text: &str) -> bool {
    type_of(&format!("a + fill({text}) b")).is_some()
}

fn label_list(words: &Vocabulary) -> Text {
    (proptest::collection::vec(words.label.clone(), 0..3), any::<bool>())
        .prop_map(|(labels, trailing)| {
            let comma = if trailing && !labels.is_empty() { "," } else { "" };
            format!("({}{comma})", labels.join(", "))
        })
        .boxed()
}

/// Every aggregation.
pub const AGGREGATIONS: &[&str] = &[
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
    "limit_ratio",
];

fn aggregation(words: &Vocabulary, below: &Level) -> Text {
    let each = words.aggregations.iter().map(|op| {
        let param = match *op {
            "topk" | "bottomk" | "quantile" | "limitk" | "limit_ratio" => {
                below.scalar.clone().prop_map(|param| param + ", ").boxed()
            }
            "count_values" => words.label.clone().prop_map(|l| quoted(&l) + ", ").boxed(),
            _ => Just(String::new()).boxed(),
        };
        let call = (param, below.vector.clone()).prop_map(|(p, v)| format!("({p}{v})"));
        (Just(op.to_string()), call).boxed()
    });
    let grouping = (word(&["by ", "without", "BY"]), label_list(words)).prop_map(|(by, l)| by + &l);
    let grouping = prop_oneof![1 => Just(String::new()), 3 => grouping];
    (Union::new(each), grouping, any::<bool>(), any::<bool>())
        .prop_map(|((op, call), grouping, before, upper)| {
            let op = if upper { op.to_uppercase() } else { op };
            match before {
                true => format!("{op} {grouping} {call}"),
                false => format!("{op}{call} {grouping}"),
            }
        })
        .boxed()
}

/// Calls of all functions that give this type.
fn calls(words: &Vocabulary, below: &Level, returns: ValueType) -> Text {
    let wanted =
        |function: &&Signature| function.returns == returns && (words.has_function)(function);
    let each = signatures().iter().filter(wanted).map(|function| call(function, words, below));
    let each: Vec<Text> = each.collect();
    if each.is_empty() {
        return below.scalar.clone();
    }
    Union::new(each).boxed()
}

fn call(function: &'static Signature, words: &Vocabulary, below: &Level) -> Text {
    let listed = function.args.len();
    let (min, max) = match function.variadic {
        Variadic::No => (listed, listed),
        Variadic::Optional(optional) => (listed - optional, listed),
        Variadic::Repeated { max } => {
            (listed - 1, max.unwrap_or(usize::MAX).min(listed + EXTRA_ARGUMENTS_MAX))
        }
    };
    let args: Vec<Text> = (0..max).map(|index| argument(function, index, words, below)).collect();
    (args, min..=max)
        .prop_map(|(mut args, count)| {
            args.truncate(count);
            format!("{}({})", function.name, args.join(", "))
        })
        .boxed()
}

fn argument(function: &Signature, index: usize, words: &Vocabulary, below: &Level) -> Text {
    let label = || words.label.clone().prop_map(|label| quoted(&label)).boxed();
    match (function.name, index) {
        ("info", 1) => words.matchers.clone().prop_map(|m| format!("{{{m}}}")).boxed(),
        ("label_replace", 2) => word(&["\"$1\"", "'x$0'", "\"\"", "`${1}y`", "\"lit\""]),
        ("label_replace", 4) => word(&["\"(.*)\"", "'(a)?(.*)'", "\"\"", "`.`", "\"no\""]),
        ("label_join", 2) => word(&["\"-\"", "''", "`, `"]),
        _ => match function.args.get(index).or(function.args.last()) {
            Some(ValueType::Vector) => below.vector.clone(),
            Some(ValueType::Matrix) => matrix(words, below),
            Some(ValueType::Scalar) => below.scalar.clone(),
            Some(ValueType::String) | None => label(),
        },
    }
}

/// A label of a list as a string literal.
fn quoted(label: &str) -> String {
    if label.starts_with(['"', '\'', '`']) { label.to_string() } else { format!("{label:?}") }
}

fn time_modifiers(words: &Vocabulary) -> Text {
    (words.at.clone(), words.offset.clone(), any::<bool>())
        .prop_map(|(at, offset, at_first)| if at_first { at + &offset } else { offset + &at })
        .boxed()
}

fn selector(words: &Vocabulary) -> Text {
    (words.series.clone(), words.extended.clone(), time_modifiers(words))
        .prop_map(|(series, extended, time)| {
            let anchored = extended.to_lowercase().contains("anchored");
            series + if anchored { "" } else { &extended } + &time
        })
        .boxed()
}

/// A range selector or a subquery.
fn matrix(words: &Vocabulary, below: &Level) -> Text {
    let selected =
        (words.series.clone(), words.range.clone(), words.extended.clone(), time_modifiers(words))
            .prop_map(|(series, range, extended, time)| {
                format!("{series}[{range}]{extended}{time}")
            });
    let inner = prop_oneof![
        words.series.clone(),
        below.vector.clone().prop_map(|inner| format!("({inner})")),
    ];
    let subquery = (inner, words.range.clone(), words.step.clone(), time_modifiers(words))
        .prop_map(|(inner, range, step, time)| format!("{inner}[{range}:{step}]{time}"));
    prop_oneof![2 => selected, 1 => subquery].boxed()
}

impl Vocabulary {
    /// Anything the parser takes.
    pub fn wide() -> Vocabulary {
        let none = || Just(String::new());
        Vocabulary {
            series: wide_series(),
            label: word(&[
                "job", "instance", "le", "__name__x", "on", "group_left", "bool", "by", "\"a.b\"",
                "'küche'", "\"odd name\"", "`sum`", "offset",
            ]),
            matchers: wide_matchers(),
            number: word(&[
                "0", "1", "1.5", "1e3", "0x1F", "0X_a_b", "017", "1_000", "Inf", "nAn", "5m",
                "1h30m", ".5", "2.", "3.4e-9", "1E+2", "0.1_5", "1d", "7ms", "08", "1e308",
                "1y2w3d4h5m6s7ms",
            ]),
            range: duration(3),
            step: prop_oneof![none(), duration(2)].boxed(),
            offset: wide_offset(),
            at: prop_oneof![
                3 => none(),
                1 => word(&[" @ 1.5", " @ -10", " @ +0x10", " @1e3", " @ .0004", " @ 12345678901.5"]),
                1 => word(&[" @ start()", " @END()", " @ Start ( )"]),
            ]
            .boxed(),
            extended: prop_oneof![4 => none(), 1 => word(&[" smoothed", " anchored", " SMOOTHED"])]
                .boxed(),
            has_function: |_| true,
            aggregations: AGGREGATIONS,
        }
    }
}

fn wide_series() -> Text {
    let metric = || {
        word(&[
            "up",
            "http_requests_total",
            "job:errors:rate5m",
            ":x",
            "sum",
            "by",
            "offset",
            "fill",
            "start",
            "end",
            "step",
            "min_of",
            "and",
            "anchored",
            "without",
            "_",
            "infinite",
            "nano",
        ])
    };
    let utf8 = word(&["\"utf8.name\"", "'it''s'", "\"a\\\"b\\n\"", "`raw\\`", "\"日本\""]);
    let utf8 = utf8.prop_filter("a name", |name| type_of(&format!("{{{name}}}")).is_some());
    prop_oneof![
        3 => metric(),
        2 => (metric(), wide_matchers(), word(&["", " "])).prop_map(|(n, m, s)| format!("{n}{s}{{{m}}}")),
        1 => (utf8, wide_matchers(), any::<bool>()).prop_map(|(name, matchers, first)| {
            match (matchers.is_empty(), first) {
                (true, _) => format!("{{{name}}}"),
                (false, true) => format!("{{{name}, {matchers}}}"),
                (false, false) => format!("{{{matchers}, {name},}}"),
            }
        }),
        1 => wide_matchers().prop_map(|matchers| match matchers.is_empty() {
            true => "{job=~'.+'}".to_string(),
            false => format!("{{job=~'.+', {matchers}}}"),
        }),
    ]
    .boxed()
}

fn wide_matchers() -> Text {
    let label = word(&["job", "instance", "le", "on", "by", "sum", "'odd name'", "\"a.b\"", "`c`"]);
    let op = word(&["=", "!=", "=~", "!~", " = ", " !~ "]);
    let value = word(&[
        "\"a\"",
        "'b'",
        "``",
        "\"\\n\\\"\\x41\\u00e9\"",
        "\"a.*|b\"",
        "\"1\"",
        "'\\101\\U0001F600'",
    ]);
    let matcher = (label, op, value).prop_map(|(label, op, value)| format!("{label}{op}{value}"));
    (proptest::collection::vec(matcher, 0..3), any::<bool>())
        .prop_map(|(matchers, trailing)| {
            let comma = if trailing && !matchers.is_empty() { "," } else { "" };
            matchers.join(", ") + comma
        })
        .prop_map(|matchers| matchers.trim_end_matches(',').to_string())
        .boxed()
}

fn wide_offset() -> Text {
    prop_oneof![
        3 => Just(String::new()),
        1 => word(&[
            " offset 5m", " offset -1h30m", " offset +60", " offset step()", " offset -range()",
            " offset - min_of(step(), 1h)", " offset 0", " Offset 1.5", " offset (1h)",
        ]),
        1 => duration(2).prop_map(|duration| format!(" OFFSET -({duration})")),
    ]
    .boxed()
}

/// Arithmetic of durations; may be zero or negative for some steps.
fn duration(depth: u32) -> Text {
    let leaf = word(&["5m", "1h", "300", "1.5", "0.0001", "step()", "RANGE()", "1d1ms", "0x10"]);
    leaf.prop_recursive(depth, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), word(&["+", "-", "*", "/", "%", "^"]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("max_of({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("MIN_OF({a},{b})")),
            inner.clone().prop_map(|a| format!("({a})")),
            // Not before a bare literal, which would make a negative range.
            inner.prop_map(|a| format!("step() - -(+{a})")),
        ]
        .boxed()
    })
    .boxed()
}
