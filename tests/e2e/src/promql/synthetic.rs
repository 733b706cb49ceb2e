//! Series for what no recording has: resets, NaN and infinities, staleness markers and gaps of every length, histograms with
//! flaws, series for joins, samples exactly on the edges of ranges.

use super::samples::{BEGIN_MS, SCRAPE_MS, SCRAPES, counter, gauge, series};
use crate::remote_write::Series;

/// The value that ends a series.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// Never, as one in so many.
const NEVER: u64 = u64::MAX;

/// All series.
pub fn all() -> Vec<Series> {
    [counters(), gauges(), odd(), gappy(), histograms(), broken_histograms(), joins(), edges()]
        .into_iter()
        .flatten()
        .collect()
}

fn counters() -> Vec<Series> {
    let mut all = Vec::new();
    for (job, instance) in [("api", "a"), ("api", "b"), ("api", "c"), ("web", "a"), ("web", "b")] {
        for (code, growth) in [("200", 40), ("404", 7), ("500", 2)] {
            let labels = [("job", job), ("instance", instance), ("code", code)];
            all.push(series("requests_total", &labels, counter(500_000, growth, 60)));
        }
        let labels = [("job", job), ("instance", instance)];
        all.push(series("bytes_total", &labels, counter(1 << 42, 1 << 20, NEVER)));
    }
    // Begin near 0 while all else runs on.
    for (instance, begin) in [("a", 80), ("b", 130), ("c", 95), ("d", 187)] {
        let mut count = counter(0, 5, NEVER);
        all.push(series("young_total", &[("instance", instance)], move |scrape, random| {
            if scrape < begin { None } else { count(scrape, random) }
        }));
    }
    all
}

fn gauges() -> Vec<Series> {
    let mut all = Vec::new();
    for (room, middle) in [("kitchen", 21.5), ("bath", 24.0), ("office", 19.0), ("cellar", 0.3)] {
        for (floor, shift) in [("1", 0.0), ("2", -30.0)] {
            let labels = [("room", room), ("floor", floor)];
            all.push(series("temperature", &labels, gauge(middle + shift, 6)));
        }
    }
    for (instance, value) in [("a", 42.0), ("b", 1e9), ("c", -0.1)] {
        all.push(series("constant", &[("instance", instance)], move |_, _| Some(value)));
        let labels = [("instance", instance)];
        all.push(series("flag", &labels, |_, random| Some((random.below(4) / 3) as f64)));
    }
    for text in ["one\ntwo", "one two", "onetwo"] {
        all.push(series("multi_line", &[("text", text)], gauge(5.0, 4)));
    }
    all
}

/// A value that is any of `values`, or often an ordinary one.
fn mixed(values: &'static [f64]) -> impl FnMut(i64, &mut crate::crash::Random) -> Option<f64> {
    move |_, random| match random.below(4) {
        0 => values.get(random.below(values.len() as u64) as usize).copied(),
        _ => Some(random.below(1_000) as f64 / 8.0),
    }
}

fn odd() -> Vec<Series> {
    const CASES: &[(&str, &[f64])] = &[
        ("nan", &[f64::NAN]),
        ("infinite", &[f64::INFINITY]),
        ("minus_infinite", &[f64::NEG_INFINITY]),
        ("all", &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]),
        ("negative", &[-3.5, -0.0, -1e3]),
        ("tiny", &[1e-300, -3e-305]),
    ];
    let mut all: Vec<Series> = CASES
        .iter()
        .map(|(case, values)| series("odd", &[("case", case)], mixed(values)))
        .collect();
    all.push(series("odd", &[("case", "only_nan")], |_, _| Some(f64::NAN)));
    all.push(series("odd", &[("case", "only_zero")], |_, _| Some(0.0)));
    all.push(series("infinite", &[("sign", "+")], |_, _| Some(f64::INFINITY)));
    all.push(series("infinite", &[("sign", "-")], |_, _| Some(f64::NEG_INFINITY)));
    all.push(series("undefined", &[("case", "nan")], |_, _| Some(f64::NAN)));
    all.push(series("huge", &[], mixed(&[1e300, 3e300, 1.7e308])));
    all.push(series("subnormal", &[], mixed(&[5e-324, 2e-310])));
    // In the order of the labels these cancel out but for the second.
    for (part, value) in [("1", 1e100), ("2", 1.0), ("3", -1e100)] {
        all.push(series("cancelling", &[("part", part)], move |_, _| Some(value)));
    }
    all
}

