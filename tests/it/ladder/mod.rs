//! Scripted workloads that climb the whole ladder with few samples and no time passing: they spill, merge spills, cut windows,
//! cut late samples, compact, drop by retention, write the base of the registry anew, forget series and meet them again.
//!
//! * `run`: a workload on a simulated disk, with what any power cut during it may show
//! * `images`: power cuts at every operation, and again during what follows each
//! * `faults`: every operation failing, once and for ever

mod faults;
mod images;
mod run;

use silverback::db::DbStats;

use crate::fixture::{NOW_MS, Point};
use crate::history::{HOUR_MS, MINUTE_MS, Settings};

/// Requests committed together after some time has passed, then maintenance until nothing is left to do.
struct Round {
    minutes: i64,
    requests: Vec<Vec<Point>>,
    then: Then,
}

/// What an administrator asks for after the maintenance of a round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Flush,
    Compact,
}

struct Workload {
    settings: Settings,
    rounds: Vec<Round>,
}

/// Values whose bits a careless path would change.
const VALUES: [f64; 8] = [
    1.5,
    -0.0,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::from_bits(0x7ff0_0000_0000_0002),
    f64::from_bits(0xfff8_dead_beef_0001),
    f64::MIN_POSITIVE,
    5e-324,
];

/// Some numbers of a seed, the same for ever.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A workload of so many rounds. Each seed has another mix of everything; the retention decides how far blocks grow and when
/// they go.
fn workload(seed: u64, rounds: u64, retention_hours: i64) -> Workload {
    let settings = Settings {
        segment_bytes: 500,
        spill_bytes: [150, 400, 900][seed as usize % 3],
        budget_bytes: 64 << 20,
        forgotten_min: 2,
        definitions_min: 3,
        retention_ms: Some(retention_hours * HOUR_MS),
        retention_bytes: None,
    };
    let mut numbers = Numbers(seed);
    let mut now = NOW_MS;
    let round = |number| {
        let minutes = [3, 12, 40, 90][numbers.below(4) as usize];
        now += minutes * MINUTE_MS;
        let count = 1 + numbers.below(3);
        let requests = (0..count).map(|i| request(&mut numbers, number * 4 + i, now + i as i64));
        let requests = requests.collect();
        let then = match number % 13 {
            5 => Then::Flush,
            11 => Then::Compact,
            _ => Then::Nothing,
        };
        Round { minutes, requests, then }
    };
    Workload { settings, rounds: (0..rounds).map(round).collect() }
}

/// Two series that stay, one that comes and goes, and now and then late, repeated and conflicting samples.
fn request(numbers: &mut Numbers, number: u64, now: i64) -> Vec<Point> {
    let value = |i: u64| VALUES[((number + i) % 8) as usize];
    let mut points = vec![(0, now, value(0)), (1, now, value(1)), (1, now, value(1))];
    points.push((10 + (number / 12 % 6) as u32, now, value(2)));
    if numbers.below(3) == 0 {
        let late = now - numbers.below(12 * 60) as i64 * MINUTE_MS;
        points.push((2, late, value(3)));
        points.push((0, late, value(4)));
    }
    if numbers.below(4) == 0 {
        points.push((0, now, 42.0));
    }
    points
}

/// Was every job of maintenance done in one of these workloads?
fn assert_climbed(stats: &[DbStats]) {
    let all = |count: fn(&DbStats) -> u64| stats.iter().map(count).sum::<u64>();
    assert!(all(|stats| stats.ladder.spills_written) > 0);
    assert!(all(|stats| stats.ladder.spill_merges) > 0);
    assert!(all(|stats| stats.ladder.cuts) > 0);
    assert!(all(|stats| stats.ladder.late_cuts) > 0);
    assert!(all(|stats| stats.ladder.compactions) > 0);
    assert!(all(|stats| stats.ladder.blocks_dropped) > 0);
    assert!(all(|stats| stats.registry.base_series_count as u64) > 0);
    assert!(stats.iter().any(|stats| stats.registry.series_count < 5), "no series is forgotten");
}
