//! The functions of one value: rounding, logarithms, trigonometry (Prometheus docs, "Query functions"). NaN, infinities
//! and signed zeros come out as in Go's package math, whose rules differ from Rust's for minima and maxima.

use super::MathFunction;

/// The arithmetic of a function of each value, by its name in PromQL.
///
/// `clamp` here presumes min <= max: the engine gives an empty vector otherwise (Prometheus docs, `clamp`).
pub fn math_function(name: &str) -> Option<MathFunction> {
    Some(match name {
        "abs" => |v, _| v.abs(),
        "ceil" => |v, _| v.ceil(),
        "floor" => |v, _| v.floor(),
        "exp" => |v, _| v.exp(),
        "ln" => |v, _| v.ln(),
        "log2" => |v, _| v.log2(),
        "log10" => |v, _| v.log10(),
        "sqrt" => |v, _| v.sqrt(),
        "sgn" => |v, _| sgn(v),
        "round" => |v, args| round(v, args.first().copied().unwrap_or(1.0)),
        "clamp" => |v, args| go_max(argument(args, 0), go_min(argument(args, 1), v)),
        "clamp_min" | "max_of" => |v, args| go_max(argument(args, 0), v),
        "clamp_max" | "min_of" => |v, args| go_min(argument(args, 0), v),
        "sin" => |v, _| v.sin(),
        "cos" => |v, _| v.cos(),
        "tan" => |v, _| v.tan(),
        "asin" => |v, _| v.asin(),
        "acos" => |v, _| v.acos(),
        "atan" => |v, _| v.atan(),
        "sinh" => |v, _| v.sinh(),
        "cosh" => |v, _| v.cosh(),
        "tanh" => |v, _| v.tanh(),
        "asinh" => |v, _| asinh(v),
        "acosh" => |v, _| acosh(v),
        "atanh" => |v, _| v.atanh(),
        "deg" => |v, _| v * 180.0 / std::f64::consts::PI,
        "rad" => |v, _| v * std::f64::consts::PI / 180.0,
        _ => return None,
    })
}

/// Above this the argument of the logarithm in `asinh` and `acosh` is 2x to the last digit, and 2x itself may overflow.
const LARGE: f64 = (1u64 << 28) as f64;

fn argument(args: &[f64], index: usize) -> f64 {
    args.get(index).copied().unwrap_or(f64::NAN)
}

/// -1, 0 or 1; zeros and NaN as they are.
fn sgn(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// To the nearest multiple of `to`, ties up.
fn round(value: f64, to: f64) -> f64 {
    // Dividing by the inverse is more accurate for the usual `to`, such as 0.1.
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}

fn asinh(value: f64) -> f64 {
    if value.abs() > LARGE && value.is_finite() {
        return (value.abs().ln() + std::f64::consts::LN_2).copysign(value);
    }
    value.asinh()
}

fn acosh(value: f64) -> f64 {
    if value > LARGE && value.is_finite() {
        return value.ln() + std::f64::consts::LN_2;
    }
    value.acosh()
}

/// The smaller of two: -Inf wins over NaN, NaN over everything else.
pub fn go_min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else if a < b {
        a
    } else {
        b
    }
}

/// The larger of two: +Inf wins over NaN, NaN over everything else.
pub fn go_max(a: f64, b: f64) -> f64 {
    -go_min(-a, -b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INF: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;

    fn of(name: &str, value: f64, args: &[f64]) -> f64 {
        math_function(name).unwrap()(value, args)
    }

    #[test]
    fn rounding_ties_go_up() {
        assert_eq!(of("round", 2.5, &[]), 3.0);
        assert_eq!(of("round", -2.5, &[]), -2.0);
        assert_eq!(of("round", -0.4, &[]), 0.0);
        assert_eq!(of("round", 0.05, &[0.1]), 0.1);
        assert_eq!(of("round", 17.0, &[5.0]), 15.0);
        assert!(of("round", NAN, &[]).is_nan());
        assert!(of("round", 1.0, &[0.0]).is_nan());
    }

    #[test]
    fn clamping_follows_go() {
        assert_eq!(of("clamp", 5.0, &[0.0, 3.0]), 3.0);
        assert_eq!(of("clamp", -5.0, &[0.0, 3.0]), 0.0);
        assert_eq!(of("clamp", 2.0, &[0.0, 3.0]), 2.0);
        assert!(of("clamp", 2.0, &[0.0, NAN]).is_nan());
        assert!(of("clamp", NAN, &[0.0, 3.0]).is_nan());
        assert_eq!(of("clamp_min", NAN, &[INF]), INF);
        assert_eq!(of("clamp_max", NAN, &[-INF]), -INF);
        assert!(of("clamp_min", NAN, &[1.0]).is_nan());
        assert!(of("clamp_min", -0.0, &[0.0]).is_sign_positive());
        assert!(of("clamp_max", 0.0, &[-0.0]).is_sign_negative());
        assert_eq!(of("min_of", 2.0, &[1.0]), 1.0);
        assert_eq!(of("max_of", 2.0, &[1.0]), 2.0);
    }

    #[test]
    fn signs() {
        assert_eq!(of("sgn", -0.1, &[]), -1.0);
        assert_eq!(of("sgn", INF, &[]), 1.0);
        assert!(of("sgn", -0.0, &[]).is_sign_negative());
        assert!(of("sgn", NAN, &[]).is_nan());
        assert_eq!(of("abs", -INF, &[]), INF);
    }

    #[test]
    fn logarithms_at_the_edges() {
        assert_eq!(of("ln", 0.0, &[]), -INF);
        assert!(of("ln", -1.0, &[]).is_nan());
        assert_eq!(of("log2", 8.0, &[]), 3.0);
        assert_eq!(of("log10", 1000.0, &[]), 3.0);
        assert_eq!(of("exp", -INF, &[]), 0.0);
        assert!(of("sqrt", -1.0, &[]).is_nan());
    }

    #[test]
    fn inverse_hyperbolics_do_not_overflow() {
        for name in ["asinh", "acosh"] {
            assert!((of(name, 1e308, &[]) - (1e308f64.ln() + 2f64.ln())).abs() < 1e-9);
            assert_eq!(of(name, INF, &[]), INF);
        }
        assert_eq!(of("asinh", -1e308, &[]), -of("asinh", 1e308, &[]));
        assert!(of("acosh", 0.5, &[]).is_nan());
        assert_eq!(of("atanh", 1.0, &[]), INF);
    }

    #[test]
    fn degrees() {
        assert_eq!(of("deg", std::f64::consts::PI, &[]), 180.0);
        assert_eq!(of("rad", 180.0, &[]), std::f64::consts::PI);
    }

    #[test]
    fn unknown_names_are_none() {
        assert!(math_function("rate").is_none());
    }

    proptest! {
        #[test]
        fn inverses(value in -20.0f64..20.0) {
            for (there, back) in [("sinh", "asinh"), ("deg", "rad"), ("exp", "ln")] {
                let got = of(back, of(there, value, &[]), &[]);
                prop_assert!((got - value).abs() < 1e-9, "{} {}", there, got);
            }
            let got = of("acosh", of("cosh", value, &[]), &[]);
            prop_assert!((got - value.abs()).abs() < 1e-6);
        }

        #[test]
        fn min_and_max_of_numbers(a in -1e9f64..1e9, b in -1e9f64..1e9) {
            prop_assert_eq!(go_min(a, b), a.min(b));
            prop_assert_eq!(go_max(a, b), a.max(b));
        }
    }
}
