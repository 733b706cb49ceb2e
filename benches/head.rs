//! What the head costs per series: `cargo bench --bench head -- resolve`. Bytes per series are printed beside.

#![allow(clippy::disallowed_methods, reason = "only the engine keeps to its own file layer")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use silverback::head::registry::{Registry, RegistryOptions, Resolution};
use silverback::model::{Batch, Item, Labels, Outcome, Sample, SeriesRef};

const REQUEST_SERIES: usize = 2000;
/// Series of one target, which share all labels but three.
const TARGET_SERIES: usize = 100;

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

fn raw_key(series: usize, has_unique_label: bool) -> Vec<u8> {
    let (target, metric) = (series / TARGET_SERIES, series % TARGET_SERIES);
    let hash = target.wrapping_mul(2_654_435_761) & 0xff_ffff;
    let device =
        if has_unique_label { format!("path-{series}") } else { format!("{}", metric / 10) };
    let pairs = [
        ("__name__", format!("app_requests_duration_{metric}_seconds_total")),
        ("cluster", format!("prod-{}", target % 4)),
        ("container", format!("app{}", target % 20)),
        ("device", device),
        ("instance", format!("10.{}.{}.{}:8080", target >> 16, target >> 8 & 255, target & 255)),
        ("job", format!("kubernetes-pods-{}", target % 20)),
        ("method", ["GET", "POST", "PUT"][metric % 3].to_string()),
        ("namespace", format!("team-{}", target % 50)),
        ("node", format!("ip-10-0-{}.eu-west-1.compute.internal", target / 30)),
        ("pod", format!("app-{hash:06x}-{target:05x}")),
    ];
    let mut key = Vec::new();
    for text in pairs.iter().flat_map(|(name, value)| [*name, value]) {
        key.push(text.len() as u8);
        key.extend_from_slice(text.as_bytes());
    }
    key
}

fn requests(series_count: usize, has_unique_label: bool) -> Vec<Batch> {
    let starts = (0..series_count).step_by(REQUEST_SERIES);
    starts.map(|start| request(start, has_unique_label)).collect()
}

fn request(start: usize, has_unique_label: bool) -> Batch {
    let mut body = Vec::new();
    let mut items = Vec::new();
    for i in 0..REQUEST_SERIES {
        let key = raw_key(start + i, has_unique_label);
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

/// Resolves a request whose body has just been written, as after decompression.
fn resolve(registry: &Registry, request: &Batch, out: &mut Resolution) -> Duration {
    let batch = Batch { body: Bytes::copy_from_slice(&request.body), ..request.clone() };
    let start = Instant::now();
    registry.resolve(black_box(&batch), out);
    start.elapsed()
}

/// What this thread has spent on a processor, to the tick: other work on the machine does not count.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent_ns = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(spent_ns.unwrap_or(0))
}

/// A registry with all series, and the time to create them, their labels' decoding included.
fn filled(requests: &[Batch]) -> (Registry, Duration) {
    let registry = Registry::new(RegistryOptions { series_max: usize::MAX });
    let mut out = Resolution::default();
    let start = cpu_time();
    for request in requests {
        resolve(&registry, request, &mut out);
        registry.mark_durable(out.definitions.iter().map(|(series, _)| *series));
    }
    (registry, cpu_time() - start)
}

fn restored(requests: &[Batch]) -> Duration {
    let keys = requests.iter().flat_map(|request| request.items.iter().map(|i| request.key(i)));
    let define = |(series, key)| Ok((SeriesRef(series), decode(key)?));
    let definitions: Result<Vec<(SeriesRef, Labels)>, String> =
        (1..).zip(keys).map(define).collect();
    let definitions = definitions.expect("keys of this bench are valid");
    let registry = Registry::new(RegistryOptions { series_max: usize::MAX });
    let start = cpu_time();
    for record in definitions.chunks(REQUEST_SERIES) {
        registry.restore(record).expect("refs of this bench are valid");
    }
    cpu_time() - start
}

fn bench_resolve(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resolve");
    group.throughput(Throughput::Elements(REQUEST_SERIES as u64)).sample_size(10);
    for (series_count, has_unique_label) in [(50_000, false), (1_000_000, false), (1_000_000, true)]
    {
        let requests = requests(series_count, has_unique_label);
        let (registry, spent) = filled(&requests);
        let name = format!("{series_count}{}", if has_unique_label { "_unique_value" } else { "" });
        let per_series = |total: f64| total / series_count as f64;
        let stats = registry.stats();
        let index = stats.index;
        eprintln!(
            "{name}: new {:.0} ns, restore {:.0} ns; bytes: alias {:.1}, identity {:.1}, rows {:.1}, \
             symbols {:.1}, postings {:.1}",
            per_series(spent.as_nanos() as f64),
            per_series(restored(&requests).as_nanos() as f64),
            per_series(stats.alias_bytes as f64),
            per_series(index.identity_bytes as f64),
            per_series(index.rows_bytes as f64),
            per_series(index.symbols_bytes as f64),
            per_series(index.postings_bytes as f64),
        );
        let mut out = Resolution::default();
        let mut next = requests.iter().cycle();
        group.bench_function(format!("known_{name}"), |bencher| {
            bencher.iter_custom(|count| {
                let some = next.by_ref().take(count as usize);
                some.map(|request| resolve(&registry, request, &mut out)).sum()
            });
        });
    }
    group.finish();
}

criterion_group!(head, bench_resolve);
criterion_main!(head);
