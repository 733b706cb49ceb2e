//! The samples of the query benchmark: the same for the same window, whoever is asked. Targets of 100 counters `m`, two
//! histograms `x_bucket`, ten gauges `a` and `b` for joins, and one `build_info`, scraped every 15 s.
//!
//! No sample lies less than a second from a whole multiple of 15 s, and the queries ask half a second behind one: so none lies
//! on the edge of a range, where Prometheus 2.42 and 3.x differ. They differ, too, in how far they extrapolate a rate to the left of
//! where a counter first appears, if that is close to 0: so none begins there.

use crate::crash::Random;
use crate::remote_write::{self, Series};

/// Between two samples of a series.
pub const SCRAPE_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;
/// Blocks and windows of Silverback and Prometheus begin at multiples of this.
const WINDOW_MS: i64 = 2 * HOUR_MS;
/// How far behind a whole multiple of 15 s the queries ask.
const QUESTION_OFFSET_MS: i64 = 500;
/// Scrapes lie so far behind a whole multiple of 15 s, and up to [`SCRAPE_SPREAD_MS`] more.
const SCRAPE_OFFSET_MS: i64 = 1_000;
const SCRAPE_SPREAD_MS: usize = 13_000;
/// Scrapes are up to this late, as real ones are.
const JITTER_MS: u64 = 4;

/// All names of metrics.
pub const METRICS: [&str; 5] = ["m", "x_bucket", "a", "b", "build_info"];
/// Counters `m` per target: one of `tier="s"`, ten of `tier="m"`, the others of `tier="l"`.
pub const COUNTERS: usize = 100;
pub const TIER_M: usize = 10;
/// Histograms per target.
pub const HISTOGRAMS: usize = 2;
/// Upper bounds of their buckets.
pub const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
/// Gauges `a`, and as many `b`, per target.
pub const GAUGES: usize = 10;
const JOBS: usize = 20;

/// Scrapes that one request delivers of a series: six minutes.
const SCRAPES_PER_REQUEST: i64 = 24;
/// Series of one request: with so many scrapes it stays far below the limits of all receivers.
const SERIES_PER_REQUEST: usize = 500;
/// A counter begins at 0 again about once in so many scrapes: one series of four does within two hours.
const RESET_ONE_IN: u64 = 2_000;
/// Counters begin at this or more: far more than one counts in the five minutes of a rate.
const COUNTER_BEGIN: u64 = 500_000;

/// How much there is.
#[derive(Clone, Copy)]
pub struct Extent {
    /// Samples lie before this; a multiple of two hours.
    pub end_ms: i64,
    pub hours: i64,
    pub targets: usize,
}

impl Extent {
    /// `counters` series of `m`, up to the newest whole window before `now_ms`.
    pub fn new(counters: usize, hours: i64, now_ms: i64) -> Extent {
        let end_ms = now_ms - now_ms.rem_euclid(WINDOW_MS);
        Extent { end_ms, hours, targets: counters.div_ceil(COUNTERS) }
    }

    pub fn series(&self) -> usize {
        self.targets * (COUNTERS + HISTOGRAMS * BOUNDS.len() + 2 * GAUGES + 1)
    }

    pub fn samples(&self) -> usize {
        self.series() * self.scrapes() as usize
    }

    /// The time all queries end at: behind the last sample.
    pub fn question_ms(&self) -> i64 {
        self.end_ms + QUESTION_OFFSET_MS
    }

    /// Counters of the targets whose pod ends with "1".
    pub fn pods_with_one(&self) -> usize {
        (0..self.targets).filter(|target| pod(*target).ends_with('1')).count() * COUNTERS
    }

    fn start_ms(&self) -> i64 {
        self.end_ms - self.hours * HOUR_MS
    }

    fn scrapes(&self) -> i64 {
        self.hours * HOUR_MS / SCRAPE_MS
    }

