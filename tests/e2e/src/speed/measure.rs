//! One class of queries: a first round in which the answers are compared, then timed rounds over all servers in turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::classes::{Agreement, At, Class};
use super::data::{Extent, SCRAPE_MS};
use super::seconds;
use super::servers::{Kind, Server};
use crate::compare::same_within;

/// Engines may add in another order, and 2.42 and 3.x extrapolate in another order.
const RELATIVE_TOLERANCE: f64 = 1e-6;
/// Rounds a class gets however long they take.
const ROUNDS_MIN: usize = 3;

/// Medians of one class.
pub struct Measured {
    /// Milliseconds, in the order of the servers; None where the server answered with an error.
    pub medians_ms: Vec<Option<f64>>,
    pub rounds: usize,
    /// What the servers agreed on, or where they differ.
    pub agreement: Result<String, String>,
}

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// No further round begins after this.
    pub class_max: Duration,
}

pub fn measure(class: &Class, extent: &Extent, servers: &mut [Server], effort: Effort) -> Measured {
    let mut times: Vec<Option<Vec<Duration>>> = Vec::new();
    let mut answers = Vec::new();
    for server in servers.iter_mut() {
        let answer = ask(class, extent, server);
        times.push(answer.is_ok().then(Vec::new));
        answers.push((server.kind, answer));
    }
    let agreement = agree(class, answers);
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < effort.rounds && (rounds < ROUNDS_MIN || begun.elapsed() < effort.class_max) {
        // Who is first changes, so that nobody always follows the same one.
        for place in 0..servers.len() {
            let index = (place + rounds) % servers.len();
            let Some(elapsed) = &mut times[index] else { continue };
            if let Ok((_, time)) = ask_once(class, extent, &mut servers[index]) {
                elapsed.push(time);
            }
        }
        rounds += 1;
    }
    let medians_ms = times.into_iter().map(|elapsed| elapsed.and_then(median_ms)).collect();
    Measured { medians_ms, rounds, agreement }
}

fn ask(class: &Class, extent: &Extent, server: &mut Server) -> Result<Value, String> {
    let (body, _) = ask_once(class, extent, server)?;
    let mut json: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
    Ok(json["data"].take())
}

/// The whole answer and the time until its last byte.
pub fn ask_once(
    class: &Class,
    extent: &Extent,
    server: &mut Server,
) -> Result<(Vec<u8>, Duration), String> {
    let end_ms = extent.question_ms();
    let end = seconds(end_ms);
    let mut form = vec![("query", &*class.query)];
    let (start, step);
    let path = match class.at {
        At::Instant => {
            form.push(("time", &end));
            "/api/v1/query"
        }
        At::Range { minutes } => {
            (start, step) = (seconds(end_ms - minutes * 60_000), seconds(SCRAPE_MS));
            form.extend([("start", &*start), ("end", &*end), ("step", &*step)]);
            "/api/v1/query_range"
        }
    };
    if server.kind == Kind::VictoriaMetrics {
        // Also keeps it from moving the start to a multiple of the step.
        form.push(("nocache", "1"));
    }
    let answer = server.client.post(path, &form)?;
    Ok((answer.body, answer.elapsed))
}

/// The middle one in milliseconds; of an even number the lower of the two.
pub fn median_ms(mut times: Vec<Duration>) -> Option<f64> {
    times.sort_unstable();
    let middle = times.get(times.len().checked_sub(1)? / 2)?;
    Some(middle.as_secs_f64() * 1000.0)
}

/// Compares every answer with that of the first server.
fn agree(class: &Class, answers: Vec<(Kind, Result<Value, String>)>) -> Result<String, String> {
    let mut data = Vec::new();
    for (kind, answer) in answers {
        data.push((kind, answer.map_err(|e| format!("{}: {e}", kind.name()))?));
    }
    let Some(((first, ours), others)) = data.split_first() else { return Ok(String::new()) };
    let series = ours["result"].as_array().map_or(0, Vec::len);
    if series == 0 {
        return Err(format!("{} found nothing", first.name()));
    }
    for (kind, theirs) in others {
        let agreed = match (class.agreement, kind) {
            (Agreement::Values, Kind::VictoriaMetrics) => {
                same_values(&without_names(ours), &without_names(theirs))
            }
            (Agreement::Rates, Kind::VictoriaMetrics) => same_count(series, theirs),
            (Agreement::RankedRates, Kind::VictoriaMetrics) => Ok(()),
            (Agreement::RankedRates, _) => same_values(&ranked(ours), &ranked(theirs)),
            (Agreement::Values | Agreement::Rates, _) => same_values(ours, theirs),
        };
        agreed.map_err(|e| format!("{} and {}: {e}", first.name(), kind.name()))?;
    }
    Ok(format!("{series} series"))
}

fn same_values(ours: &Value, theirs: &Value) -> Result<(), String> {
    same_within(ours, theirs, RELATIVE_TOLERANCE).map(drop)
}

fn same_count(series: usize, theirs: &Value) -> Result<(), String> {
    match theirs["result"].as_array().map_or(0, Vec::len) {
        count if count == series => Ok(()),
        count => Err(format!("{series} series instead of {count}")),
    }
}

fn without_names(data: &Value) -> Value {
    let mut data = data.clone();
    for element in data["result"].as_array_mut().into_iter().flatten() {
        if let Some(labels) = element["metric"].as_object_mut() {
            labels.remove("__name__");
        }
    }
    data
}

/// The values at each time in ascending order, as if that were series: one per rank.
fn ranked(data: &Value) -> Value {
    let mut times: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for point in data["result"].as_array().into_iter().flatten() {
        for pair in point["values"].as_array().into_iter().flatten() {
            times.entry(pair[0].to_string()).or_default().push(&pair[1]);
        }
    }
    let number = |value: &Value| value.as_str().and_then(|v| v.parse().ok()).unwrap_or(f64::NAN);
    let series = times.into_iter().map(|(time, mut values)| {
        values.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let pairs: Vec<Value> = values.iter().map(|value| json!([0, value])).collect();
        json!({"metric": {"time": time}, "values": pairs})
    });
    json!({"resultType": data["resultType"], "result": series.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_lower_of_two() {
        let ms =
            |times: &[u64]| median_ms(times.iter().map(|t| Duration::from_millis(*t)).collect());
        assert_eq!(ms(&[]), None);
        assert_eq!(ms(&[9, 1, 5]), Some(5.0));
        assert_eq!(ms(&[9, 1]), Some(1.0));
    }
}
