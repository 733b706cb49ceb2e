//! What a query cost, as `stats` of its answer: Prometheus' fields, and the bytes it held.

use std::time::Duration;

use super::json::{JsonWriter, WriteError};
use crate::promql::value::QueryStats;

/// What the parameter `stats` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsAsked {
    None,
    /// Everything but the samples of every step.
    Some,
    All,
}

impl StatsAsked {
    /// Any value asks for something.
    pub fn of(value: &str) -> StatsAsked {
        match value {
            "" => StatsAsked::None,
            "all" => StatsAsked::All,
            _ => StatsAsked::Some,
        }
    }
}

/// As an object; `queued` is how long the query waited for its turn.
pub fn write_stats(
    out: &mut JsonWriter,
    stats: &QueryStats,
    queued: Duration,
) -> Result<(), WriteError> {
    let times = stats.times;
    let inner = times.preparation + times.evaluation;
    let stages = [
        ("evalTotalTime", inner + times.sorting),
        ("resultSortTime", times.sorting),
        ("queryPreparationTime", times.preparation),
        ("innerEvalTime", times.evaluation),
        ("execQueueTime", queued),
        ("execTotalTime", queued + inner + times.sorting),
    ];
    out.raw("{\"timings\":{");
    for (index, (name, time)) in stages.into_iter().enumerate() {
        out.separator(index);
        out.raw(&format!("\"{name}\":{}", time.as_secs_f64()));
    }
    out.raw(&format!(
        "}},\"samples\":{{\"totalQueryableSamples\":{},\"samplesRead\":{},\"peakSamples\":{}",
        stats.samples_queryable, stats.samples_read, stats.samples_peak,
    ));
    if let Some(steps) = &stats.samples_per_step {
        out.raw(",\"totalQueryableSamplesPerStep\":[");
        for (index, (time, samples)) in steps.iter().enumerate() {
            out.separator(index);
            out.raw("[");
            out.timestamp(*time);
            out.raw(&format!(",{samples}]"));
            out.check()?;
        }
        out.raw("]");
    }
    out.raw(&format!("}},\"memory\":{{\"peakBytes\":{}}}}}", stats.peak_bytes));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::value::StageTimes;
    use http_body_util::BodyExt;
    use serde_json::json;

    async fn written(stats: QueryStats) -> serde_json::Value {
        let mut out = JsonWriter::new(1 << 20);
        out.begin_success();
        write_stats(&mut out, &stats, Duration::from_secs(8)).unwrap();
        let body = out.end_success(&[], &[]).unwrap().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["data"].take()
    }

    #[tokio::test]
    async fn stages_add_up() {
        let [preparation, evaluation, sorting] = [1, 2, 4].map(Duration::from_secs);
        let times = StageTimes { preparation, evaluation, sorting };
        let stats = written(QueryStats { times, ..QueryStats::default() }).await;
        assert_eq!(
            stats["timings"],
            json!({"evalTotalTime": 7, "resultSortTime": 4, "queryPreparationTime": 1,
                   "innerEvalTime": 2, "execQueueTime": 8, "execTotalTime": 15})
        );
    }

    #[tokio::test]
    async fn samples_of_every_step_are_there_if_they_were_counted() {
        let counted = QueryStats {
            samples_queryable: 7,
            samples_read: 5,
            samples_peak: 3,
            peak_bytes: 99,
            samples_per_step: Some(vec![(10_500, 3), (11_000, 4)]),
            times: StageTimes::default(),
        };
        let stats = written(counted.clone()).await;
        assert_eq!(
            stats["samples"],
            json!({"totalQueryableSamples": 7, "samplesRead": 5, "peakSamples": 3,
                   "totalQueryableSamplesPerStep": [[10.5, 3], [11, 4]]})
        );
        assert_eq!(stats["memory"], json!({"peakBytes": 99}));
        let stats = written(QueryStats { samples_per_step: None, ..counted }).await;
        assert!(stats["samples"].get("totalQueryableSamplesPerStep").is_none());
    }
}
