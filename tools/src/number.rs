//! Numbers as `promtool` prints them: shortest digits that read back, with an exponent for very small and for large ones.

use std::fmt::Write as _;

/// Exponents outside of this range are written: Go's `%g`.
const PLAIN_EXPONENTS: std::ops::Range<i32> = -4..6;

/// Adds `value` to `out`.
pub fn put_shortest(out: &mut String, value: f64) {
    if !value.is_finite() {
        let special = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        return out.push_str(special);
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a string cannot fail.
    let _ = if PLAIN_EXPONENTS.contains(&exponent) {
        write!(out, "{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_promtool() {
        let cases = [
            (123456789.0, "1.23456789e+08"),
            (1e6, "1e+06"),
            (999999.0, "999999"),
            (123456.789, "123456.789"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (-0.0, "-0"),
            (1e300, "1e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expected) in cases {
            let mut out = String::new();
            put_shortest(&mut out, value);
            assert_eq!(out, expected);
        }
    }
}
