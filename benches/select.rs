//! Selecting and reading from a database of 50,000 series with 240 samples each, as queries do it.

#![allow(clippy::unwrap_used, reason = "a bench stops at what it does not expect")]

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::db::{Db, Options, Threads};
use silverback::fs::sim::SimDisk;
use silverback::model::batch::{Batch, Item};
use silverback::model::{Labels, MatchOp, Matcher, Outcome, Sample, TimeRange};
use silverback::read::{Columns, Source};

const SERIES: u32 = 50_000;
const SAMPLES: i64 = 240;
const STEP_MS: i64 = 15_000;

/// The raw key of a series is its number.
fn labels_of(key: &[u8]) -> Result<Labels, String> {
    let number: u32 = std::str::from_utf8(key).unwrap().parse().unwrap();
    Ok(Labels::from_pairs([
        ("__name__", format!("metric_{}", number % 50).as_str()),
        ("instance", &format!("10.0.{}.{}:9100", number / 12_800, number / 50 % 256)),
        ("job", &format!("job-{}", number % 7)),
        ("pod", &format!("app-{number:06x}")),
    ]))
}

fn batch(timestamp: i64) -> Batch {
    let mut body = Vec::new();
    let mut items = Vec::new();
    let mut samples = Vec::new();
    for number in 0..SERIES {
        let key = number.to_string();
        let key_offset = body.len() as u32;
        body.extend_from_slice(key.as_bytes());
        items.push(Item {
            key_offset,
            key_len: key.len() as u32,
            sample_start: number,
            sample_count: 1,
        });
        samples.push(Sample::new(timestamp, f64::from(number) + (timestamp / STEP_MS) as f64));
    }
    let rejected = Outcome::default();
    Batch { body: Bytes::from(body), items, samples, decode_labels: labels_of, rejected }
}

fn database() -> Arc<Db> {
    let disk = Arc::new(SimDisk::new());
    let options = Options { disk, threads: Threads::Stepped, ..Options::new("data") };
    let db = Db::open(options).unwrap();
    for step in 0..SAMPLES {
        db.submit(batch(step * STEP_MS), |outcome| assert!(outcome.is_ok()));
        db.step();
    }
    db
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

fn select(c: &mut Criterion) {
    let db = database();
    let view = db.view();
    let range = TimeRange::ALL;
    let mut group = c.benchmark_group("select of 50k series");
    let cases = [
        ("one series", vec![matcher("pod", MatchOp::Equal, "app-000400")]),
        ("a metric, 1k series", vec![matcher("__name__", MatchOp::Equal, "metric_7")]),
        ("prefix and suffix", vec![matcher("pod", MatchOp::Regex, "app-.*1")]),
        ("all", vec![matcher("__name__", MatchOp::NotEqual, "")]),
    ];
    for (name, matchers) in &cases {
        group.bench_function(*name, |b| {
            b.iter(|| black_box(view.select(matchers, range).unwrap().labels().unwrap().len()));
        });
    }
    group.finish();
    let set = view.select(&cases[1].1, range).unwrap();
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(set.labels().unwrap().len() as u64 * SAMPLES as u64));
    group.bench_function("1k series of 240 samples", |b| {
        let mut columns = Columns::default();
        b.iter(|| {
            for index in 0..set.labels().unwrap().len() {
                set.read(index, range, &mut columns).unwrap();
                black_box(columns.len());
            }
        });
    });
}

criterion_group!(benches, select);
criterion_main!(benches);
