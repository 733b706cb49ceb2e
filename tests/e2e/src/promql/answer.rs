//! One answer of a server, and how two are compared: errors by status and class, else label sets, timestamps and values; and the
//! order, where the language promises one.

use serde_json::Value;

use super::samples::Questions;
use crate::client::Client;
use crate::compare;

/// What a server says.
pub struct Answer {
    status: u16,
    json: Value,
}

/// One way to ask a query.
#[derive(Clone, Copy)]
pub enum Question {
    Instant { time_ms: i64 },
    Range { start_ms: i64, end_ms: i64, step_ms: i64 },
}

impl Question {
    /// All ways to ask.
    pub fn all(questions: &Questions, as_range: bool) -> Vec<Question> {
        let mut all = questions.instants_ms.map(|time_ms| Question::Instant { time_ms }).to_vec();
        if as_range {
            all.push(Question::Range {
                start_ms: questions.range_start_ms,
                end_ms: questions.range_end_ms,
                step_ms: questions.range_step_ms,
            });
        }
        all
    }

    pub fn ask(&self, client: &mut Client, query: &str) -> Result<Answer, String> {
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let (status, answer) = match *self {
            Question::Instant { time_ms } => {
                let form = [("query", query), ("time", &seconds(time_ms))];
                client.ask("/api/v1/query", &form)?
            }
            Question::Range { start_ms, end_ms, step_ms } => {
                let times = [start_ms, end_ms, step_ms].map(seconds);
                let names = ["start", "end", "step"];
                let form = names.into_iter().zip(times.iter().map(String::as_str));
                let form: Vec<_> = [("query", query)].into_iter().chain(form).collect();
                client.ask("/api/v1/query_range", &form)?
            }
        };
        let json = serde_json::from_slice(&answer.body)
            .map_err(|e| format!("status {status}, not JSON: {e}"))?;
        Ok(Answer { status, json })
    }

    pub fn is_instant(&self) -> bool {
        matches!(self, Question::Instant { .. })
    }
}

impl Answer {
    /// `data` of an answer that is no error.
    pub fn data_mut(&mut self) -> &mut Value {
        &mut self.json["data"]
    }

    /// The remarks that come with the answer.
    pub fn annotations(&self) -> usize {
        let count = |name: &str| self.json[name].as_array().map_or(0, Vec::len);
        count("warnings") + count("infos")
    }

    fn class(&self) -> (u16, &str) {
        (self.status, self.json["errorType"].as_str().unwrap_or(""))
    }

    /// Ok with the number of points compared; else the first difference.
    pub fn same(&self, theirs: &Answer, is_ordered: bool) -> Result<usize, String> {
        if self.class() != theirs.class() {
            return Err(format!(
                "{:?} {} instead of {:?} {}",
                self.class(),
                self.json["error"],
                theirs.class(),
                theirs.json["error"]
            ));
        }
        if self.status != 200 {
            return Ok(1);
        }
        let (ours, theirs) = (&self.json["data"], &theirs.json["data"]);
        let points = compare::same(ours, theirs)?;
        if is_ordered {
            same_order(ours, theirs)?;
        }
        Ok(points)
    }
}

/// Do the elements come in the same order? Those of one value may come in any. The answers are known to be equal otherwise.
fn same_order(ours: &Value, theirs: &Value) -> Result<(), String> {
    let elements = |data: &Value| data["result"].as_array().cloned().unwrap_or_default();
    for (place, (a, b)) in elements(ours).iter().zip(&elements(theirs)).enumerate() {
        let value = |element: &Value| element["value"][1].as_str().unwrap_or("").to_string();
        if a["metric"] != b["metric"] && !compare::close(&value(a), &value(b)) {
            return Err(format!("at place {place} {a} instead of {b}"));
        }
    }
    Ok(())
}
