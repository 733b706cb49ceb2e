//! Tree to text for readers: what is too long for a line is broken where it nests, as `promtool promql format` and the API's
//! `format_query` show it. What fits is printed by `printer`, and parsing gives the same tree again either way.

use std::fmt::{self, Write};

use super::ast::{Expr, ExprKind};
use super::printer::{
    is_infinite_base, write_aggregate_head, write_operator, write_subquery_suffix,
};

/// Longest expression that stays in one line, in bytes without the indentation: Prometheus' measure.
const LINE_MAX_BYTES: usize = 100;
const INDENT: &str = "  ";

/// The expression in as many lines as it needs.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    // A String takes everything.
    let _ = write_pretty(expr, 0, &mut out);
    out
}

fn write_pretty(expr: &Expr, level: usize, out: &mut String) -> fmt::Result {
    let indent = INDENT.repeat(level);
    if fits(expr) {
        return write!(out, "{indent}{expr}");
    }
    match &expr.kind {
        ExprKind::Aggregate(aggregate) => {
            out.push_str(&indent);
            write_aggregate_head(aggregate, out)?;
            let args = aggregate.param.iter().chain([&aggregate.expr]);
            write_arguments(args, level, out)
        }
        ExprKind::Call(call) => {
            write!(out, "{indent}{}", call.function.name)?;
            write_arguments(call.args.iter(), level, out)
        }
        ExprKind::Paren(inner) => {
            out.push_str(&indent);
            write_arguments([inner.as_ref()].into_iter(), level, out)
        }
        ExprKind::Binary(binary) => {
            match is_infinite_base(binary) {
                true => write!(out, "{indent}{INDENT}Inf")?,
                false => write_pretty(&binary.lhs, level + 1, out)?,
            }
            write!(out, "\n{indent}")?;
            write_operator(binary, out)?;
            out.push('\n');
            write_pretty(&binary.rhs, level + 1, out)
        }
        ExprKind::Subquery(subquery) => {
            write_pretty(&subquery.expr, level, out)?;
            write_subquery_suffix(subquery, out)
        }
        ExprKind::Unary(unary) => {
            let mut child = String::new();
            write_pretty(&unary.expr, level, &mut child)?;
            let sign = if unary.negative { '-' } else { '+' };
            write!(out, "{indent}{sign}{}", child.trim_start())
        }
        _ => write!(out, "{indent}{expr}"),
    }
}

/// `(`, an argument a line, `)`.
fn write_arguments<'e>(
    args: impl Iterator<Item = &'e Expr>,
    level: usize,
    out: &mut String,
) -> fmt::Result {
    for (index, arg) in args.enumerate() {
        out.push_str(if index == 0 { "(\n" } else { ",\n" });
        write_pretty(arg, level + 1, out)?;
    }
    write!(out, "\n{})", INDENT.repeat(level))
}

/// Looks at no more of the expression than a line of it.
fn fits(expr: &Expr) -> bool {
    struct Line(usize);
    impl Write for Line {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            if self.0 > LINE_MAX_BYTES { Err(fmt::Error) } else { Ok(()) }
        }
    }
    write!(Line(0), "{expr}").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parser::{ParseOptions, parse};

    fn lines(text: &str) -> Vec<String> {
        let expr = parse(text, &ParseOptions::all()).unwrap();
        pretty(&expr).lines().map(str::to_string).collect()
    }

    #[test]
    fn what_fits_stays_in_one_line() {
        assert_eq!(lines("sum(rate(x[5m]))   # why\nby(a)"), ["sum by (a) (rate(x[5m]))"]);
        let name = "x".repeat(LINE_MAX_BYTES);
        assert_eq!(lines(&name), [name.as_str()]);
        assert_eq!(lines(&format!("({name})")), ["(", &format!("  {name}"), ")"]);
    }

    #[test]
    fn what_is_too_long_is_broken_where_it_nests() {
        let (a, b) = ("a".repeat(60), "b".repeat(60));
        let text = format!(
            "topk by (j) (3, -(max_over_time(({a} / on (j) group_left () {b})[1h:] @ 5) > bool 2))"
        );
        let want = [
            "topk by (j) (",
            "  3,",
            "  -(",
            "      max_over_time(",
            "        (",
            &format!("            {a}"),
            "          / on (j) group_left ()",
            &format!("            {b}"),
            "        )[1h:] @ 5.000",
            "      )",
            "    > bool",
            "      2",
            "  )",
            ")",
        ];
        assert_eq!(lines(&text), want);
    }

    #[test]
    fn an_infinite_base_keeps_its_exponent() {
        let text = format!("Inf ^ scalar({})", "x".repeat(LINE_MAX_BYTES));
        assert_eq!(lines(&text)[..2], ["  Inf", "^"]);
    }
}
