//! `query` and `query_range`: parameters to an evaluation in one of the `slots`, its result to JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use super::active::Asked;
use super::error::ApiError;
use super::json::{JsonBody, JsonWriter, WriteError};
use super::params::Params;
use super::slots::in_slot;
use super::stats::{StatsAsked, write_stats};
use super::{Api, now};
use crate::promql::engine::{Limits, Steps, When};
use crate::promql::value::{Answer, Element, MatrixSeries, Value, VectorElement};

/// Points of one series in an answer, first one not counted: as in Prometheus, so that dashboards ask for the same steps.
const STEPS_MAX: i64 = 11_000;
/// What Prometheus says when `limit` cut an answer.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// What of the request shapes the answer.
struct Shape {
    limit: Option<usize>,
    stats: StatsAsked,
}

pub async fn instant(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let when = When::At(params.time_or("time", now())?);
    answer(api, params, "query", when).await
}

pub async fn range(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let when = When::Over(steps(&params)?);
    answer(api, params, "query_range", when).await
}

/// `start`, `end` and `step`, all required.
pub(super) fn steps(params: &Params) -> Result<Steps, ApiError> {
    let (start, end) = (params.time("start")?, params.time("end")?);
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = params.duration_ms("step")?;
    check_steps(start, end, step_ms)?;
    Ok(Steps { start, end, step_ms })
}

fn check_steps(start: i64, end: i64, step_ms: i64) -> Result<(), ApiError> {
    if step_ms <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. \
                   Try a positive integer";
        return Err(ApiError::parameter("step", why));
    }
    let steps = end.saturating_sub(start) / step_ms;
    if steps > STEPS_MAX {
        let why = "exceeded maximum resolution of 11,000 points per timeseries. \
                   Try decreasing the query resolution (?step=XX)";
        return Err(ApiError::bad_data(why));
    }
    Ok(())
}

async fn answer(
    api: Arc<Api>,
    params: Params,
    endpoint: &'static str,
    when: When,
) -> Result<Response, ApiError> {
    let asked = asked(&api, &params, endpoint)?;
    let text = asked.text.clone();
    let lookback_delta_ms = lookback_delta_ms(&params)?;
    let shape = Shape { limit: params.limit()?, stats: StatsAsked::of(params.get("stats")) };
    in_slot(api, asked, move |api, limits, queued| {
        let step_stats = shape.stats == StatsAsked::All;
        let limits = Limits { lookback_delta_ms, step_stats, ..limits.clone() };
        let view = api.db()?.view();
        let answer = match when {
            When::At(time) => api.engine.instant(&view, &text, time, &limits)?,
            When::Over(Steps { start, end, step_ms }) => {
                api.engine.range(&view, &text, start, end, step_ms, &limits)?
            }
        };
        api.metrics.samples_queried.inc_by(answer.stats.samples_queryable);
        let out = JsonWriter::new(api.options.response_max_bytes).until(&limits.canceled);
        Ok(write_answer(out, answer, &shape, queued)?)
    })
    .await
}

/// A query as the list of active ones shows it.
pub(super) fn asked(api: &Api, params: &Params, endpoint: &'static str) -> Result<Asked, ApiError> {
    let (text, client) = (params.get("query").to_string(), params.client);
    Ok(Asked { endpoint, text, client, timeout: timeout(api, params)? })
}

/// The lookback that a request asks for.
pub(super) fn lookback_delta_ms(params: &Params) -> Result<Option<i64>, ApiError> {
    Ok(params.duration_ms_opt("lookback_delta")?.filter(|ms| *ms > 0))
}

/// The smaller of `timeout` and the flag.
pub(super) fn timeout(api: &Api, params: &Params) -> Result<Duration, ApiError> {
    let asked = params.duration_ms_opt("timeout")?;
    let asked = asked.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    Ok(asked.map_or(api.options.query_timeout, |asked| asked.min(api.options.query_timeout)))
}

