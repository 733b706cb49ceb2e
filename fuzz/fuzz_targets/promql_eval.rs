//! A random query over random data gives what the oracle of the integration tests says: the same values, warnings and infos,
//! and the same errors, at one time and at the steps of a range. Both are made of the bytes, by the generator of those tests.
//! Any text that parses is answered or refused within its limits, and without a panic.

#![no_main]

#[path = "../../tests/it/choices.rs"]
mod choices;
#[path = "../../tests/it/oracle/mod.rs"]
mod oracle;
#[path = "../../tests/it/promql_generator.rs"]
mod promql_generator;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use silverback::promql::engine::{Engine, EngineOptions, Limits, Steps};
use silverback::promql::parser::{ParseOptions, parse};
use silverback::read::memory::MemorySource;

use oracle::case::{Case, DATA_BYTES};
use oracle::compare::disagreement;

/// Small, so that a subquery of many steps meets it soon.
const SAMPLES_MAX: u64 = 50_000;
/// A query ends this soon, whatever it asks for.
const TIME_MAX: Duration = Duration::from_secs(2);
/// How long a query may take to notice that its time is over.
const NOTICE_MAX: Duration = Duration::from_secs(3);

/// What any text is asked of: all kinds of series, as far as bytes of one value decide.
static SOURCE: LazyLock<MemorySource> =
    LazyLock::new(|| oracle::data::source(&Case::of(&[100; DATA_BYTES]).data));
static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    Engine::new(EngineOptions {
        samples_max: SAMPLES_MAX,
        parse: ParseOptions::all(),
        ..EngineOptions::default()
    })
});

fuzz_target!(|bytes: &[u8]| {
    if let Some(flaw) = disagreement(&Case::of(bytes)) {
        panic!("{flaw}");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        is_bounded(text);
    }
});

fn is_bounded(text: &str) {
    let Ok(expr) = parse(text, &ParseOptions::all()) else { return };
    let begun = Instant::now();
    let limits = Limits { deadline: Some(begun + TIME_MAX), ..Limits::default() };
    // Any error is an answer, too.
    let _ = ENGINE.instant_expr(&*SOURCE, text, &expr, 200_000, &limits);
    let steps = Steps { start: -20_000, end: 320_000, step_ms: 17_000 };
    let _ = ENGINE.range_expr(&*SOURCE, text, &expr, steps, &limits);
    assert!(begun.elapsed() < TIME_MAX + NOTICE_MAX, "{text:?} took {:?}", begun.elapsed());
}
