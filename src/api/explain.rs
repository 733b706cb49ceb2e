//! `query_explain`: the plan of a query with what it is expected to cost, and with `analyze=true` what it did cost. Takes the
//! parameters of `query`, or with `start`, `end` and `step` those of `query_range`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;

use super::active::shown;
use super::error::ApiError;
use super::json::{JsonBody, JsonWriter, WriteError};
use super::params::Params;
use super::query::{asked, lookback_delta_ms, steps};
use super::slots::in_slot;
use super::stats::write_stats;
use super::{Api, now};
use crate::promql::engine::{Limits, When};
use crate::promql::explain::{Explanation, PlanNode};

/// What a node shows of its expression: those of nested nodes overlap, and a thousand of them may be long.
const SHOWN_EXPR_MAX_BYTES: usize = 1 << 10;

pub async fn explain(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    let is_range = ["start", "end", "step"].iter().any(|name| !params.get(name).is_empty());
    let when = match is_range {
        true => When::Over(steps(&params)?),
        false => When::At(params.time_or("time", now())?),
    };
    let analyze = match params.get("analyze") {
        "" | "false" => false,
        "true" => true,
        other => {
            return Err(ApiError::parameter("analyze", format!("{other:?} is not true or false")));
        }
    };
    let asked = asked(&api, &params, "query_explain")?;
    let (text, lookback_delta_ms) = (asked.text.clone(), lookback_delta_ms(&params)?);
    in_slot(api, asked, move |api, limits, queued| {
        let limits = Limits { lookback_delta_ms, ..limits.clone() };
        let view = api.db()?.view();
        let explanation = api.engine.explain(&view, &text, when, analyze, &limits)?;
        let out = JsonWriter::new(api.options.response_max_bytes).until(&limits.canceled);
        Ok(write_explanation(out, &explanation, &text, queued)?)
    })
    .await
}

fn write_explanation(
    mut out: JsonWriter,
    explanation: &Explanation,
    text: &str,
    queued: Duration,
) -> Result<JsonBody, WriteError> {
    out.begin_success();
    out.raw("{\"plan\":");
    write_node(&mut out, &explanation.plan, text)?;
    if let Some(stats) = &explanation.stats {
        out.raw(",\"stats\":");
        write_stats(&mut out, stats, queued)?;
    }
    out.raw("}");
    out.end_success(&[], &[])
}

fn write_node(out: &mut JsonWriter, node: &PlanNode, text: &str) -> Result<(), WriteError> {
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    out.raw("{\"operator\":");
    out.string(node.operator.as_str());
    if !node.name.is_empty() {
        out.raw(",\"name\":");
        out.string(node.name);
    }
    out.raw(",\"expr\":");
    out.string(&shown(text.get(start..end).unwrap_or(""), SHOWN_EXPR_MAX_BYTES));
    if let Some(read_as) = &node.read_as {
        out.raw(",\"readAs\":");
        out.string(&shown(read_as, SHOWN_EXPR_MAX_BYTES));
    }
    let estimated = node.estimated;
    out.raw(&format!(
        ",\"position\":[{start},{end}],\"estimated\":{{\"series\":{},\"samples\":{}}}",
        estimated.series, estimated.samples
    ));
    if let Some(measured) = node.measured {
        out.raw(&format!(
            ",\"measured\":{{\"seconds\":{},\"series\":{},\"samples\":{},\"peakBytes\":{}}}",
            measured.time.as_secs_f64(),
            measured.series,
            measured.samples,
            measured.peak_bytes
        ));
    }
    out.raw(",\"children\":[");
    for (index, child) in node.children.iter().enumerate() {
        out.separator(index);
        write_node(out, child, text)?;
    }
    out.raw("]}");
    out.check()
}
