//! `series`, `labels`, `label/<name>/values`: what is stored, without samples; and `metadata`, which is empty because only
//! scraping servers know types and help texts.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;

use super::Api;
use super::active::Asked;
use super::error::ApiError;
use super::json::{JsonBody, JsonWriter};
use super::params::{Params, unescape_label_name};
use super::query::{TRUNCATED, timeout};
use super::slots::in_slot;
use crate::model::{Labels, Matcher, TimeRange};
use crate::promql::budget::Held;
use crate::promql::engine::Limits;
use crate::promql::value::QueryError;
use crate::read::{ReadError, SeriesSet, Source};

/// Label sets between two looks at the deadline.
const THINGS_PER_CHECK: usize = 1_000;

/// What the three endpoints ask for.
struct Selection {
    sets: Vec<Vec<Matcher>>,
    range: TimeRange,
    limit: Option<usize>,
}

impl Selection {
    fn from_params(params: &Params) -> Result<Selection, ApiError> {
        Ok(Selection { range: params.range()?, limit: params.limit()?, sets: params.match_sets()? })
    }

    /// The sorted union over the match sets; without any, over everything.
    fn union(
        &self,
        read: impl Fn(&[Matcher], TimeRange) -> Result<Vec<String>, ReadError>,
    ) -> Result<Vec<String>, ReadError> {
        match self.sets.as_slice() {
            [] => read(&[], self.range),
            [only] => read(only, self.range),
            sets => {
                let mut union = BTreeSet::new();
                for set in sets {
                    union.extend(read(set, self.range)?);
                }
                Ok(union.into_iter().collect())
            }
        }
    }
}

pub async fn series(State(api): State<Arc<Api>>, params: Params) -> Result<Response, ApiError> {
    if params.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let selection = Selection::from_params(&params)?;
    let asked = asked(&api, &params, "series")?;
    in_slot(api, asked, move |api, limits, _| list_series(api, &selection, limits)).await
}

/// A request as the list of active queries shows it: by what it selects.
fn asked(api: &Api, params: &Params, endpoint: &'static str) -> Result<Asked, ApiError> {
    let text = params.all("match[]").collect::<Vec<_>>().join(" ");
    Ok(Asked { endpoint, text, client: params.client, timeout: timeout(api, params)? })
}

fn list_series(api: &Api, selection: &Selection, limits: &Limits) -> Result<JsonBody, ApiError> {
    let (view, held) = (api.db()?.view(), Holding(limits));
    let mut warnings = Vec::new();
    let mut union = BTreeSet::new();
    for matchers in &selection.sets {
        let set = view.select(matchers, selection.range)?;
        let _counted = held.select(set.as_ref())?;
        for (index, labels) in set.labels()?.iter().enumerate() {
            held.check_at(index)?;
            if union.insert(labels.clone()) {
                held.keep(size_of::<Labels>() + labels.heap_bytes())?;
            }
        }
        // Damage is known once the labels were read.
        warnings.extend(set.warnings());
    }
    let mut out = JsonWriter::new(api.options.response_max_bytes).until(&limits.canceled);
    out.begin_success();
    out.raw("[");
    for (index, labels) in take(&union, selection.limit, &mut warnings).enumerate() {
        out.separator(index);
        out.labels(labels);
        out.check()?;
    }
    out.raw("]");
    Ok(out.end_success(&warnings, &[])?)
}

/// What a request may hold, and for how long.
struct Holding<'a>(&'a Limits);

impl Holding<'_> {
    /// At every so many things: does anybody still wait for the answer?
    fn check_at(&self, index: usize) -> Result<(), QueryError> {
        if index.is_multiple_of(THINGS_PER_CHECK) { self.0.check() } else { Ok(()) }
    }

    /// Counts the series of a selection, and holds the label sets that are made for that.
    fn select(&self, set: &dyn SeriesSet) -> Result<Option<Held<'_>>, QueryError> {
        let budget = self.0.budget.as_ref();
        budget.map(|budget| budget.select_set(set, |index| self.check_at(index))).transpose()
    }

    /// Holds bytes until the request is answered.
    fn keep(&self, bytes: usize) -> Result<(), QueryError> {
        let Some(budget) = &self.0.budget else { return Ok(()) };
        budget.hold_bytes(bytes).map(Held::keep)
    }
}

/// The first `limit` label sets, with a warning if that leaves some out.
fn take<'a>(
    all: &'a BTreeSet<Labels>,
    limit: Option<usize>,
    warnings: &mut Vec<String>,
) -> impl Iterator<Item = &'a Labels> {
    let limit = limit.unwrap_or(usize::MAX);
    if all.len() > limit {
        warnings.push(TRUNCATED.to_string());
    }
    all.iter().take(limit)
}

pub async fn label_names(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let selection = Selection::from_params(&params)?;
    let asked = asked(&api, &params, "labels")?;
    in_slot(api, asked, move |api, limits, _| {
        let view = api.db()?.view();
        let names = selection.union(|matchers, range| view.label_names(matchers, range))?;
        list_strings(api, &names, selection.limit, limits)
    })
    .await
}

pub async fn label_values(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Response, ApiError> {
    let Path(escaped) = path.map_err(|_| ApiError::bad_data("the label name is not UTF-8"))?;
    let name = unescape_label_name(&escaped);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    let selection = Selection::from_params(&params)?;
    let asked = asked(&api, &params, "label_values")?;
    in_slot(api, asked, move |api, limits, _| {
        let view = api.db()?.view();
        let values =
            selection.union(|matchers, range| view.label_values(&name, matchers, range))?;
        list_strings(api, &values, selection.limit, limits)
    })
    .await
}

fn list_strings(
    api: &Api,
    all: &[String],
    limit: Option<usize>,
    limits: &Limits,
) -> Result<JsonBody, ApiError> {
    let held = Holding(limits);
    held.check_at(0)?;
    held.keep(all.iter().map(|text| size_of::<String>() + text.capacity()).sum())?;
    let limit = limit.unwrap_or(usize::MAX);
    let truncated = all.len() > limit;
    let warnings: &[String] = if truncated { &[TRUNCATED.to_string()] } else { &[] };
    let mut out = JsonWriter::new(api.options.response_max_bytes).until(&limits.canceled);
    out.begin_success();
    out.strings(all.iter().take(limit).map(String::as_str))?;
    Ok(out.end_success(warnings, &[])?)
}

pub async fn metric_metadata() -> Response {
    super::status::success(&serde_json::json!({}))
}
