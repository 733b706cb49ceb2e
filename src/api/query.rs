//! `query` and `query_range`: parameters to an evaluation on a thread of its own, its result to JSON. A query waits for one of
//! a limited number of slots, ends at its deadline, and is canceled when the client goes away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::{ApiError, ErrorType};
use super::json::{JsonBody, JsonWriter, TooLarge};
use super::params::Params;
use super::{Api, now};
use crate::promql::engine::Limits;
use crate::promql::value::{Answer, Element, MatrixSeries, QueryStats, Value, VectorElement};
use crate::sync::{AtomicBool, Ordering};

/// Points of one series in an answer, first one not counted: as in Prometheus, so that dashboards ask for the same steps.
const STEPS_MAX: i64 = 11_000;
/// What Prometheus says when `limit` cut an answer.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// Times of the stages of a query, for `stats`.
#[derive(Debug, Clone, Copy)]
struct Timings {
    queued: Duration,
    evaluated: Duration,
}

/// What of the request shapes the answer.
struct Shape {
    limit: Option<usize>,
    stats: bool,
}

pub async fn instant(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let time = params.time_or("time", now())?;
    let request = Request::from_params(&api, &params)?;
    let text = params.get("query").to_string();
    request
        .run(api, move |api, limits| {
            let view = api.db()?.view();
            Ok(api.engine.instant(&view, &text, time, limits)?)
        })
        .await
}

pub async fn range(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let (start, end) = (params.time("start")?, params.time("end")?);
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = params.duration_ms("step")?;
    check_steps(start, end, step_ms)?;
    let request = Request::from_params(&api, &params)?;
    let text = params.get("query").to_string();
    request
        .run(api, move |api, limits| {
            let view = api.db()?.view();
            Ok(api.engine.range(&view, &text, start, end, step_ms, limits)?)
        })
        .await
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

/// What both kinds of query have in common.
struct Request {
    timeout: Duration,
    lookback_delta_ms: Option<i64>,
    shape: Shape,
}

impl Request {
    fn from_params(api: &Api, params: &Params) -> Result<Request, ApiError> {
        Ok(Request {
            timeout: timeout(api, params)?,
            lookback_delta_ms: params.duration_ms_opt("lookback_delta")?.filter(|ms| *ms > 0),
            shape: Shape { limit: params.limit()?, stats: !params.get("stats").is_empty() },
        })
    }

    async fn run(
        self,
        api: Arc<Api>,
        evaluate: impl FnOnce(&Api, &Limits) -> Result<Answer, ApiError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let (limit_bytes, shape) = (api.options.response_max_bytes, self.shape);
        let lookback_delta_ms = self.lookback_delta_ms;
        in_slot(api, self.timeout, move |api, limits, queued| {
            let begun = Instant::now();
            let answer = evaluate(api, &Limits { lookback_delta_ms, ..limits.clone() })?;
            api.metrics.samples_queried.inc_by(answer.stats.samples_queryable);
            let timings = Timings { queued, evaluated: begun.elapsed() };
            Ok(write_answer(answer, &shape, timings, limit_bytes)?)
        })
        .await
    }
}

/// The smaller of `timeout` and the flag.
pub(super) fn timeout(api: &Api, params: &Params) -> Result<Duration, ApiError> {
    let asked = params.duration_ms_opt("timeout")?;
    let asked = asked.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    Ok(asked.map_or(api.options.query_timeout, |asked| asked.min(api.options.query_timeout)))
}

/// Sets the flag of a query when the future that waits for it is dropped, which is what happens when the client leaves.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` on a blocking thread once there is a slot. The slot stays taken until the thread is done, also when
/// nobody waits any more, so that canceled queries count while they still cost.
pub(super) async fn in_slot(
    api: Arc<Api>,
    timeout: Duration,
    work: impl FnOnce(&Api, &Limits, Duration) -> Result<JsonBody, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let arrived = Instant::now();
    let canceled = Arc::new(AtomicBool::new(false));
    let _guard = CancelOnDrop(canceled.clone());
    let slot = tokio::time::timeout(timeout, api.query_slots.clone().acquire_owned()).await;
    let Ok(Ok(slot)) = slot else {
        api.metrics.queries_turned_away.inc();
        return Err(ApiError::new(ErrorType::Timeout, "query timed out in query queue"));
    };
    let queued = arrived.elapsed();
    let limits = Limits { deadline: Some(arrived + timeout), canceled, lookback_delta_ms: None };
    let done = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        let _running = api.metrics.query_running();
        work(&api, &limits, queued)
    });
    match done.await {
        Ok(body) => {
            let headers = [(header::CONTENT_TYPE, "application/json")];
            Ok((headers, axum::body::Body::new(body?)).into_response())
        }
        Err(stopped) => {
            tracing::error!(error = %stopped, "a query stopped without an answer");
            Err(ApiError::new(ErrorType::Internal, "the query stopped without an answer"))
        }
    }
}

