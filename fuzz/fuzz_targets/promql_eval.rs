//! Any text that parses is answered or refused within its limits, at one time and at the steps of a range, without a panic;
//! over a few series with gaps, resets, NaN, infinities and staleness markers.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use silverback::model::{Labels, STALE_NAN_BITS};
use silverback::promql::engine::{Engine, EngineOptions, Limits, Steps};
use silverback::promql::parser::{ParseOptions, parse};
use silverback::read::memory::MemorySource;

/// Small, so that a subquery of many steps meets it soon.
const SAMPLES_MAX: u64 = 50_000;
/// A query ends this soon, whatever it asks for.
const TIME_MAX: Duration = Duration::from_secs(2);
/// How long a query may take to notice that its time is over.
const NOTICE_MAX: Duration = Duration::from_secs(3);
const INTERVAL_MS: i64 = 10_000;

static SOURCE: LazyLock<MemorySource> = LazyLock::new(source);
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineOptions {
        samples_max: SAMPLES_MAX,
        parse: ParseOptions::all(),
        ..EngineOptions::default()
    })
});

fn source() -> MemorySource {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let values = [1.0, 2.5, f64::NAN, 7.0, stale, 0.0, 3.0, f64::INFINITY, -1.0, 4.0];
    let mut source = MemorySource::new();
    for (seed, (name, i)) in [("a", "1"), ("a", "2"), ("b", "1"), ("b", "3")].into_iter().enumerate() {
        let labels = Labels::from_pairs([("__name__", name), ("i", i), ("le", "1")]);
        for sample in (0..30).filter(|sample| sample % 7 != seed) {
            let value = values[(sample * (seed + 1)) % values.len()];
            source.add(&labels, sample as i64 * INTERVAL_MS, value);
        }
    }
    source
}

fuzz_target!(|text: &str| {
    let Ok(expr) = parse(text, &ParseOptions::all()) else { return };
    let begun = Instant::now();
    let limits = Limits { deadline: Some(begun + TIME_MAX), ..Limits::default() };
    // Any error is an answer, too.
    let _ = ENGINE.instant_expr(&*SOURCE, text, &expr, 200_000, &limits);
    let steps = Steps { start: -20_000, end: 320_000, step_ms: 17_000 };
    let _ = ENGINE.range_expr(&*SOURCE, text, &expr, steps, &limits);
    assert!(begun.elapsed() < TIME_MAX + NOTICE_MAX, "{text:?} took {:?}", begun.elapsed());
});
