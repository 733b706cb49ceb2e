//! Every function of PromQL 3.14 with its signature, in alphabetical order. The parser resolves names here and the
//! checker reads the types; what the functions compute is in the files beside.

use super::{Context, Signature, Variadic};
use crate::promql::ast::ValueType::{self, Matrix, Scalar, String, Vector};

/// Most quantiles one call of `histogram_quantiles` may ask for, as in Prometheus.
const HISTOGRAM_QUANTILES_MAX: usize = 10;

/// The function called `name` (names are case-sensitive), experimental ones included.
pub fn signature(name: &str) -> Option<&'static Signature> {
    let index = SIGNATURES.binary_search_by(|signature| signature.name.cmp(name)).ok()?;
    SIGNATURES.get(index)
}

/// All functions, sorted by name.
pub fn signatures() -> &'static [Signature] {
    SIGNATURES
}

const fn vector(name: &'static str, args: &'static [ValueType]) -> Signature {
    Signature {
        name,
        args,
        variadic: Variadic::No,
        returns: Vector,
        experimental: false,
        context: Context::Nothing,
    }
}

const fn scalar(name: &'static str, args: &'static [ValueType]) -> Signature {
    Signature { returns: Scalar, ..vector(name, args) }
}

impl Signature {
    const fn experimental(self) -> Signature {
        Signature { experimental: true, ..self }
    }

    const fn of(self, context: Context) -> Signature {
        Signature { context, ..self }
    }

    const fn optional(self, count: usize) -> Signature {
        Signature { variadic: Variadic::Optional(count), ..self }
    }

    const fn repeated(self, max: Option<usize>) -> Signature {
        Signature { variadic: Variadic::Repeated { max }, ..self }
    }
}

static SIGNATURES: &[Signature] = &[
    vector("abs", &[Vector]),
    vector("absent", &[Vector]),
    vector("absent_over_time", &[Matrix]),
    vector("acos", &[Vector]),
    vector("acosh", &[Vector]),
    vector("asin", &[Vector]),
    vector("asinh", &[Vector]),
    vector("atan", &[Vector]),
    vector("atanh", &[Vector]),
    vector("avg_over_time", &[Matrix]),
    vector("ceil", &[Vector]),
    vector("changes", &[Matrix]),
    vector("clamp", &[Vector, Scalar, Scalar]),
    vector("clamp_max", &[Vector, Scalar]),
    vector("clamp_min", &[Vector, Scalar]),
    vector("cos", &[Vector]),
    vector("cosh", &[Vector]),
    vector("count_over_time", &[Matrix]),
    vector("day_of_month", &[Vector]).optional(1).of(Context::Step),
    vector("day_of_week", &[Vector]).optional(1).of(Context::Step),
    vector("day_of_year", &[Vector]).optional(1).of(Context::Step),
    vector("days_in_month", &[Vector]).optional(1).of(Context::Step),
    vector("deg", &[Vector]),
    vector("delta", &[Matrix]),
    vector("deriv", &[Matrix]),
    vector("double_exponential_smoothing", &[Matrix, Scalar, Scalar]).experimental(),
    scalar("end", &[]).experimental().of(Context::Query),
    vector("exp", &[Vector]),
    vector("first_over_time", &[Matrix]),
    vector("floor", &[Vector]),
    vector("histogram_avg", &[Vector]),
    vector("histogram_count", &[Vector]),
    vector("histogram_fraction", &[Scalar, Scalar, Vector]),
    vector("histogram_quantile", &[Scalar, Vector]),
    vector("histogram_quantiles", &[Vector, String, Scalar, Scalar])
        .repeated(Some(2 + HISTOGRAM_QUANTILES_MAX))
        .experimental(),
    vector("histogram_stddev", &[Vector]),
    vector("histogram_stdvar", &[Vector]),
    vector("histogram_sum", &[Vector]),
    vector("hour", &[Vector]).optional(1).of(Context::Step),
    vector("idelta", &[Matrix]),
    vector("increase", &[Matrix]),
    vector("info", &[Vector, Vector]).optional(1).experimental(),
    vector("irate", &[Matrix]),
    vector("label_join", &[Vector, String, String, String]).repeated(None),
    vector("label_replace", &[Vector, String, String, String, String]),
    vector("last_over_time", &[Matrix]),
    vector("ln", &[Vector]),
    vector("log10", &[Vector]),
    vector("log2", &[Vector]),
    vector("mad_over_time", &[Matrix]).experimental(),
    scalar("max_of", &[Scalar, Scalar]).experimental(),
    vector("max_over_time", &[Matrix]),
    scalar("min_of", &[Scalar, Scalar]).experimental(),
    vector("min_over_time", &[Matrix]),
    vector("minute", &[Vector]).optional(1).of(Context::Step),
    vector("month", &[Vector]).optional(1).of(Context::Step),
    scalar("pi", &[]),
    vector("predict_linear", &[Matrix, Scalar]).of(Context::Step),
    vector("present_over_time", &[Matrix]),
    vector("quantile_over_time", &[Scalar, Matrix]),
    vector("rad", &[Vector]),
    scalar("range", &[]).experimental().of(Context::Query),
    vector("rate", &[Matrix]),
    vector("resets", &[Matrix]),
    vector("round", &[Vector, Scalar]).optional(1),
    scalar("scalar", &[Vector]),
    vector("sgn", &[Vector]),
    vector("sin", &[Vector]),
    vector("sinh", &[Vector]),
    vector("sort", &[Vector]),
    vector("sort_by_label", &[Vector, String]).repeated(None).experimental(),
    vector("sort_by_label_desc", &[Vector, String]).repeated(None).experimental(),
    vector("sort_desc", &[Vector]),
    vector("sqrt", &[Vector]),
    scalar("start", &[]).experimental().of(Context::Query),
    vector("start_timestamp", &[Vector]).experimental(),
    vector("stddev_over_time", &[Matrix]),
    vector("stdvar_over_time", &[Matrix]),
    scalar("step", &[]).experimental().of(Context::Query),
    vector("sum_over_time", &[Matrix]),
    vector("tan", &[Vector]),
    vector("tanh", &[Vector]),
    scalar("time", &[]).of(Context::Step),
    vector("timestamp", &[Vector]).of(Context::Step),
    vector("ts_of_first_over_time", &[Matrix]).experimental(),
    vector("ts_of_last_over_time", &[Matrix]).experimental(),
    vector("ts_of_max_over_time", &[Matrix]).experimental(),
    vector("ts_of_min_over_time", &[Matrix]).experimental(),
    vector("vector", &[Scalar]),
    vector("year", &[Vector]).optional(1).of(Context::Step),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found() {
        assert!(SIGNATURES.is_sorted_by(|a, b| a.name < b.name));
        for entry in SIGNATURES {
            assert_eq!(signature(entry.name), Some(entry));
        }
        assert_eq!(signature("holt_winters"), None);
        assert_eq!(signature("Rate"), None);
    }
}
