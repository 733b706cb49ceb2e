//! Encoding and decoding of head chunks, per sample: `cargo bench --bench encoding`. Prints the size of each kind of
//! data first.

#![expect(clippy::print_stdout, reason = "sizes are part of what a benchmark reports")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::encoding::bits::block_bytes;
use silverback::encoding::chunk::{OpenChunk, decode_into};
use silverback::head::chunks::CHUNK_SAMPLES_MAX;
use silverback::model::Sample;

/// Scraped every 15 s, every tenth time a millisecond late.
fn timestamp(i: usize) -> i64 {
    1_700_000_000_000 + i as i64 * 15_000 + i64::from(i.is_multiple_of(10))
}

/// A sequence of numbers that look random, the same in each run.
fn noise(i: usize) -> u64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32
}

fn samples(value: impl Fn(usize) -> f64) -> Vec<Sample> {
    (0..CHUNK_SAMPLES_MAX).map(|i| Sample::new(timestamp(i), value(i))).collect()
}

fn encode(samples: &[Sample], blocks: &mut Vec<u8>, chunk: &mut Vec<u8>) {
    blocks.clear();
    chunk.clear();
    let mut open = OpenChunk::default();
    for sample in samples {
        if let Some(block) = open.append(*sample) {
            blocks.extend_from_slice(&block_bytes(&block));
        }
    }
    open.write_to(blocks, chunk);
}

fn chunks(criterion: &mut Criterion) {
    let kinds = [
        ("constant", samples(|_| 1.0)),
        ("counter", samples(|i| (i * 150) as f64 + (noise(i) % 50) as f64)),
        ("gauge of tenths", samples(|i| 20.0 + (noise(i) % 100) as f64 / 10.0)),
        ("gauge of noise", samples(|i| noise(i) as f64 / 7.0)),
    ];
    let mut group = criterion.benchmark_group("chunk");
    group.throughput(Throughput::Elements(CHUNK_SAMPLES_MAX as u64));
    for (name, samples) in kinds {
        let (mut blocks, mut chunk) = (Vec::new(), Vec::new());
        encode(&samples, &mut blocks, &mut chunk);
        println!("{name}: {:.2} bytes per sample", chunk.len() as f64 / samples.len() as f64);
        group.bench_function(format!("encode {name}"), |bencher| {
            bencher.iter(|| encode(black_box(&samples), &mut blocks, &mut chunk));
        });
        let (mut timestamps, mut floats) = (Vec::new(), Vec::new());
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| {
                timestamps.clear();
                floats.clear();
                decode_into(black_box(&chunk), samples.len(), &mut timestamps, &mut floats)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, chunks);
criterion_main!(benches);
