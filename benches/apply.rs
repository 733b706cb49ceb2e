//! Applying requests of 2,000 samples, one per series, to 50,000 and 1,000,000 series: `cargo bench --bench apply`.
//! Prints what a series takes in memory first.

#![expect(clippy::print_stdout, reason = "sizes are part of what a benchmark reports")]
#![allow(clippy::disallowed_methods, reason = "only the engine keeps to its own file layer")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::head::apply::Appliers;
use silverback::head::generation::Generation;
use silverback::head::older::NothingOlder;
use silverback::head::work::{Slot, Work};
use silverback::model::Sample;
use silverback::sync::Arc;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REQUEST_SAMPLES: u32 = 2_000;
/// Series follow each other in requests at this distance, a prime, so that no line is loaded for its neighbour.
const STRIDE: u64 = 611_953;

/// A head to which one tick after the other is applied.
struct Ticks {
    appliers: Appliers,
    series: u32,
    requests: u64,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Integers that grow by a few each tick.
    Counters,
    /// All 52 bits of the fraction differ each tick.
    Noise,
}

impl Ticks {
    fn new(series: u32, kind: Kind) -> Ticks {
        Ticks {
            appliers: Appliers::new(&Generation::new(0, 1), i64::MIN),
            series,
            requests: 0,
            kind,
        }
    }

    fn value(&self, slot: Slot, tick: u64) -> f64 {
        let mixed = (u64::from(slot) + tick * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        match self.kind {
            Kind::Counters => (u64::from(slot) + tick * 10 + mixed % 10) as f64,
            Kind::Noise => mixed as f64 / 1e16,
        }
    }

    fn next_request(&mut self) -> Arc<Work> {
        let requests_per_tick = u64::from(self.series / REQUEST_SAMPLES);
        let tick = self.requests / requests_per_tick;
        let first = (self.requests % requests_per_tick) as u32 * REQUEST_SAMPLES;
        self.requests += 1;
        let timestamp = 1_700_000_000_000 + tick as i64 * 15_000;
        let samples = (first..first + REQUEST_SAMPLES).map(|position| {
            let slot = (u64::from(position) * STRIDE % u64::from(self.series)) as Slot;
            (slot, [Sample::new(timestamp, self.value(slot, tick))])
        });
        let samples: Vec<_> = samples.collect();
        let runs = samples.iter().zip(0..).map(|((slot, one), first)| (*slot, first, &one[..]));
        Work::new(runs, |outcome| assert_eq!(outcome.written, u64::from(REQUEST_SAMPLES)))
    }

    fn apply(&self, work: &Arc<Work>) {
        self.appliers.push(self.requests, work);
        while self.appliers.apply_once(&NothingOlder) {}
    }

    fn apply_ticks(&mut self, ticks: u64) {
        for _ in 0..ticks * u64::from(self.series / REQUEST_SAMPLES) {
            let work = self.next_request();
            self.apply(&work);
        }
    }
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
    let kib = line.split_whitespace().nth(1).and_then(|text| text.parse::<usize>().ok());
    kib.expect("a number of KiB") * 1024
}

/// Only in a process that has not used memory yet does the resident size tell.
fn print_memory() {
    const SERIES: u32 = 1_000_000;
    let before = resident_bytes();
    let mut ticks = Ticks::new(SERIES, Kind::Counters);
    for (count, total) in [(3, 3), (37, 40), (200, 240)] {
        ticks.apply_ticks(count);
        println!(
            "{total} samples each: {} bytes per series counted, {} resident",
            ticks.appliers.memory_bytes() / SERIES as usize,
            (resident_bytes() - before) / SERIES as usize,
        );
    }
}

fn apply(criterion: &mut Criterion) {
    print_memory();
    let mut group = criterion.benchmark_group("apply");
    group.throughput(Throughput::Elements(u64::from(REQUEST_SAMPLES)));
    for (name, kind) in [("counters", Kind::Counters), ("noise", Kind::Noise)] {
        for series in [50_000, 1_000_000] {
            let mut ticks = Ticks::new(series, kind);
            ticks.apply_ticks(3);
            group.bench_function(format!("{name}, {series} series"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut elapsed = std::time::Duration::ZERO;
                    for _ in 0..iterations {
                        let work = ticks.next_request();
                        let start = std::time::Instant::now();
                        ticks.apply(&work);
                        elapsed += start.elapsed();
                    }
                    elapsed
                });
            });
        }
    }
    group.bench_function("building a request", |bencher| {
        let mut ticks = Ticks::new(50_000, Kind::Counters);
        bencher.iter(|| ticks.next_request());
    });
    group.finish();
}

criterion_group!(benches, apply);
criterion_main!(benches);
