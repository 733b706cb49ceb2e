//! Writing a block of 10,000 series with 480 samples each, two hours at 15 s, and selecting and reading all of it.

#![allow(clippy::unwrap_used, reason = "a bench stops at what it does not expect")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::block::{Block, BlockOptions, BlockSource, BlockWriter};
use silverback::fs::sim::SimDisk;
use silverback::model::{Labels, Matcher, TimeRange};
use silverback::read::{Columns, Source};

const SERIES: usize = 10_000;
const SAMPLES: i64 = 480;
const STEP_MS: i64 = 15_000;
const PATH: &str = "block";

/// Series of 100 targets; counters, gauges with two decimals, and constants.
fn series() -> Vec<(Labels, Columns)> {
    let mut all: Vec<(Labels, Columns)> = (0..SERIES).map(|i| (labels(i), samples(i))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn labels(number: usize) -> Labels {
    Labels::from_pairs([
        ("__name__", format!("metric_{}", number % 100).as_str()),
        ("instance", &format!("10.0.0.{}:9100", number / 100)),
        ("job", &format!("job-{}", number / 100 % 7)),
        ("pod", &format!("app-{:06x}", number * 2_654_435_761 % 0xff_ffff)),
    ])
}

fn samples(number: usize) -> Columns {
    let mut columns = Columns::default();
    let offset = (number / 100) as i64 * 131;
    for i in 0..SAMPLES {
        let noise = (i * 7919 + number as i64 * 31) % 1000;
        let value = match number % 3 {
            0 => (i * 1000 + noise) as f64,
            1 => noise as f64 / 100.0,
            _ => 1.0,
        };
        columns.push(offset + i * STEP_MS, value);
    }
    columns
}

fn write(series: &[(Labels, Columns)]) -> SimDisk {
    let disk = SimDisk::new();
    let range = TimeRange::new(0, 7_299_999);
    let options =
        BlockOptions { id: 1, range, level: 0, min_seq: 1, max_seq: 2, parents: Vec::new() };
    let mut writer = BlockWriter::create(&disk, Path::new(PATH), options).unwrap();
    for (labels, columns) in series {
        writer.add(labels, columns).unwrap();
    }
    writer.finish().unwrap();
    disk
}

fn block(c: &mut Criterion) {
    let series = series();
    let disk = write(&series);
    let block = Arc::new(Block::open(&disk, Path::new(PATH)).unwrap());
    let source = BlockSource(block.clone());
    let mut group = c.benchmark_group("block");
    group.sample_size(20);

    group.throughput(Throughput::Elements((SERIES as i64 * SAMPLES) as u64));
    group.bench_function("write", |b| b.iter(|| write(&series)));
    let set = source.select(&[], TimeRange::ALL).unwrap();
    let mut out = Columns::default();
    group.bench_function("read", |b| {
        b.iter(|| {
            for index in 0..set.labels().unwrap().len() {
                set.read(index, TimeRange::ALL, &mut out).unwrap();
                black_box(&out);
            }
        });
    });

    group.throughput(Throughput::Elements(SERIES as u64));
    group.bench_function("select all", |b| b.iter(|| source.select(&[], TimeRange::ALL).unwrap()));
    let matchers = [Matcher::equal("__name__", "metric_7")];
    group.throughput(Throughput::Elements(SERIES as u64 / 100));
    group.bench_function("select a metric", |b| {
        b.iter(|| source.select(&matchers, TimeRange::ALL).unwrap());
    });

    group.throughput(Throughput::Elements(1));
    let (labels, columns) = &series[SERIES / 2];
    let (fingerprint, timestamp) = (labels.fingerprint(), columns.timestamps[100]);
    group.bench_function("look up a sample", |b| {
        b.iter(|| block.lookup(labels, fingerprint, timestamp).unwrap());
    });
    group.bench_function("look up a time without a sample", |b| {
        b.iter(|| block.lookup(labels, fingerprint, timestamp + 1).unwrap());
    });
    group.finish();
}

criterion_group!(benches, block);
criterion_main!(benches);
