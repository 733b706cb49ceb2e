//! The write-ahead log: building a record of 2,000 samples, and committing it to a file on the real disk with its sync.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench stops at what it does not expect, and only the engine keeps to its own file layer"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::fs::os::OsDisk;
use silverback::model::{Sample, SeriesRef};
use silverback::wal::{CommitQueue, Committer, Record, RecordBuilder, WalOptions, replay};

/// What a stock sender puts into one request.
const SAMPLES: u64 = 2_000;

fn record() -> Vec<u8> {
    let mut builder = RecordBuilder::new();
    for i in 0..SAMPLES {
        builder.push(SeriesRef(1 + i), Sample::new(1_700_000_000_000, i as f64 * 1.5));
    }
    let mut payload = Vec::new();
    builder.finish(&mut payload);
    payload
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("wal/record");
    group.throughput(Throughput::Elements(SAMPLES));
    group.bench_function("build", |b| b.iter(|| black_box(record())));
    let payload = record();
    group.bench_function("decode", |b| {
        b.iter(|| {
            let record = Record::decode(black_box(&payload)).unwrap();
            record.samples().map(|(_, sample)| sample.value).sum::<f64>()
        });
    });
}

fn commit(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(OsDisk);
    std::fs::create_dir(directory.path().join("wal")).unwrap();
    let report = replay(&*disk, directory.path(), 0, &mut |_, _| Ok(())).unwrap();
    let queue = Arc::new(CommitQueue::default());
    let options = WalOptions::default();
    let mut committer =
        Committer::start(disk, directory.path(), options, &report, queue.clone(), Instant::now());
    let payload = record();
    let mut group = c.benchmark_group("wal/append and sync");
    for requests in [1, 8] {
        group.throughput(Throughput::Elements(SAMPLES * requests));
        group.bench_function(format!("{requests} of 2000 samples"), |b| {
            b.iter(|| {
                (0..requests).for_each(|i| queue.push(payload.clone(), i).unwrap());
                assert!(committer.commit_once(Instant::now()).outcome.is_ok());
            });
        });
    }
}

criterion_group!(benches, build, commit);
criterion_main!(benches);