fn gappy() -> Vec<Series> {
    /// Is there a sample at this scrape?
    type Present = fn(i64) -> bool;
    const CASES: &[(&str, Present)] = &[
        ("short", |scrape| scrape % 20 < 15),
        ("long", |scrape| scrape % 60 < 25),
        ("late", |scrape| scrape > 110),
        ("early", |scrape| scrape < 130),
        ("sparse", |scrape| scrape % 16 == 3),
        ("very_sparse", |scrape| scrape % 30 == 7),
        ("once", |scrape| scrape == 118),
        ("twice", |scrape| scrape == 100 || scrape == 120),
    ];
    let mut all = Vec::new();
    for (case, present) in CASES {
        let mut value = gauge(100.0, 50);
        all.push(series("gappy", &[("case", case)], move |scrape, random| {
            value(scrape, random).filter(|_| present(scrape))
        }));
    }
    // A marker ends the series; it comes back at once, after a while, or never.
    for (case, from, until) in [("blink", 50, 51), ("pause", 110, 140), ("end", 124, SCRAPES)] {
        let mut value = gauge(10.0, 8);
        all.push(series("stale", &[("case", case)], move |scrape, random| {
            let value = value(scrape, random);
            match scrape {
                _ if scrape == from => Some(STALE),
                _ if (from..until).contains(&scrape) => None,
                _ => value,
            }
        }));
        let mut count = counter(1_000, 30, NEVER);
        all.push(series("stale_total", &[("case", case)], move |scrape, random| {
            let value = count(scrape, random);
            if scrape % from == from - 1 { Some(STALE) } else { value }
        }));
    }
    all
}

const BOUNDS: [&str; 6] = ["0.01", "0.1", "0.5", "1", "5", "+Inf"];

fn histograms() -> Vec<Series> {
    let mut all = Vec::new();
    for (job, instance) in [("api", "a"), ("api", "b"), ("web", "a")] {
        for (place, bound) in BOUNDS.iter().enumerate() {
            let labels = [("job", job), ("instance", instance), ("le", bound)];
            // Every bucket counts what those below it count, too.
            let grown = move |scrape: i64, _: &mut crate::crash::Random| {
                let since_reset = (scrape + 300) % 170;
                let below =
                    (0..=place as i64).map(|p| since_reset * (p * 3 + 1) + since_reset % (p + 2));
                Some((1_000 * (place as i64 + 1) + below.sum::<i64>()) as f64)
            };
            all.push(series("latency_seconds_bucket", &labels, grown));
        }
        let labels = [("job", job), ("instance", instance)];
        all.push(series("latency_seconds_count", &labels, |scrape, _| {
            Some((6_000 + (scrape + 300) % 170 * 51) as f64)
        }));
        all.push(series("latency_seconds_sum", &labels, |scrape, _| {
            Some(1_234.5 + ((scrape + 300) % 170) as f64 * 17.25)
        }));
    }
    all
}

