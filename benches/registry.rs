//! A registry over a base file of 1 M series of 10 labels, two of them unique: `cargo bench --bench registry`. Prints what
//! one run of each step costs; the steps are long enough to need no statistics.

#![allow(clippy::disallowed_methods, reason = "only the engine keeps to its own file layer")]
#![allow(clippy::unwrap_used, reason = "a bench stops at what it does not expect")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use silverback::fs::os::OsDisk;
use silverback::fs::sealed::{SealedFile, SealedWriter};
use silverback::head::registry::layout::FILE_KIND;
use silverback::head::registry::{Registry, RegistryOptions, Resolution};
use silverback::model::{Batch, Item, Labels, Matcher, Outcome, Sample, SeriesRef};

const SERIES: usize = 1_000_000;
const REQUEST_SERIES: usize = 2000;
/// Series of one target, which share all labels but those of the metric.
const TARGET_SERIES: usize = 100;
const OPTIONS: RegistryOptions = RegistryOptions { series_max: usize::MAX };

/// Raw keys here are label names and values in order, each after its length in a byte.
fn decode(raw_key: &[u8]) -> Result<Labels, String> {
    let mut rest = raw_key;
    let mut texts = Vec::with_capacity(32);
    while let [len, tail @ ..] = rest {
        let (text, tail) = tail.split_at_checked(*len as usize).ok_or("cut short")?;
        texts.push(std::str::from_utf8(text).map_err(|error| error.to_string())?);
        rest = tail;
    }
    Ok(Labels::from_sorted(texts.chunks_exact(2).map(|pair| (pair[0], pair[1]))))
}

fn raw_key(series: usize) -> Vec<u8> {
    let (target, metric) = (series / TARGET_SERIES, series % TARGET_SERIES);
    let hash = series.wrapping_mul(2_654_435_761) & 0xff_ffff;
    let pairs = [
        ("__name__", format!("app_requests_duration_{metric}_seconds_total")),
        ("cluster", format!("prod-{}", target % 4)),
        ("container", format!("app{}", target % 20)),
        ("device", format!("path-{series}")),
        ("instance", format!("10.{}.{}.{}:8080", target >> 16, target >> 8 & 255, target & 255)),
        ("job", format!("kubernetes-pods-{}", target % 20)),
        ("method", ["GET", "POST", "PUT"][metric % 3].to_string()),
        ("namespace", format!("team-{}", target % 50)),
        ("node", format!("ip-10-0-{}.eu-west-1.compute.internal", target / 30)),
        ("pod", format!("app-{hash:06x}-{series:05x}")),
    ];
    let mut key = Vec::new();
    for text in pairs.iter().flat_map(|(name, value)| [*name, value]) {
        key.push(text.len() as u8);
        key.extend_from_slice(text.as_bytes());
    }
    key
}

fn request(start: usize) -> Batch {
    let mut body = Vec::new();
    let mut items = Vec::new();
    for i in 0..REQUEST_SERIES {
        let key = raw_key(start + i);
        items.push(Item {
            key_offset: body.len() as u32,
            key_len: key.len() as u32,
            sample_start: i as u32,
            sample_count: 1,
        });
        body.extend_from_slice(&key);
    }
    let samples = vec![Sample::new(0, 1.0); REQUEST_SERIES];
    let body = Bytes::from(body);
    Batch { body, items, samples, decode_labels: decode, rejected: Outcome::default() }
}

/// What this thread has spent on a processor, to the tick: other work on the machine does not count.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent_ns = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(spent_ns.unwrap_or(0))
}

/// Resolves all series, and tells what it took without making the requests.
fn resolve_all(registry: &Registry) -> Duration {
    let mut out = Resolution::default();
    let mut took = Duration::ZERO;
    for start in (0..SERIES).step_by(REQUEST_SERIES) {
        let request = request(start);
        let started = cpu_time();
        registry.resolve(&request, &mut out);
        took += cpu_time() - started;
        registry.mark_durable(out.definitions.iter().map(|(series, _)| *series));
    }
    took
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let (started, spent) = (Instant::now(), cpu_time());
    let result = black_box(work());
    let spent = cpu_time() - spent;
    eprint!("{:.1} ms on the clock, ", started.elapsed().as_secs_f64() * 1e3);
    report(what, spent);
    result
}

fn report(what: &str, took: Duration) {
    let per_series = took.as_nanos() as f64 / SERIES as f64;
    eprintln!("{what}: {:.1} ms, {per_series:.0} ns per series", took.as_secs_f64() * 1e3);
}

/// All slots, in an order that has nothing to do with their labels.
fn shuffled() -> Vec<u32> {
    (0..SERIES as u64).map(|i| (i * 611_953 % SERIES as u64) as u32).collect()
}

fn queries(kind: &str, registry: &Registry) {
    let all = || {
        registry
            .select(&[Matcher::new("__name__", silverback::model::MatchOp::Regex, ".+").unwrap()])
    };
    let slots = timed(&format!("{kind}: select all"), all);
    assert_eq!(slots.len(), SERIES);
    timed(&format!("{kind}: select one job"), || {
        registry.select(&[Matcher::equal("job", "kubernetes-pods-7")])
    });
    timed(&format!("{kind}: sort in order of slots"), || registry.sort(slots));
    let sorted = timed(&format!("{kind}: sort shuffled"), || registry.sort(shuffled()));
    timed(&format!("{kind}: labels in order"), || registry.labels_of(&sorted));
    let refs = timed(&format!("{kind}: refs of slots"), || registry.refs_of(&sorted));
    timed(&format!("{kind}: slots of refs"), || registry.slots_of(&refs));
    timed(&format!("{kind}: slots of refs, one by one"), || {
        refs.iter().filter_map(|series| registry.slot_of(*series)).map(u64::from).sum::<u64>()
    });
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.sbr");
    let registry = Registry::new(OPTIONS);
    report("memory: create", resolve_all(&registry));
    queries("memory", &registry);
    let written = timed("write base", || {
        let out = SealedWriter::create(&OsDisk, &path, FILE_KIND).unwrap();
        registry.write_base(&|_| true, out).unwrap()
    });
    eprintln!("base: {:.1} bytes per series", written.summary.len_bytes as f64 / SERIES as f64);
    let open = || {
        Registry::open(OPTIONS, Some(SealedFile::open(&OsDisk, &path, FILE_KIND).unwrap())).unwrap()
    };
    timed("open and check, first", open);
    let opened = timed("open and check, again", open);
    queries("base", &opened);
    report("base: resolve unknown aliases", resolve_all(&opened));
    report("base: resolve known aliases", resolve_all(&opened));
    assert_eq!(opened.len(), SERIES);
    rewrite(&opened, &dir.path().join("00000002.sbr"));
}

/// A second generation: a tenth of the series is left out, and one series is new.
fn rewrite(registry: &Registry, path: &Path) {
    registry.restore(&[(SeriesRef(1 << 40), Labels::from_pairs([("new", "1")]))]).unwrap();
    timed("rewrite base", || {
        let out = SealedWriter::create(&OsDisk, path, FILE_KIND).unwrap();
        registry.write_base(&|slot| slot % 10 != 0, out).unwrap()
    });
}
