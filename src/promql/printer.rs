//! Tree to text: one line, canonical, as Prometheus prints it. Parsing the text gives the same tree again, but for
//! spans and the order of matchers, which are printed sorted. Parentheses are nodes of the tree, so none are added.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::{
    Aggregate, At, Binary, BinaryOp, Cardinality, DurationExpr, Expr, ExprKind, MatrixSelector,
    NumberLiteral, Selector, Subquery, TimeModifiers, Unary, VectorMatching,
};
use super::lexer::literal::format_duration_ms;
use crate::model::labels::{is_legacy_label_name, quoted};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(text) => f.write_str(&quoted(text)),
            ExprKind::NotUtf8(shown) => f.write_str(shown),
            ExprKind::Selector(selector) => {
                write_series(selector, f)?;
                write_at(&selector.time, f)?;
                write_extended(selector, f)?;
                write_offset(&selector.time, f)
            }
            ExprKind::Matrix(matrix) => matrix.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
            ExprKind::Call(call) => {
                write!(f, "{}(", call.function.name)?;
                write_list(&call.args, f)?;
                f.write_str(")")
            }
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Unary(unary) => unary.fmt(f),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_duration {
            let sign = if self.value.is_sign_negative() { "-" } else { "" };
            let duration_ms = (self.value.abs() * 1000.0).round() as u64;
            return write!(f, "{sign}{}", format_duration_ms(duration_ms));
        }
        write_number(self.value, f)
    }
}

/// Shortest decimal that gives the same float again, never with an exponent.
fn write_number(value: f64, f: &mut Formatter<'_>) -> fmt::Result {
    match value {
        f64::INFINITY => f.write_str("+Inf"),
        f64::NEG_INFINITY => f.write_str("-Inf"),
        value => write!(f, "{value}"),
    }
}

/// The selector without modifiers.
fn write_series(selector: &Selector, f: &mut Formatter<'_>) -> fmt::Result {
    let bare = usize::from(selector.name.is_some());
    let mut matchers: Vec<String> =
        selector.matchers.iter().skip(bare).map(ToString::to_string).collect();
    matchers.sort_unstable();
    if let Some(name) = &selector.name {
        f.write_str(name)?;
        if matchers.is_empty() {
            return Ok(());
        }
    }
    write!(f, "{{{}}}", matchers.join(","))
}

fn write_at(time: &TimeModifiers, f: &mut impl Write) -> fmt::Result {
    match time.at {
        None => Ok(()),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        Some(At::Timestamp(timestamp)) => {
            let sign = if timestamp < 0 { "-" } else { "" };
            let magnitude_ms = timestamp.unsigned_abs();
            write!(f, " @ {sign}{}.{:03}", magnitude_ms / 1000, magnitude_ms % 1000)
        }
    }
}

fn write_offset(time: &TimeModifiers, f: &mut impl Write) -> fmt::Result {
    match &time.offset {
        Some(offset) => write!(f, " offset {offset}"),
        None => Ok(()),
    }
}

fn write_extended(selector: &Selector, f: &mut Formatter<'_>) -> fmt::Result {
    if selector.anchored {
        f.write_str(" anchored")?;
    }
    if selector.smoothed {
        f.write_str(" smoothed")?;
    }
    Ok(())
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_series(&self.selector, f)?;
        write!(f, "[{}]", self.range)?;
        write_extended(&self.selector, f)?;
        write_at(&self.selector.time, f)?;
        write_offset(&self.selector.time, f)
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)?;
        write_subquery_suffix(self, f)
    }
}

/// What follows the expression.
pub(super) fn write_subquery_suffix(subquery: &Subquery, f: &mut impl Write) -> fmt::Result {
    write!(f, "[{}:", subquery.range)?;
    if let Some(step) = &subquery.step {
        write!(f, "{step}")?;
    }
    f.write_str("]")?;
    write_at(&subquery.time, f)?;
    write_offset(&subquery.time, f)
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            DurationExpr::Literal(number) => number.fmt(f),
            DurationExpr::Step => f.write_str("step()"),
            DurationExpr::Range => f.write_str("range()"),
            DurationExpr::Negate(inner) => write!(f, "-{inner}"),
            DurationExpr::Plus(inner) => write!(f, "+{inner}"),
            DurationExpr::Binary { op, lhs, rhs } => write!(f, "{lhs} {} {rhs}", op.as_str()),
            DurationExpr::MinOf(a, b) => write!(f, "min_of({a}, {b})"),
            DurationExpr::MaxOf(a, b) => write!(f, "max_of({a}, {b})"),
            DurationExpr::Paren(inner) => write!(f, "({inner})"),
        }
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_aggregate_head(self, f)?;
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