fn write_answer(
    mut out: JsonWriter,
    mut answer: Answer,
    shape: &Shape,
    queued: Duration,
) -> Result<JsonBody, WriteError> {
    if truncate(&mut answer.value, shape.limit) {
        answer.warnings.push(TRUNCATED.to_string());
    }
    out.begin_success();
    out.raw("{\"resultType\":\"");
    out.raw(result_type(&answer.value));
    out.raw("\",\"result\":");
    write_value(&mut out, &answer.value)?;
    if shape.stats != StatsAsked::None {
        out.raw(",\"stats\":");
        write_stats(&mut out, &answer.stats, queued)?;
    }
    out.raw("}");
    out.end_success(&answer.warnings, &answer.infos)
}

/// Cuts vectors and matrices to `limit` elements; was there more?
fn truncate(value: &mut Value, limit: Option<usize>) -> bool {
    let Some(limit) = limit else { return false };
    let before = match value {
        Value::Vector(elements) => elements.len(),
        Value::Matrix(series) => series.len(),
        Value::Scalar { .. } | Value::String { .. } => 0,
    };
    match value {
        Value::Vector(elements) => elements.truncate(limit),
        Value::Matrix(series) => series.truncate(limit),
        Value::Scalar { .. } | Value::String { .. } => {}
    }
    before > limit
}

fn result_type(value: &Value) -> &'static str {
    match value {
        Value::Scalar { .. } => "scalar",
        Value::String { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    }
}

fn write_value(out: &mut JsonWriter, value: &Value) -> Result<(), WriteError> {
    match value {
        Value::Scalar { timestamp, value } => out.point(*timestamp, *value),
        Value::String { timestamp, value } => {
            out.raw("[");
            out.timestamp(*timestamp);
            out.raw(",");
            out.string(value);
            out.raw("]");
        }
        Value::Vector(elements) => write_vector(out, elements)?,
        Value::Matrix(series) => write_matrix(out, series)?,
    }
    Ok(())
}

fn write_vector(out: &mut JsonWriter, elements: &[VectorElement]) -> Result<(), WriteError> {
    out.raw("[");
    for (index, element) in elements.iter().enumerate() {
        out.separator(index);
        out.raw("{\"metric\":");
        out.labels(&element.labels);
        match &element.value {
            Element::Float(value) => {
                out.raw(",\"value\":");
                out.point(element.timestamp, *value);
            }
            Element::Histogram(histogram) => {
                out.raw(",\"histogram\":");
                out.histogram_point(element.timestamp, histogram);
            }
        }
        out.raw("}");
        out.check()?;
    }
    out.raw("]");
    Ok(())
}

