//! From the name of a function to its arithmetic, for the functions that are arithmetic of one window or one value.
//! The others (of labels, of whole vectors, of time) are the engine's.

use super::{RangeFunction, over_time, rate, regression};

/// The function of a window by this name, if there is one.
pub fn range_function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "rate" => rate::rate,
        "increase" => rate::increase,
        "delta" => rate::delta,
        "irate" => rate::irate,
        "idelta" => rate::idelta,
        "changes" => rate::changes,
        "resets" => rate::resets,
        "avg_over_time" => over_time::avg_over_time,
        "sum_over_time" => over_time::sum_over_time,
        "min_over_time" => over_time::min_over_time,
        "max_over_time" => over_time::max_over_time,
        "count_over_time" => over_time::count_over_time,
        "present_over_time" => over_time::present_over_time,
        "first_over_time" => over_time::first_over_time,
        "last_over_time" => over_time::last_over_time,
        "stddev_over_time" => over_time::stddev_over_time,
        "stdvar_over_time" => over_time::stdvar_over_time,
        "quantile_over_time" => over_time::quantile_over_time,
        "mad_over_time" => over_time::mad_over_time,
        "ts_of_first_over_time" => over_time::ts_of_first_over_time,
        "ts_of_last_over_time" => over_time::ts_of_last_over_time,
        "ts_of_min_over_time" => over_time::ts_of_min_over_time,
        "ts_of_max_over_time" => over_time::ts_of_max_over_time,
        "double_exponential_smoothing" => over_time::double_exponential_smoothing,
        "deriv" => regression::deriv,
        "predict_linear" => regression::predict_linear,
        _ => return None,
    })
}

/// Are the values of the scalar arguments of a range function allowed? To be asked at every step.
///
/// # Errors
/// They are not; the text is the query's error, in Prometheus' words.
pub fn check_arguments(name: &str, args: &[f64]) -> Result<(), String> {
    if name != "double_exponential_smoothing" {
        return Ok(());
    }
    for (value, what, symbol) in [(args.first(), "smoothing", "sf"), (args.get(1), "trend", "tf")] {
        let value = value.copied().unwrap_or(f64::NAN);
        if !over_time::is_factor(value) {
            return Err(format!(
                "invalid {what} factor. Expected: 0 < {symbol} < 1, got: {value:.6}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_factors_are_within_zero_and_one() {
        let check = |args: &[f64]| check_arguments("double_exponential_smoothing", args);
        assert_eq!(check(&[0.5, 0.1]), Ok(()));
        let error = check(&[1.0, 0.1]).unwrap_err();
        assert_eq!(error, "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000");
        assert!(check(&[0.5, 0.0]).unwrap_err().starts_with("invalid trend factor"));
        assert_eq!(check_arguments("rate", &[]), Ok(()));
    }
}
