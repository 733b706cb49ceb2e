//! `format_query` and `parse_query`: a query without its evaluation, as text in lines and as a tree in JSON. Node types and
//! fields are those that Prometheus' own page reads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::ApiError;
use super::json::{JsonWriter, WriteError};
use super::params::Params;
use crate::model::Matcher;
use crate::promql::ast::{
    At, Binary, Call, Cardinality, DurationExpr, Expr, ExprKind, NumberLiteral, Selector, Subquery,
    TimeModifiers, ValueType,
};
use crate::promql::check::value_type;
use crate::promql::functions::Variadic;
use crate::promql::parser;
use crate::promql::pretty::pretty;
use crate::promql::value::QueryError;

pub async fn format_query(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let expr = parsed(&api, &params)?;
    answer(&api, |out| {
        out.string(&pretty(&expr));
        Ok(())
    })
}

pub async fn parse_query(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, ApiError> {
    let expr = parsed(&api, &params)?;
    answer(&api, |out| write_node(out, &expr))
}

fn parsed(api: &Api, params: &Params) -> Result<Expr, ApiError> {
    let parse = &api.options.engine.parse;
    Ok(parser::parse(params.get("query"), parse).map_err(QueryError::from)?)
}

fn answer(
    api: &Api,
    write: impl FnOnce(&mut JsonWriter) -> Result<(), WriteError>,
) -> Result<Response, ApiError> {
    let mut out = JsonWriter::new(api.options.response_max_bytes);
    out.begin_success();
    write(&mut out)?;
    let body = axum::body::Body::new(out.end_success(&[], &[])?);
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// One node as an object. Keys are written with the comma before them, after `type`.
fn write_node(out: &mut JsonWriter, expr: &Expr) -> Result<(), WriteError> {
    out.check()?;
    match &expr.kind {
        ExprKind::Number(number) => write_number(out, number),
        ExprKind::String(text) | ExprKind::NotUtf8(text) => {
            open(out, "stringLiteral");
            text_field(out, "val", text);
        }
        ExprKind::Selector(selector) => {
            open(out, "vectorSelector");
            write_selector(out, selector)?;
        }
        ExprKind::Matrix(matrix) => {
            open(out, "matrixSelector");
            write_selector(out, &matrix.selector)?;
            write_duration(out, "range", "rangeExpr", Some(&matrix.range));
        }
        ExprKind::Subquery(subquery) => {
            open(out, "subquery");
            write_subquery(out, subquery)?;
        }
        ExprKind::Call(call) => {
            open(out, "call");
            write_call(out, call)?;
        }
        ExprKind::Aggregate(aggregate) => {
            open(out, "aggregation");
            text_field(out, "op", aggregate.op.as_str());
            node_field(out, "expr", Some(&aggregate.expr))?;
            node_field(out, "param", aggregate.param.as_ref())?;
            names_field(out, "grouping", &aggregate.grouping.labels)?;
            raw_field(out, "without", bool_text(aggregate.grouping.without));
        }
        ExprKind::Binary(binary) => {
            open(out, "binaryExpr");
            write_binary(out, binary)?;
        }
        ExprKind::Unary(unary) => {
            open(out, "unaryExpr");
            text_field(out, "op", if unary.negative { "-" } else { "+" });
            node_field(out, "expr", Some(&unary.expr))?;
        }
        ExprKind::Paren(inner) => {
            open(out, "parenExpr");
            node_field(out, "expr", Some(inner))?;
        }
    }
    out.raw("}");
    Ok(())
}

fn open(out: &mut JsonWriter, node_type: &str) {
    out.raw("{\"type\":");
    out.string(node_type);
}

fn key(out: &mut JsonWriter, key: &str) {
    out.raw(",");
    out.string(key);
    out.raw(":");
}

fn raw_field(out: &mut JsonWriter, name: &str, json: &str) {
    key(out, name);
    out.raw(json);
}

fn text_field(out: &mut JsonWriter, name: &str, text: &str) {
    key(out, name);
    out.string(text);
}

fn names_field(out: &mut JsonWriter, name: &str, names: &[String]) -> Result<(), WriteError> {
    key(out, name);
    out.strings(names.iter().map(String::as_str))
}

fn node_field(out: &mut JsonWriter, name: &str, expr: Option<&Expr>) -> Result<(), WriteError> {
    key(out, name);
    match expr {
        Some(expr) => write_node(out, expr),
        None => {
            out.raw("null");
            Ok(())
        }
    }
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Without the closing brace, as all nodes.
fn write_number(out: &mut JsonWriter, number: &NumberLiteral) {
    open(out, "numberLiteral");
    text_field(out, "val", &seconds(number.value));
}

fn seconds(value: f64) -> String {
    NumberLiteral { value, is_duration: false }.to_string()
}

fn write_selector(out: &mut JsonWriter, selector: &Selector) -> Result<(), WriteError> {
    text_field(out, "name", selector.name.as_deref().unwrap_or(""));
    key(out, "matchers");
    write_matchers(out, &selector.matchers)?;
    write_time(out, &selector.time);
    raw_field(out, "anchored", bool_text(selector.anchored));
    raw_field(out, "smoothed", bool_text(selector.smoothed));
    Ok(())
}

fn write_matchers(out: &mut JsonWriter, matchers: &[Matcher]) -> Result<(), WriteError> {
    out.raw("[");
    for (index, matcher) in matchers.iter().enumerate() {
        out.separator(index);
        out.raw("{\"type\":");
        out.string(matcher.op.as_str());
        text_field(out, "name", &matcher.name);
        text_field(out, "value", &matcher.value);
        out.raw("}");
        out.check()?;
    }
    out.raw("]");
    Ok(())
}

fn write_time(out: &mut JsonWriter, time: &TimeModifiers) {
    write_duration(out, "offset", "offsetExpr", time.offset.as_ref());
    let (timestamp, word) = match time.at {
        None => ("null".to_string(), "null"),
        Some(At::Timestamp(timestamp)) => (timestamp.to_string(), "null"),
        Some(At::Start) => ("null".to_string(), "\"start\""),
        Some(At::End) => ("null".to_string(), "\"end\""),
    };
    raw_field(out, "timestamp", &timestamp);
    raw_field(out, "startOrEnd", word);
}

/// A duration in milliseconds, 0 if it is none or must be computed; and what it is computed from.
fn write_duration(
    out: &mut JsonWriter,
    name: &str,
    expr_name: &str,
    duration: Option<&DurationExpr>,
) {
    let literal = duration.and_then(literal);
    let ms = literal.map_or(0, |number| (number.value * 1000.0) as i64);
    raw_field(out, name, &ms.to_string());
    key(out, expr_name);
    match duration.filter(|_| literal.is_none()) {
        Some(duration) => write_duration_node(out, duration, false),
        None => out.raw("null"),
    }
}

/// A number, maybe in parentheses.
fn literal(duration: &DurationExpr) -> Option<&NumberLiteral> {
    match duration {
        DurationExpr::Literal(number) => Some(number),
        DurationExpr::Paren(inner) => literal(inner),
        _ => None,
    }
}

fn write_duration_node(out: &mut JsonWriter, duration: &DurationExpr, wrapped: bool) {
    let (op, lhs, rhs) = match duration {
        DurationExpr::Literal(number) => {
            write_number(out, number);
            return out.raw("}");
        }
        DurationExpr::Paren(inner) => return write_duration_node(out, inner, true),
        DurationExpr::Step => ("step", None, None),
        DurationExpr::Range => ("range", None, None),
        DurationExpr::Negate(inner) => ("-", None, Some(inner)),
        DurationExpr::Plus(inner) => ("+", None, Some(inner)),
        DurationExpr::Binary { op, lhs, rhs } => (op.as_str(), Some(lhs), Some(rhs)),
        DurationExpr::MinOf(a, b) => ("min_of", Some(a), Some(b)),
        DurationExpr::MaxOf(a, b) => ("max_of", Some(a), Some(b)),
    };
    open(out, "durationExpr");
    text_field(out, "op", op);
    for (name, operand) in [("lhs", lhs), ("rhs", rhs)] {
        key(out, name);
        match operand {
            Some(operand) => write_duration_node(out, operand, false),
            None => out.raw("null"),
        }
    }
    raw_field(out, "wrapped", bool_text(wrapped));
    out.raw("}");
}

fn write_subquery(out: &mut JsonWriter, subquery: &Subquery) -> Result<(), WriteError> {
    node_field(out, "expr", Some(&subquery.expr))?;
    write_duration(out, "range", "rangeExpr", Some(&subquery.range));
    write_duration(out, "step", "stepExpr", subquery.step.as_ref());
    write_time(out, &subquery.time);
    Ok(())
}

fn write_call(out: &mut JsonWriter, call: &Call) -> Result<(), WriteError> {
    let function = call.function;
    key(out, "func");
    out.raw("{\"name\":");
    out.string(function.name);
    key(out, "argTypes");
    out.strings(function.args.iter().map(|arg| type_name(*arg)))?;
    // How many arguments may follow the listed ones, or be left out; -1 for any number.
    let variadic = match function.variadic {
        Variadic::No => 0,
        Variadic::Optional(optional) => optional as i64,
        Variadic::Repeated { max: Some(max) } => max as i64 - function.args.len() as i64 + 1,
        Variadic::Repeated { max: None } => -1,
    };
    raw_field(out, "variadic", &variadic.to_string());
    text_field(out, "returnType", type_name(function.returns));
    out.raw("}");
    key(out, "args");
    out.raw("[");
    for (index, arg) in call.args.iter().enumerate() {
        out.separator(index);
        write_node(out, arg)?;
    }
    out.raw("]");
    Ok(())
}

fn type_name(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
        ValueType::String => "string",
    }
}

fn write_binary(out: &mut JsonWriter, binary: &Binary) -> Result<(), WriteError> {
    text_field(out, "op", binary.op.as_str());
    node_field(out, "lhs", Some(&binary.lhs))?;
    node_field(out, "rhs", Some(&binary.rhs))?;
    raw_field(out, "bool", bool_text(binary.return_bool));
    key(out, "matching");
    let sides = [&binary.lhs, &binary.rhs];
    if sides.into_iter().any(|side| value_type(side) != ValueType::Vector) {
        out.raw("null");
        return Ok(());
    }
    let matching = &binary.matching;
    out.raw("{\"card\":");
    out.string(match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    });
    names_field(out, "labels", &matching.labels)?;
    raw_field(out, "on", bool_text(matching.on));
    names_field(out, "include", &matching.include)?;
    key(out, "fillValues");
    let fill = |value: Option<f64>| match value {
        Some(value) => format!("\"{}\"", seconds(value)),
        None => "null".to_string(),
    };
    let (lhs, rhs) = (fill(matching.fill_left), fill(matching.fill_right));
    out.raw(&format!("{{\"lhs\":{lhs},\"rhs\":{rhs}}}}}"));
    Ok(())
}