    /// Gives every request body in the order in which a receiver needs them.
    pub fn requests(&self, mut send: impl FnMut(Vec<u8>)) {
        let mut lines: Vec<Line> = (0..self.targets).flat_map(lines_of).collect();
        let mut begun = 0;
        while begun < self.scrapes() {
            let scrapes = begun..(begun + SCRAPES_PER_REQUEST).min(self.scrapes());
            for group in lines.chunks_mut(SERIES_PER_REQUEST) {
                let series = group.iter_mut().map(|line| Series {
                    labels: line.labels.clone(),
                    samples: scrapes.clone().map(|scrape| line.sample(self, scrape)).collect(),
                });
                send(remote_write::body(&series.collect::<Vec<_>>()));
            }
            begun = scrapes.end;
        }
    }
}

/// How the values of a series go on.
#[derive(Clone, Copy)]
enum Kind {
    /// A counter of events.
    Events,
    /// A counter of seconds, with two decimals.
    Seconds,
    /// The bucket at this place in [`BOUNDS`], with what all below it count.
    Bucket(usize),
    /// Any whole number above 0.
    Gauge,
    /// Always 1.
    One,
}

/// A series and where its values are.
struct Line {
    labels: Vec<(String, String)>,
    target: usize,
    kind: Kind,
    random: Random,
    value: f64,
}

impl Line {
    fn new(target: usize, seed: usize, kind: Kind, name: &str, own: &[(&str, &str)]) -> Line {
        let mut labels = target_labels(target);
        labels.push(("__name__".to_string(), name.to_string()));
        labels.extend(own.iter().map(|(name, value)| (name.to_string(), value.to_string())));
        labels.sort();
        // Any odd number: the generator must not begin at 0.
        let mut random = Random((target * 1_000 + seed) as u64 * 2 + 1);
        for _ in 0..8 {
            random.below(1);
        }
        let value = match kind {
            Kind::Events | Kind::Seconds => (COUNTER_BEGIN + random.below(COUNTER_BEGIN)) as f64,
            Kind::Bucket(place) => COUNTER_BEGIN as f64 * (place + 1) as f64,
            Kind::Gauge | Kind::One => 1.0,
        };
        Line { labels, target, kind, random, value }
    }

    fn sample(&mut self, extent: &Extent, scrape: i64) -> (i64, f64) {
        let offset_ms = SCRAPE_OFFSET_MS + (self.target * 7_919 % SCRAPE_SPREAD_MS) as i64;
        let place = ((self.target as u64 + 1) * 0x9e37_79b9) ^ ((scrape as u64 + 1) << 40);
        let mut late = Random(place);
        late.below(1);
        let jitter_ms = late.below(JITTER_MS) as i64;
        if scrape > 0 {
            self.step();
        }
        (extent.start_ms() + scrape * SCRAPE_MS + offset_ms + jitter_ms, self.value)
    }

    fn step(&mut self) {
        let is_counter = !matches!(self.kind, Kind::Gauge | Kind::One);
        if is_counter && self.random.below(RESET_ONE_IN) == 0 {
            self.value = 0.0;
        }
        match self.kind {
            Kind::Events => {
                if self.random.below(10) < 7 {
                    self.value += self.random.below(30) as f64;
                }
            }
            Kind::Seconds => {
                let hundredths = (self.value * 100.0).round() + self.random.below(1_500) as f64;
                self.value = hundredths / 100.0;
            }
            // All buckets of a histogram draw the same numbers.
            Kind::Bucket(place) => {
                let drawn: [u64; BOUNDS.len()] = std::array::from_fn(|_| self.random.below(4));
                self.value += drawn[..=place].iter().sum::<u64>() as f64;
            }
            Kind::Gauge => self.value = (self.random.below(1_000_000) + 1) as f64,
            Kind::One => {}
        }
    }
}

fn pod(target: usize) -> String {
    format!("app-{:06x}-{:05x}", (target * 2_654_435_761) & 0xff_ffff, (target * 40_503) & 0xf_ffff)
}

pub fn instance(target: usize) -> String {
    format!("10.{}.{}.{}:8080", target / 65_536 % 256, target / 256 % 256, target % 256)
}