/// What stands before the parenthesis.
pub(super) fn write_aggregate_head(aggregate: &Aggregate, f: &mut impl Write) -> fmt::Result {
    f.write_str(aggregate.op.as_str())?;
    let grouping = &aggregate.grouping;
    if grouping.without {
        write!(f, " without ({}) ", labels(&grouping.labels))
    } else if !grouping.labels.is_empty() {
        write!(f, " by ({}) ", labels(&grouping.labels))
    } else {
        Ok(())
    }
}

impl Display for Binary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match is_infinite_base(self) {
            true => f.write_str("Inf")?,
            false => self.lhs.fmt(f)?,
        }
        f.write_str(" ")?;
        write_operator(self, f)?;
        write!(f, " {}", self.rhs)
    }
}

/// `+Inf ^ x` would be `+(Inf ^ x)`: the sign must not be printed.
pub(super) fn is_infinite_base(binary: &Binary) -> bool {
    let infinite = ExprKind::Number(NumberLiteral { value: f64::INFINITY, is_duration: false });
    binary.op == BinaryOp::Pow && binary.lhs.kind == infinite
}

/// The operator with its modifiers.
pub(super) fn write_operator(binary: &Binary, f: &mut impl Write) -> fmt::Result {
    f.write_str(binary.op.as_str())?;
    if binary.return_bool {
        f.write_str(" bool")?;
    }
    write!(f, "{}", binary.matching)
}

impl Display for VectorMatching {
    /// Each clause with a space before it; nothing for the default.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if self.on || !self.labels.is_empty() || group.is_some() {
            let clause = if self.on { "on" } else { "ignoring" };
            write!(f, " {clause} ({})", labels(&self.labels))?;
        }
        if let Some(group) = group {
            write!(f, " {group} ({})", labels(&self.include))?;
        }
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let fills = match (self.fill_left, self.fill_right) {
            (Some(both), Some(right)) if same(both, right) => [("fill", Some(both)), ("", None)],
            (left, right) => [("fill_left", left), ("fill_right", right)],
        };
        for (modifier, value) in fills {
            if let Some(value) = value {
                write!(f, " {modifier} (")?;
                write_number(value, f)?;
                f.write_str(")")?;
            }
        }
        Ok(())
    }
}

impl Display for Unary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.negative { "-" } else { "+" }, self.expr)
    }
}

fn write_list(exprs: &[Expr], f: &mut Formatter<'_>) -> fmt::Result {
    for (index, expr) in exprs.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{expr}")?;
    }
    Ok(())
}

fn labels(labels: &[String]) -> String {
    let written = labels
        .iter()
        .map(|label| if is_legacy_label_name(label) { label.clone() } else { quoted(label) });
    written.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use crate::promql::parser::{ParseOptions, parse};

    #[test]
    fn canonical_text() {
        let cases = [
            ("sum(x)by(a,b)", "sum by (a, b) (x)"),
            ("SUM without() (x)", "sum without () (x)"),
            ("topk(3,x{b=\"2\",a=\"1\"})", "topk(3, x{a=\"1\",b=\"2\"})"),
            ("{\"a.b\",c!~\"d\"}", "{__name__=\"a.b\",c!~\"d\"}"),
            ("x{\"a b\"='\\''}", "x{\"a b\"=\"'\"}"),
            ("x[300] offset 60 @ 1.5", "x[5m] @ 1.500 offset 1m"),
            ("x[90m]offset -1d @ -.0004", "x[1h30m] @ 0.000 offset -1d"),
            ("x offset 0s", "x"),
            ("rate(x[5m:1m]@end())", "rate(x[5m:1m] @ end())"),
            ("rate(x[1h/2:])", "rate(x[1h / 2:])"),
            ("x offset -(5m)", "x offset -(5m)"),
            ("rate(x[5m] smoothed @ 3)", "rate(x[5m] smoothed @ 3.000)"),
            ("rate(x[min_of(STEP()*2,1h)])", "rate(x[min_of(step() * 2, 1h)])"),
            ("1+-2", "1 + -2"),
            ("1e3 +0x10+010+.5", "1000 + 16 + 8 + 0.5"),
            ("inf - -INF + nan", "+Inf - -Inf + NaN"),
            ("-inf ^ 2", "-Inf ^ 2"),
            ("1h30m + 1y2w", "1h30m + 379d"),
            ("a==bool on(x)group_left(y,)b", "a == bool on (x) group_left (y) b"),
            ("a + ignoring() b", "a + b"),
            ("a + on() b", "a + on () b"),
            ("1 + on() b", "1 + b"),
            ("a + fill(1) b", "a + fill (1) b"),
            ("a + fill_right(-2) fill_left(1) b", "a + fill_left (1) fill_right (-2) b"),
            ("-a^b", "-a ^ b"),
            ("a </ 5 >/ 6", "a </ 5 >/ 6"),
            ("info(x,{})", "info(x, {})"),
            ("'a\\x22b'", "\"a\\\"b\""),
        ];
        for (text, wanted) in cases {
            let expr = parse(text, &ParseOptions::all()).unwrap();
            assert_eq!(expr.to_string(), wanted, "{text}");
        }
    }
}