/// Histograms with flaws, each with the counts of its buckets, which do not change.
fn broken_histograms() -> Vec<Series> {
    const CASES: &[(&str, &[(&str, f64)])] = &[
        ("no_infinity", &[("1", 3.0), ("2", 5.0)]),
        ("only_infinity", &[("+Inf", 7.0)]),
        ("falls", &[("1", 5.0), ("2", 3.0), ("4", 8.0), ("+Inf", 8.0)]),
        ("falls_at_the_end", &[("1", 2.0), ("2", 9.0), ("+Inf", 6.0)]),
        ("empty", &[("1", 0.0), ("2", 0.0), ("+Inf", 0.0)]),
        ("nan", &[("1", 1.0), ("2", f64::NAN), ("+Inf", 4.0)]),
        ("nan_total", &[("1", 1.0), ("2", 2.0), ("+Inf", f64::NAN)]),
        ("negative_bounds", &[("-5", 2.0), ("-1", 4.0), ("0", 6.0), ("3", 9.0), ("+Inf", 10.0)]),
        ("all_negative", &[("-2", 5.0), ("-1", 9.0), ("+Inf", 12.0)]),
        ("equal_bounds", &[("1", 1.0), ("1.0", 2.0), ("2", 6.0), ("2e0", 1.0), ("+Inf", 9.0)]),
        ("not_a_number", &[("1", 1.0), ("lots", 2.0), ("2", 3.0), ("+Inf", 4.0)]),
        ("infinite_counts", &[("1", 1.0), ("2", f64::INFINITY), ("+Inf", f64::INFINITY)]),
        ("all_in_the_last", &[("1", 0.0), ("2", 0.0), ("+Inf", 5.0)]),
        ("all_in_the_first", &[("1", 5.0), ("2", 5.0), ("+Inf", 5.0)]),
    ];
    let mut all = Vec::new();
    for (case, buckets) in CASES {
        for (bound, count) in *buckets {
            let labels = [("case", *case), ("le", *bound)];
            all.push(series("broken_bucket", &labels, |_, _| Some(*count)));
        }
    }
    all.push(series("broken_bucket", &[("case", "no_bound")], |_, _| Some(1.0)));
    all
}

fn joins() -> Vec<Series> {
    let mut all = Vec::new();
    for y in ["a", "b", "c"] {
        for x in ["1", "2", "3", "4"] {
            let few = |_, random: &mut crate::crash::Random| Some(random.below(5) as f64);
            all.push(series("left", &[("x", x), ("y", y)], few));
        }
        for x in ["2", "3", "4", "5"] {
            let few = |_, random: &mut crate::crash::Random| Some(random.below(5) as f64 - 1.0);
            all.push(series("right", &[("x", x), ("y", y)], few));
        }
    }
    for (x, team) in [("1", "red"), ("2", "blue"), ("3", "blue"), ("6", "green")] {
        all.push(series("owner", &[("x", x), ("team", team)], |_, _| Some(1.0)));
        all.push(series("limit", &[("x", x)], gauge(3.0, 3)));
        for n in ["i", "ii"] {
            all.push(series("double", &[("x", x), ("n", n)], gauge(1.0, 2)));
        }
    }
    // The version changes while all else runs on.
    for (version, from, until) in [("v1", 0, 125), ("v2", 125, SCRAPES)] {
        all.push(series(
            "build_info",
            &[("job", "api"), ("version", version)],
            move |scrape, _| match scrape {
                _ if scrape == until => Some(STALE),
                _ if (from..until).contains(&scrape) => Some(1.0),
                _ => None,
            },
        ));
    }
    all
}

/// Samples at whole multiples of 15 s, where the edges of the ranges asked of them lie.
fn edges() -> Vec<Series> {
    let mut all = Vec::new();
    for (name, growth) in [("edge", 0), ("edge_total", 3)] {
        for (case, until) in [("runs", SCRAPES), ("ends", 4 * 26 + 1)] {
            let mut one = series(name, &[("case", case)], |scrape, random| {
                let value = scrape * growth + random.below(3) as i64;
                Some((5_000 * growth + value) as f64).filter(|_| scrape < until)
            });
            for (scrape, sample) in one.samples.iter_mut().enumerate() {
                sample.0 = BEGIN_MS + scrape as i64 * SCRAPE_MS;
            }
            all.push(one);
        }
    }
    all
}