fn write_matrix(out: &mut JsonWriter, all: &[MatrixSeries]) -> Result<(), WriteError> {
    out.raw("[");
    for (index, series) in all.iter().enumerate() {
        out.separator(index);
        out.raw("{\"metric\":");
        out.labels(&series.labels);
        let points = &series.points;
        if !points.floats.is_empty() || points.histograms.is_empty() {
            out.raw(",\"values\":[");
            let floats = points.timestamps.iter().zip(&points.floats);
            for (index, (timestamp, value)) in floats.enumerate() {
                out.separator(index);
                out.point(*timestamp, *value);
                out.check()?;
            }
            out.raw("]");
        }
        if !points.histograms.is_empty() {
            out.raw(",\"histograms\":[");
            for (index, sample) in points.histograms.iter().enumerate() {
                out.separator(index);
                out.histogram_point(sample.timestamp, &sample.histogram);
                out.check()?;
            }
            out.raw("]");
        }
        out.raw("}");
    }
    out.raw("]");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Histogram, Labels};
    use crate::promql::value::QueryStats;
    use crate::read::{Columns, HistogramSample};
    use http_body_util::BodyExt;

    async fn text(value: Value, limit: Option<usize>, stats: bool) -> String {
        let stats_of = QueryStats { samples_queryable: 7, ..QueryStats::default() };
        let answer = Answer { value, warnings: vec![], infos: vec![], stats: stats_of };
        let stats = if stats { StatsAsked::Some } else { StatsAsked::None };
        let (out, shape) = (JsonWriter::new(1 << 20), Shape { limit, stats });
        let body = write_answer(out, answer, &shape, Duration::ZERO).unwrap();
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn every_kind_of_value_has_its_shape() {
        let scalar = Value::Scalar { timestamp: 10_500, value: 1.0 };
        assert_eq!(
            text(scalar, None, false).await,
            r#"{"status":"success","data":{"resultType":"scalar","result":[10.500,"1"]}}"#
        );
        let string = Value::String { timestamp: 0, value: "a\"b".to_string() };
        assert!(text(string, None, false).await.contains(r#""string","result":[0,"a\"b"]"#));
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "<x>")]);
        let points = Columns {
            timestamps: vec![1, 1000],
            floats: vec![f64::NAN, 2.5],
            ..Columns::default()
        };
        let matrix = Value::Matrix(vec![MatrixSeries { labels: labels.clone(), points }]);
        assert!(text(matrix, None, false).await.ends_with(
            r#""result":[{"metric":{"__name__":"up","job":"\u003cx\u003e"},"values":[[0.001,"NaN"],[1,"2.5"]]}]}}"#
        ));
        assert!(text(Value::Vector(vec![]), None, false).await.contains(r#""vector","result":[]"#));
        let histogram = Arc::new(Histogram { count: 2.0, sum: 3.5, ..Histogram::default() });
        let value = Element::Histogram(histogram.clone());
        let element = VectorElement { labels: Labels::empty(), timestamp: 1_000, value };
        assert!(
            text(Value::Vector(vec![element]), None, false)
                .await
                .contains(r#"[{"metric":{},"histogram":[1,{"count":"2","sum":"3.5"}]}]"#)
        );
        let mut points = Columns::default();
        points.histograms.push(HistogramSample { timestamp: 2_000, start: 0, histogram });
        let mixed = |points| Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), points }]);
        assert!(
            text(mixed(points.clone()), None, false)
                .await
                .contains(r#"[{"metric":{},"histograms":[[2,{"count":"2","sum":"3.5"}]]}]"#)
        );
        points.push(1_000, 1.0);
        assert!(text(mixed(points), None, false).await.contains(
            r#"[{"metric":{},"values":[[1,"1"]],"histograms":[[2,{"count":"2","sum":"3.5"}]]}]"#
        ));
    }

    #[tokio::test]
    async fn a_limit_cuts_and_says_so() {
        let element =
            VectorElement { labels: Labels::empty(), timestamp: 0, value: Element::Float(1.0) };
        let both = Value::Vector(vec![element.clone(), element]);
        let cut = text(both.clone(), Some(1), false).await;
        assert!(cut.contains(r#""result":[{"metric":{},"value":[0,"1"]}]}"#), "{cut}");
        assert!(cut.ends_with(r#","warnings":["results truncated due to limit"]}"#));
        assert!(!text(both, Some(2), false).await.contains("warnings"));
    }

    #[tokio::test]
    async fn stats_are_there_when_asked_for() {
        let json = text(Value::Vector(vec![]), None, true).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let samples = &json["data"]["stats"]["samples"];
        assert_eq!(samples["totalQueryableSamples"], 7);
        assert!(json["data"]["stats"]["timings"]["execTotalTime"].is_number());
    }

    #[test]
    fn eleven_thousand_steps_and_no_more() {
        assert!(check_steps(0, 11_000_999, 1000).is_ok());
        assert!(check_steps(0, 11_001_000, 1000).is_err());
        assert!(check_steps(i64::MIN, i64::MAX, 1).is_err());
        for step in [0, -1] {
            assert!(check_steps(0, 1, step).unwrap_err().message.contains("zero or negative"));
        }
    }
}