fn write_answer(
    mut answer: Answer,
    shape: &Shape,
    timings: Timings,
    limit_bytes: usize,
) -> Result<JsonBody, TooLarge> {
    if truncate(&mut answer.value, shape.limit) {
        answer.warnings.push(TRUNCATED.to_string());
    }
    let mut out = JsonWriter::new(limit_bytes);
    out.begin_success();
    out.raw("{\"resultType\":\"");
    out.raw(result_type(&answer.value));
    out.raw("\",\"result\":");
    write_value(&mut out, &answer.value)?;
    if shape.stats {
        write_stats(&mut out, &answer.stats, timings);
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

fn write_value(out: &mut JsonWriter, value: &Value) -> Result<(), TooLarge> {
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

fn write_vector(out: &mut JsonWriter, elements: &[VectorElement]) -> Result<(), TooLarge> {
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
            Element::Histogram(_) => {}
        }
        out.raw("}");
        out.check()?;
    }
    out.raw("]");
    Ok(())
}

fn write_matrix(out: &mut JsonWriter, all: &[MatrixSeries]) -> Result<(), TooLarge> {
    out.raw("[");
    for (index, series) in all.iter().enumerate() {
        out.separator(index);
        out.raw("{\"metric\":");
        out.labels(&series.labels);
        out.raw(",\"values\":[");
        let points = series.points.timestamps.iter().zip(&series.points.floats);
        for (index, (timestamp, value)) in points.enumerate() {
            out.separator(index);
            out.point(*timestamp, *value);
            out.check()?;
        }
        out.raw("]}");
    }
    out.raw("]");
    Ok(())
}

fn write_stats(out: &mut JsonWriter, stats: &QueryStats, timings: Timings) {
    let (queued, evaluated) = (timings.queued.as_secs_f64(), timings.evaluated.as_secs_f64());
    out.raw(&format!(
        ",\"stats\":{{\"timings\":{{\"evalTotalTime\":{evaluated},\"resultSortTime\":0,\
         \"queryPreparationTime\":0,\"innerEvalTime\":{evaluated},\"execQueueTime\":{queued},\
         \"execTotalTime\":{}}},\"samples\":{{\"totalQueryableSamples\":{},\"samplesRead\":{},\
         \"peakSamples\":{}}}}}",
        queued + evaluated,
        stats.samples_queryable,
        stats.samples_read,
        stats.samples_peak,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApiOptions;
    use crate::model::Labels;
    use crate::read::Columns;
    use http_body_util::BodyExt;

    const TIMINGS: Timings = Timings { queued: Duration::ZERO, evaluated: Duration::ZERO };

    async fn text(value: Value, limit: Option<usize>, stats: bool) -> String {
        let stats_of = QueryStats { samples_queryable: 7, samples_read: 5, samples_peak: 3 };
        let answer = Answer { value, warnings: vec![], infos: vec![], stats: stats_of };
        let body = write_answer(answer, &Shape { limit, stats }, TIMINGS, 1 << 20).unwrap();
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

    /// Waits until `count` queries run.
    async fn running(api: &Api, count: i64) {
        while api.metrics.queries_running.get() != count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn empty() -> JsonBody {
        let mut out = JsonWriter::new(100);
        out.begin_success();
        out.raw("[]");
        out.end_success(&[], &[]).unwrap()
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_cancels_its_query_and_frees_the_slot() {
        let options = ApiOptions { query_concurrency_max: 1, ..ApiOptions::default() };
        let api = Api::new(options);
        let minute = Duration::from_secs(60);
        let request = tokio::spawn(in_slot(api.clone(), minute, |_, limits, _| {
            while !limits.canceled.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            Ok(empty())
        }));
        running(&api, 1).await;
        request.abort();
        running(&api, 0).await;
        assert!(in_slot(api, minute, |_, _, _| Ok(empty())).await.is_ok());
    }

    #[tokio::test]
    async fn a_query_that_panics_is_an_internal_error_and_frees_its_slot() {
        let options = ApiOptions { query_concurrency_max: 1, ..ApiOptions::default() };
        let api = Api::new(options);
        for _ in 0..2 {
            let stopped = in_slot(api.clone(), Duration::from_secs(60), |_, _, _| panic!("a bug"));
            assert_eq!(stopped.await.unwrap_err().kind, ErrorType::Internal);
        }
        running(&api, 0).await;
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
