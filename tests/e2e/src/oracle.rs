//! What must be in the database: writers whose values are a function of writer, series and sequence, a log of what was
//! acknowledged, and the comparison with what the server gives back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::http;
use crate::lanes::Lane;
use crate::remote_write::{Series, body};

/// Writers, each with a connection of its own at a time.
pub const WRITERS: u32 = 4;
/// Series of each writer; a request holds one sample of every one of them.
pub const SERIES: u32 = 25;
/// Every this many sequences a writer's request brings a series nobody has seen.
const NEW_SERIES_EVERY: u64 = 7;

/// What became of a request, as far as its sender knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Acknowledged,
    /// Sent, never answered: it may be there, wholly or not at all.
    Unknown,
}

/// Everything sent so far.
pub struct Oracle {
    begun_ms: i64,
    fates: Vec<BTreeMap<u64, Fate>>,
    log: File,
}

/// A well-mixed number from its parts.
fn mixed(parts: [u64; 3]) -> u64 {
    let mut x = 0x9e37_79b9_7f4a_7c15u64;
    for part in parts {
        x = (x ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 29;
    }
    x
}

/// The value of a series at a sequence: any finite bits, now and then an infinity or -0.
fn value(writer: u32, series: u64, sequence: u64) -> f64 {
    let bits = mixed([u64::from(writer), series, sequence]);
    match bits % 50 {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3..=20 => (bits >> 40) as f64,
        _ => {
            let any = f64::from_bits(bits);
            if any.is_finite() { any } else { 1.0 / 3.0 }
        }
    }
}

/// The numbers of the series in a request: the steady ones, and now and then one only it has.
fn series_of(sequence: u64) -> Vec<u64> {
    let mut numbers: Vec<u64> = (0..u64::from(SERIES)).collect();
    if sequence.is_multiple_of(NEW_SERIES_EVERY) {
        numbers.push(1000 + sequence);
    }
    numbers
}

impl Oracle {
    pub fn new(log: &Path, begun_ms: i64) -> Result<Oracle, String> {
        let log = File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        Ok(Oracle { begun_ms, fates: vec![BTreeMap::new(); WRITERS as usize], log })
    }

    fn timestamp(&self, series: u64, sequence: u64) -> i64 {
        Lane::of(series).timestamp(self.begun_ms, sequence)
    }

    /// The next sequence of a writer.
    pub fn next(&self, writer: u32) -> u64 {
        self.fates[writer as usize].last_key_value().map_or(1, |(last, _)| last + 1)
    }

    /// Sequences sent by all writers.
    pub fn sent(&self) -> u64 {
        self.fates.iter().map(|f| f.len() as u64).sum()
    }

    /// The request of a sequence: the same bytes whenever it is asked for.
    pub fn request(&self, writer: u32, sequence: u64) -> Vec<u8> {
        let series = |number: u64| Series {
            labels: vec![
                ("__name__".into(), "oracle".into()),
                ("lane".into(), Lane::of(number).name().into()),
                ("series".into(), number.to_string()),
                ("writer".into(), writer.to_string()),
            ],
            samples: vec![(self.timestamp(number, sequence), value(writer, number, sequence))],
        };
        body(&series_of(sequence).into_iter().map(series).collect::<Vec<_>>())
    }

    /// Notes a fate; an acknowledgement is on disk before this returns.
    pub fn note(&mut self, writer: u32, sequence: u64, fate: Fate) -> Result<(), String> {
        if fate == Fate::Acknowledged {
            writeln!(self.log, "{writer} {sequence}")
                .and_then(|()| self.log.sync_data())
                .map_err(|e| format!("acknowledgement log: {e}"))?;
        }
        self.fates[writer as usize].insert(sequence, fate);
        Ok(())
    }

    /// Asks the server for every sample from sequence `from` on and compares. Gives the number of samples compared.
    pub fn verify(&self, address: &str, from: u64) -> Result<u64, String> {
        let from = from.max(1);
        let mut found = Found::new();
        for (writer, lane) in (0..WRITERS).flat_map(|writer| Lane::ALL.map(|lane| (writer, lane))) {
            self.fetch(address, writer, lane, from, &mut found)?;
        }
        let mut compared = 0;
        for writer in 0..WRITERS {
            compared += self.verify_writer(writer, from, &found)?;
        }
        self.nothing_invented(&found)?;
        Ok(compared)
    }

    /// Adds what the server has of a writer's lane between the first and the last timestamp of the sequences from `from` on.
    fn fetch(
        &self,
        address: &str,
        writer: u32,
        lane: Lane,
        from: u64,
        found: &mut Found,
    ) -> Result<(), String> {
        let times = (from..=self.next(writer)).map(|s| lane.timestamp(self.begun_ms, s));
        let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(()) };
        let query = format!(
            "oracle{{lane=\"{}\",writer=\"{writer}\"}}[{}ms]",
            lane.name(),
            last - first + 1
        );
        let time = format!("{}.{:03}", last / 1000, last % 1000);
        let data = http::api(address, "/api/v1/query", &[("query", &query), ("time", &time)])?;
        add_samples(&data, found)
    }

    fn verify_writer(&self, writer: u32, from: u64, found: &Found) -> Result<u64, String> {
        let mut compared = 0;
        for (&sequence, &fate) in self.fates[writer as usize].range(from..) {
            let numbers = series_of(sequence);
            let present: Vec<Option<f64>> = numbers
                .iter()
                .map(|n| found.get(&(writer, *n))?.get(&self.timestamp(*n, sequence)).copied())
                .collect();
            let some = present.iter().flatten().count();
            let whole = some == numbers.len();
            if !(whole || (some == 0 && fate == Fate::Unknown)) {
                return Err(format!(
                    "writer {writer} sequence {sequence} ({fate:?}): {some} of {} samples are there",
                    numbers.len()
                ));
            }
            for (number, got) in numbers.iter().zip(present) {
                let want = value(writer, *number, sequence);
                if got.is_some_and(|got| got.to_bits() != want.to_bits()) {
                    return Err(format!(
                        "writer {writer} series {number} sequence {sequence}: {got:?} instead of {want:?}"
                    ));
                }
                compared += u64::from(got.is_some());
            }
        }
        Ok(compared)
    }

    fn nothing_invented(&self, found: &Found) -> Result<(), String> {
        for ((writer, number), samples) in found {
            for timestamp in samples.keys() {
                let sequence = Lane::of(*number).sequence(self.begun_ms, *timestamp);
                let sent = sequence.filter(|s| {
                    self.fates.get(*writer as usize).is_some_and(|f| f.contains_key(s))
                        && series_of(*s).contains(number)
                });
                if sent.is_none() {
                    return Err(format!(
                        "writer {writer} series {number} has a sample at {timestamp} that nobody sent"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Samples by writer and series number.
type Found = BTreeMap<(u32, u64), BTreeMap<i64, f64>>;

fn add_samples(data: &Value, found: &mut Found) -> Result<(), String> {
    let empty = Vec::new();
    for series in data["result"].as_array().unwrap_or(&empty) {
        let label = |name: &str| series["metric"][name].as_str().unwrap_or("");
        let writer = label("writer").parse().map_err(|e| format!("writer label: {e}"))?;
        let number = label("series").parse().map_err(|e| format!("series label: {e}"))?;
        let mut values = BTreeMap::new();
        for point in series["values"].as_array().unwrap_or(&empty) {
            let timestamp = (point[0].as_f64().unwrap_or(0.0) * 1000.0).round() as i64;
            let text = point[1].as_str().unwrap_or("");
            let value: f64 = text.parse().map_err(|e| format!("value {text:?}: {e}"))?;
            if values.insert(timestamp, value).is_some() {
                return Err(format!("series {number} of writer {writer}: {timestamp} comes twice"));
            }
        }
        if found.insert((writer, number), values).is_some() {
            return Err(format!("series {number} of writer {writer} comes twice"));
        }
    }
    Ok(())
}