fn target_labels(target: usize) -> Vec<(String, String)> {
    let (rack, host) = (target / 30 / 256 % 256, target / 30 % 256);
    let pairs = [
        ("cluster", format!("prod-{}", target % 4)),
        ("container", format!("app{}", target % JOBS)),
        ("instance", instance(target)),
        ("job", format!("kubernetes-pods-{}", target % JOBS)),
        ("namespace", format!("team-{}", target % 50)),
        ("node", format!("ip-10-0-{rack}-{host}.eu-west-1.compute.internal")),
        ("pod", pod(target)),
    ];
    pairs.map(|(name, value)| (name.to_string(), value)).into()
}

fn lines_of(target: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for index in 0..COUNTERS {
        let tier = match index {
            0 => "s",
            1..=TIER_M => "m",
            _ => "l",
        };
        let kind = if index % 4 == 3 { Kind::Seconds } else { Kind::Events };
        let handler = format!("/api/v1/resource-{}", index / 4);
        let status = ["200", "404", "500", "503"][index % 4];
        let own = [("handler", &*handler), ("status", status), ("tier", tier)];
        lines.push(Line::new(target, index, kind, "m", &own));
    }
    for histogram in 0..HISTOGRAMS {
        let handler = format!("/api/v1/resource-{histogram}");
        for (place, bound) in BOUNDS.iter().enumerate() {
            let own = [("handler", &*handler), ("le", *bound)];
            let kind = Kind::Bucket(place);
            lines.push(Line::new(target, 200 + histogram, kind, "x_bucket", &own));
        }
    }
    for gauge in 0..GAUGES {
        let device = format!("sd{gauge}");
        let own = [("device", &*device)];
        lines.push(Line::new(target, 300 + gauge, Kind::Gauge, "a", &own));
        lines.push(Line::new(target, 400 + gauge, Kind::Gauge, "b", &own));
    }
    let version = format!("v1.{}.{}", target % 7, target % 13);
    lines.push(Line::new(target, 0, Kind::One, "build_info", &[("version", &version)]));
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn series_are_as_many_as_told_and_all_different() {
        let extent = Extent::new(2_000, 2, 1_700_000_000_000);
        let lines: Vec<Line> = (0..extent.targets).flat_map(lines_of).collect();
        let distinct: HashSet<String> = lines.iter().map(|l| format!("{:?}", l.labels)).collect();
        assert_eq!((lines.len(), distinct.len()), (extent.series(), extent.series()));
        let of_tier = |tier: &str| {
            lines.iter().filter(|l| l.labels.contains(&("tier".into(), tier.into()))).count()
        };
        assert_eq!((of_tier("s"), of_tier("m"), of_tier("l")), (20, 200, 1_780));
    }

    #[test]
    fn samples_lie_in_one_window_and_away_from_the_edges_of_ranges() {
        let extent = Extent::new(100, 2, 1_700_000_000_000);
        for target in 0..3_000 {
            let mut line = Line::new(target, 0, Kind::One, "build_info", &[]);
            for scrape in [0, 1, extent.scrapes() - 1] {
                let (timestamp, _) = line.sample(&extent, scrape);
                assert!((extent.start_ms()..extent.end_ms).contains(&timestamp));
                assert!(timestamp.rem_euclid(SCRAPE_MS) > QUESTION_OFFSET_MS);
            }
        }
    }

    #[test]
    fn buckets_never_count_less_than_those_below_them() {
        let extent = Extent::new(100, 2, 1_700_000_000_000);
        let mut lines = lines_of(7);
        lines.retain(|line| matches!(line.kind, Kind::Bucket(_)));
        for scrape in 0..extent.scrapes() {
            let values: Vec<f64> = lines.iter_mut().map(|l| l.sample(&extent, scrape).1).collect();
            for histogram in values.chunks(BOUNDS.len()) {
                assert!(histogram.is_sorted(), "{histogram:?}");
            }
        }
    }
}
