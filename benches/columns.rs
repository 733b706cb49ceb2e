//! Encoding and decoding of block columns, per value: `cargo bench --bench columns`. Prints the size of each kind of data
//! first.

#![expect(clippy::print_stdout, reason = "sizes are part of what a benchmark reports")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::encoding::column::{ColumnEncoder, decode_floats, decode_timestamps};

/// Two hours at 15 s.
const VALUES: usize = 480;

/// A sequence of numbers that look random, the same in each run.
fn noise(i: usize) -> u64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

/// About evenly spread in orders of magnitude, as durations are.
fn duration_ns(i: usize) -> f64 {
    (200_000 + (noise(i) % 1_000) * (noise(i + VALUES) % 1_000)) as f64
}

fn values() -> [(&'static str, Vec<f64>); 8] {
    let values = |value: &dyn Fn(usize) -> f64| (0..VALUES).map(value).collect::<Vec<_>>();
    let mut sum = 0.0;
    let sums = (0..VALUES).map(|i| {
        sum += duration_ns(i) / 1e9;
        sum
    });
    [
        ("constant", values(&|_| 1.0)),
        ("steady counter", values(&|i| (i * 150) as f64)),
        ("counter", values(&|i| (i * 150) as f64 + (noise(i) % 50) as f64)),
        ("few changes", values(&|i| (i / 40) as f64)),
        ("bytes in pages", values(&|i| ((1 << 20) + noise(i) % 5_000) as f64 * 4096.0)),
        ("gauge of tenths", values(&|i| 20.0 + (noise(i) % 100) as f64 / 10.0)),
        ("durations", values(&|i| duration_ns(i) / 1e9)),
        ("sum of durations", sums.collect()),
    ]
}

fn floats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("column");
    group.throughput(Throughput::Elements(VALUES as u64));
    let mut encoder = ColumnEncoder::default();
    for (name, values) in values() {
        let (mut column, mut decoded) = (Vec::new(), Vec::new());
        encoder.floats(&values, &mut column);
        println!("{name}: {:.3} bytes per value", column.len() as f64 / VALUES as f64);
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| {
                decoded.clear();
                decode_floats(black_box(&column), VALUES, &mut decoded)
            });
        });
        group.bench_function(format!("encode {name}"), |bencher| {
            bencher.iter(|| {
                column.clear();
                encoder.floats(black_box(&values), &mut column);
            });
        });
    }
    group.finish();
}

/// Scraped every 15 s, every tenth time a millisecond late.
fn timestamps(criterion: &mut Criterion) {
    let timestamps: Vec<i64> = (0..VALUES)
        .map(|i| 1_700_000_000_000 + i as i64 * 15_000 + i64::from(i.is_multiple_of(10)))
        .collect();
    let (mut column, mut decoded) = (Vec::new(), Vec::new());
    let mut encoder = ColumnEncoder::default();
    encoder.timestamps(&timestamps, &mut column);
    println!("timestamps: {:.3} bytes each", column.len() as f64 / VALUES as f64);
    let mut group = criterion.benchmark_group("column");
    group.throughput(Throughput::Elements(VALUES as u64));
    group.bench_function("decode timestamps", |bencher| {
        bencher.iter(|| {
            decoded.clear();
            decode_timestamps(black_box(&column), VALUES, &mut decoded)
        });
    });
    group.bench_function("encode timestamps", |bencher| {
        bencher.iter(|| {
            column.clear();
            encoder.timestamps(black_box(&timestamps), &mut column);
        });
    });
    group.finish();
}

criterion_group!(benches, floats, timestamps);
criterion_main!(benches);
