//! Stores the server's own metrics in itself, as if it scraped its own `/metrics`, but without HTTP: the exposition becomes a
//! batch of remote write 1.0, so that its series have the same keys as if a sender had sent them. An empty server thereby
//! has something to show, and its past is there when something goes wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::db::{Db, SubmitError};
use crate::encoding::cursor::put_varint;
use crate::ingest::remote_write_v1;
use crate::model::{METRIC_NAME, Timestamp};

/// At first often, so that a graph shows something while somebody watches a first start.
const FIRST_INTERVAL: Duration = Duration::from_secs(1);
const FIRST_RECORDS: u32 = 60;
/// Then at the usual interval of scrapes.
const INTERVAL: Duration = Duration::from_secs(15);

/// Where the metrics come from and go to.
pub struct Recorder {
    db: Arc<Db>,
    instance: String,
    exposition: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Recorder {
    pub fn new(
        db: Arc<Db>,
        address: SocketAddr,
        exposition: Arc<dyn Fn() -> String + Send + Sync>,
    ) -> Recorder {
        Recorder { db, instance: address.to_string(), exposition }
    }

    /// Stores a first record and leaves a task behind that goes on until the database is closed.
    pub async fn start(self) {
        self.record().await;
        tokio::spawn(async move {
            if self.record_every(FIRST_INTERVAL, FIRST_RECORDS).await {
                self.record_every(INTERVAL, u32::MAX).await;
            }
        });
    }

    /// Is the database still open afterwards?
    async fn record_every(&self, interval: Duration, records: u32) -> bool {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + interval, interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for _ in 0..records {
            ticks.tick().await;
            if !self.record().await {
                return false;
            }
        }
        true
    }

    async fn record(&self) -> bool {
        let begun = Instant::now();
        let text = (self.exposition)();
        let body = body(&text, &self.instance, now(), begun.elapsed());
        let batch = match remote_write_v1::decode(Bytes::from(body)) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "cannot record own metrics");
                return true;
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.db.submit(batch, move |result| {
            let _ = sender.send(result);
        });
        match receiver.await {
            Err(_) | Ok(Err(SubmitError::Closed)) => false,
            Ok(Err(error)) => {
                tracing::warn!(%error, "own metrics not recorded");
                true
            }
            Ok(Ok(_)) => true,
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A `prometheus.WriteRequest` with every line of the exposition and what a scrape adds.
fn body(text: &str, instance: &str, timestamp: Timestamp, took: Duration) -> Vec<u8> {
    let mut out = Vec::new();
    let mut count = 0;
    let mut put = |name: &str, labels: Vec<(String, String)>, value: f64| {
        let mut labels = labels;
        for (name, value) in [(METRIC_NAME, name), ("job", "silverback"), ("instance", instance)] {
            labels.push((name.to_string(), value.to_string()));
        }
        labels.sort();
        put_series(&mut out, &labels, timestamp, value);
    };
    for (name, labels, value) in text.lines().filter_map(parse_line) {
        put(name, labels, value);
        count += 1;
    }
    put("up", Vec::new(), 1.0);
    put("scrape_duration_seconds", Vec::new(), took.as_secs_f64());
    put("scrape_samples_scraped", Vec::new(), f64::from(count));
    out
}

type Line<'a> = (&'a str, Vec<(String, String)>, f64);

/// `name{label="value",...} value`; `None` for comments. The text is our own, so nothing else occurs.
fn parse_line(line: &str) -> Option<Line<'_>> {
    if line.starts_with('#') {
        return None;
    }
    let name_end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while let Some((label, after)) = rest.split_once("=\"") {
            if rest.starts_with('}') {
                break;
            }
            let (value, after) = unquote(after)?;
            labels.push((label.to_string(), value));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some((name, labels, value))
}

/// Up to the closing quote, escapes resolved, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[index + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            c => out.push(c),
        }
    }
    None
}

fn put_series(out: &mut Vec<u8>, labels: &[(String, String)], timestamp: Timestamp, value: f64) {
    let mut series = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        put_field(&mut label, 1, name.as_bytes());
        put_field(&mut label, 2, value.as_bytes());
        put_field(&mut series, 1, &label);
    }
    // Field 1 of a sample is the value as fixed64, field 2 the timestamp as varint.
    let mut sample = vec![0x09];
    sample.extend_from_slice(&value.to_bits().to_le_bytes());
    sample.push(0x10);
    put_varint(&mut sample, timestamp as u64);
    put_field(&mut series, 2, &sample);
    put_field(out, 1, &series);
}

fn put_field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Options;
    use crate::fs::sim::SimDisk;
    use crate::model::{Matcher, TimeRange};
    use crate::read::{Columns, Source};

    const TEXT: &str = "# TYPE a counter\na_total{code=\"200\",handler=\"/x,{}\\\"\\\\\"} 3\nb 1.5\nc +Inf\n# EOF\n";

    #[test]
    fn the_exposition_becomes_series_with_the_labels_of_a_scrape() {
        let body = body(TEXT, "127.0.0.1:9290", 7, Duration::from_millis(2));
        let batch = remote_write_v1::decode(Bytes::from(body)).unwrap();
        let series = |index: usize| {
            let item = &batch.items[index];
            let labels = (batch.decode_labels)(batch.key(item)).unwrap();
            let sample = batch.samples_of(item)[0];
            (labels.to_string(), sample.timestamp, sample.value)
        };
        let own = "instance=\"127.0.0.1:9290\", job=\"silverback\"";
        let first = format!("a_total{{code=\"200\", handler=\"/x,{{}}\\\"\\\\\", {own}}}");
        assert_eq!(series(0), (first, 7, 3.0));
        assert_eq!(series(1).2, 1.5);
        assert_eq!(series(2).2, f64::INFINITY);
        assert_eq!(series(3), (format!("up{{{own}}}"), 7, 1.0));
        assert_eq!(series(4).2, 0.002);
        assert_eq!(series(5), (format!("scrape_samples_scraped{{{own}}}"), 7, 3.0));
        assert_eq!(batch.items.len(), 6);
    }

    #[tokio::test]
    async fn the_first_record_is_stored_before_start_returns() {
        let options = Options { disk: Arc::new(SimDisk::new()), ..Options::new("data") };
        let db = Db::open(options).unwrap();
        let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let exposition = Arc::new(|| TEXT.to_string());
        Recorder::new(db.clone(), address, exposition).start().await;
        let matchers = [Matcher::equal(METRIC_NAME, "up")];
        let set = db.view().select(&matchers, TimeRange::ALL).unwrap();
        let mut columns = Columns::default();
        set.read(0, TimeRange::ALL, &mut columns).unwrap();
        assert_eq!((set.len(), columns.floats.as_slice()), (1, &[1.0][..]));
        db.close().unwrap();
    }
}
