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
