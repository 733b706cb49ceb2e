//! The classes of queries that are measured, and what each must reach.

use super::data::{self, Extent};

/// When a query is evaluated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Once, behind the last sample.
    Instant,
    /// Every 15 s of so many minutes up to there.
    Range { minutes: i64 },
}

/// What of the answers must be the same. VictoriaMetrics' rate takes the sample before the window instead of extrapolating.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// Series and values of all, the name of the metric aside, which VictoriaMetrics' functions over ranges keep.
    Values,
    /// Series and values of Prometheus, and the number of series of VictoriaMetrics.
    Rates,
    /// The values of Prometheus at each time: which of several series with equal values is taken is not defined.
    RankedRates,
}

/// One class.
pub struct Class {
    pub query: String,
    pub at: At,
    /// Series the query reads.
    pub series: usize,
    pub agreement: Agreement,
}

/// Above so many series more is asked.
const MANY_SERIES: usize = 10_000;
/// How many times faster than the faster peer above that.
const SPEEDUP_MANY: f64 = 3.0;
/// The part of the faster peer's time that may be taken otherwise.
const TIME_SHARE_FEW: f64 = 1.05;

impl Class {
    /// The least that the faster peer's time divided by Silverback's must be.
    pub fn speedup_required(&self) -> f64 {
        if self.series > MANY_SERIES { SPEEDUP_MANY } else { 1.0 / TIME_SHARE_FEW }
    }

    pub fn name(&self) -> String {
        match self.at {
            At::Instant => self.query.clone(),
            At::Range { minutes } => format!("{} over {} h", self.query, minutes / 60),
        }
    }
}

const INSTANT: At = At::Instant;
const HOUR: At = At::Range { minutes: 60 };
const TWO_HOURS: At = At::Range { minutes: 120 };

/// `sum by (job) (rate(m[5m]))` over an hour of all counters: the query whose memory is measured.
pub fn rate_of_all(extent: &Extent) -> Class {
    rate("", HOUR, extent.targets * data::COUNTERS)
}

/// A point query.
pub fn one_series(extent: &Extent) -> Class {
    let instance = data::instance(extent.targets / 2);
    let query =
        format!("m{{instance=\"{instance}\",handler=\"/api/v1/resource-3\",status=\"200\"}}");
    Class { query, at: At::Instant, series: 1, agreement: Agreement::Values }
}

fn rate(matchers: &str, at: At, series: usize) -> Class {
    let query = format!("sum by (job) (rate(m{matchers}[5m]))");
    Class { query, at, series, agreement: Agreement::Rates }
}

/// All classes over data of this extent.
pub fn classes(extent: &Extent) -> Vec<Class> {
    let mut classes = Vec::new();
    for at in [HOUR, TWO_HOURS] {
        let targets = extent.targets;
        classes.push(rate("{tier=\"s\"}", at, targets));
        classes.push(rate("{tier=\"m\"}", at, targets * data::TIER_M));
        classes.push(rate("", at, targets * data::COUNTERS));
    }
    classes.push(one_series(extent));
    classes.extend(others(extent));
    classes
}

fn others(extent: &Extent) -> Vec<Class> {
    use Agreement::{RankedRates, Rates, Values};
    let targets = extent.targets;
    let (s, m, all) = (targets, targets * data::TIER_M, targets * data::COUNTERS);
    let gauges = targets * data::GAUGES;
    let buckets = targets * data::HISTOGRAMS * data::BOUNDS.len();
    let joined = "a * on (instance, job) group_left (version) build_info";
    let table = [
        ("m{tier=\"m\"}", INSTANT, m, Values),
        ("m{pod=~\"app-.*1\"}", INSTANT, extent.pods_with_one(), Values),
        ("count({__name__=~\".+\"})", INSTANT, extent.series(), Values),
        ("count({__name__=~\".+\"})", HOUR, extent.series(), Values),
        ("histogram_quantile(0.99, sum by (le, job) (rate(x_bucket[5m])))", HOUR, buckets, Rates),
        ("max_over_time(m{tier=\"s\"}[1h])", HOUR, s, Values),
        ("max by (job) (max_over_time(m{tier=\"m\"}[1h]))", HOUR, m, Values),
        ("max by (job) (max_over_time(m[1h]))", HOUR, all, Values),
        ("max by (job) (quantile_over_time(0.9, m{tier=\"m\"}[10m]))", HOUR, m, Values),
        ("topk(10, rate(m[5m]))", HOUR, all, RankedRates),
        ("a / b", INSTANT, 2 * gauges, Values),
        ("sum by (job) (a / b)", HOUR, 2 * gauges, Values),
        (joined, INSTANT, gauges + targets, Values),
        (&format!("sum by (version) ({joined})"), HOUR, gauges + targets, Values),
        ("max_over_time(sum by (job) (rate(m[5m]))[30m:1m])", HOUR, all, Rates),
    ];
    let class = |(query, at, series, agreement): (&str, At, usize, Agreement)| Class {
        query: query.to_string(),
        at,
        series,
        agreement,
    };
    table.map(class).into()
}
