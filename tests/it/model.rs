//! Random histories of a database against a map ([`super::history`]): writes in and out of order, repeats, conflicts, spills,
//! cuts, compactions, retention, restarts in good order, after the death of the process and after a power cut, disks that
//! fail or are full, views held, files damaged. After every step both hold the same samples, bit for bit.
//!
//! `SILVERBACK_MODEL_CASES=100 cargo test --release model::` runs a hundred times as many histories.

use proptest::prelude::*;
use proptest::sample::select;
use silverback::fs::sim::{Fault, Kind};
use silverback::model::{STALE_NAN_BITS, WINDOW_MS};

use crate::fixture::{NOW_MS, Point};
use crate::history::{HOUR_MS, History, MINUTE_MS, Settings};

/// Histories of one run of the test: half a minute.
const CASES: u32 = 4_000;
const STEPS_MAX: usize = 70;

/// Values whose bits a careless path would change, and the end of a series.
const VALUES: [f64; 8] = [
    1.5,
    -0.0,
    f64::INFINITY,
    f64::from_bits(0x7ff0_0000_0000_0002),
    f64::from_bits(0xfff8_dead_beef_0001),
    f64::from_bits(STALE_NAN_BITS),
    f64::MIN_POSITIVE,
    5e-324,
];

/// Samples of one request, relative to the clock.
#[derive(Debug, Clone)]
pub enum Request {
    /// At the clock, of so many series.
    Scrape { series: u32, value: u8 },
    /// One sample somewhere in the past.
    Late { series: u32, minutes: i64, value: u8 },
    /// Samples of one series over hours or days.
    Backfill { series: u32, hours: i64, count: i64, step_minutes: i64, value: u8 },
    /// Of series that come and go.
    Churn { first: u32, count: u32 },
}

/// A job of maintenance.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    Step,
    Maintain,
    Flush,
    Compact,
}

/// What happens to a database.
#[derive(Debug, Clone)]
pub enum Step {
    /// Requests that are committed together.
    Write(Vec<Request>),
    /// A request that waits while a job is done.
    WriteDuring(Request, Job),
    /// The last request once more.
    Again,
    /// The last request with other values.
    Conflict,
    /// Time goes on.
    Wait {
        minutes: i64,
    },
    Job(Job),
    /// A job during which a read fails.
    BadRead {
        after: u64,
        of_open: bool,
        job: Job,
    },
    HoldView,
    Restart,
    Crash,
    FailedStart(Fault),
    PowerCut {
        operations_ago: usize,
        pick: u64,
    },
    Fail(Fault),
    FillDisk {
        slack_bytes: u64,
    },
    Heal,
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        6 => (1u32..6, any::<u8>()).prop_map(|(series, value)| Request::Scrape { series, value }),
        3 => (0u32..6, 0i64..600, any::<u8>())
            .prop_map(|(series, minutes, value)| Request::Late { series, minutes, value }),
        1 => (0u32..6, 0i64..120, 1i64..12, 1i64..400, any::<u8>()).prop_map(
            |(series, hours, count, step_minutes, value)| Request::Backfill {
                series, hours, count, step_minutes, value
            }
        ),
        2 => (0u32..10, 1u32..5).prop_map(|(first, count)| Request::Churn { first, count }),
    ]
}

fn job() -> impl Strategy<Value = Job> {
    prop_oneof![
        6 => Just(Job::Step),
        4 => Just(Job::Maintain),
        2 => Just(Job::Flush),
        1 => Just(Job::Compact),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    let errno = select(vec![libc::EIO, libc::ENOSPC]);
    (0u64..60, any::<bool>(), errno).prop_map(|(after, forever, errno)| Fault {
        kind: Kind::Mutation,
        after,
        forever,
        errno,
    })
}

/// What happens to a database on a disk that is well, and to processes that end.
pub fn healthy_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => prop::collection::vec(request(), 1..4).prop_map(Step::Write),
        3 => (request(), job()).prop_map(|(request, job)| Step::WriteDuring(request, job)),
        2 => Just(Step::Again),
        2 => Just(Step::Conflict),
        5 => (1i64..200).prop_map(|minutes| Step::Wait { minutes }),
        1 => (1i64..30).prop_map(|hours| Step::Wait { minutes: hours * 60 }),
        10 => job().prop_map(Step::Job),
        1 => Just(Step::HoldView),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        48 => healthy_step(),
        1 => (0u64..40, any::<bool>(), job())
            .prop_map(|(after, of_open, job)| Step::BadRead { after, of_open, job }),
        1 => fault().prop_map(Step::FailedStart),
        2 => (0usize..60, any::<u64>())
            .prop_map(|(operations_ago, pick)| Step::PowerCut { operations_ago, pick }),
        2 => fault().prop_map(Step::Fail),
        1 => (0u64..6_000).prop_map(|slack_bytes| Step::FillDisk { slack_bytes }),
        3 => Just(Step::Heal),
    ]
}

pub fn settings() -> impl Strategy<Value = Settings> {
    let hours = |hours: i64| Some(hours * HOUR_MS);
    (
        select(vec![200, 700, 1 << 20]),
        select(vec![200, 600, 3_000, 1 << 20]),
        1usize..8,
        1usize..8,
        select(vec![None, hours(8), hours(24), hours(70)]),
        select(vec![None, None, None, Some(8_000), Some(30_000)]),
        select(vec![64 << 20, 64 << 20, 64 << 20, 200_000]),
    )
        .prop_map(
            |(
                segment_bytes,
                spill_bytes,
                forgotten_min,
                definitions_min,
                age,
                size,
                budget_bytes,
            )| {
                Settings {
                    segment_bytes,
                    spill_bytes,
                    budget_bytes,
                    forgotten_min,
                    definitions_min,
                    retention_ms: age,
                    retention_bytes: size,
                }
            },
        )
}

fn value(selector: u8) -> f64 {
    match selector {
        0..=31 => VALUES[usize::from(selector) % VALUES.len()],
        _ => f64::from(selector) / 10.0,
    }
}

fn points(history: &History, request: &Request) -> Vec<Point> {
    let now = history.now();
    match *request {
        Request::Scrape { series, value: first } => {
            let value = |i: u32| value(first.wrapping_add(i as u8));
            (0..series).map(|i| (i, now, value(i))).collect()
        }
        Request::Late { series, minutes, value: selector } => {
            let timestamp = (now - minutes * MINUTE_MS) / MINUTE_MS * MINUTE_MS;
            vec![(series, timestamp, value(selector))]
        }
        Request::Backfill { series, hours, count, step_minutes, value: selector } => {
            let start = (now - hours * HOUR_MS) / HOUR_MS * HOUR_MS;
            let times = (0..count).map(|i| start + i * step_minutes * MINUTE_MS);
            times.filter(|t| *t <= now).map(|t| (series, t, value(selector))).collect()
        }
        Request::Churn { first, count } => {
            (0..count).map(|i| (100 + (first + i) % 10, now, f64::from(i))).collect()
        }
    }
}

fn run_job(history: &mut History, job: Job) {
    history.maintain(|db| match job {
        Job::Step => db.maintain_step().map(drop),
        Job::Maintain => db.maintain(),
        Job::Flush => db.flush(),
        Job::Compact => db.compact(),
    });
}

pub fn run(history: &mut History, step: &Step) {
    let mut may_drop = false;
    match step {
        Step::Write(requests) => {
            let requests = requests.iter().map(|request| points(history, request)).collect();
            history.write(requests, |_| {});
            history.wait(15_000);
        }
        Step::WriteDuring(request, job) => {
            let request = points(history, request);
            history.write(vec![request], |history| run_job(history, *job));
            may_drop = true;
        }
        Step::Again => history.write(vec![history.last().to_vec()], |_| {}),
        Step::Conflict => {
            let other = history.last().iter().map(|(i, t, v)| (*i, *t, v + 0.5)).collect();
            history.write(vec![other], |_| {});
        }
        Step::Wait { minutes } => history.wait(minutes * MINUTE_MS),
        Step::Job(job) => {
            run_job(history, *job);
            may_drop = true;
        }
        Step::BadRead { after, of_open, job } => {
            let kind = if *of_open { Kind::Open } else { Kind::Read };
            history.heal();
            history.check(true);
            history.disk.fail(Fault::once(kind, *after, libc::EIO));
            history.fall_sick();
            run_job(history, *job);
            history.heal();
            may_drop = true;
        }
        Step::HoldView => history.hold_view(),
        Step::Restart => history.restart(),
        Step::Crash => history.crash(),
        Step::FailedStart(fault) => history.crash_and_fail_to_start(*fault),
        Step::PowerCut { operations_ago, pick } => history.cut_power(*operations_ago, *pick),
        Step::Fail(fault) => {
            history.disk.fail(*fault);
            history.fall_sick();
        }
        Step::FillDisk { slack_bytes } => history.fill_disk(*slack_bytes),
        Step::Heal => {
            history.heal();
            may_drop = true;
        }
    }
    history.check(may_drop);
}

fn cases() -> u32 {
    let factor = std::env::var("SILVERBACK_MODEL_CASES").ok();
    factor.map_or(CASES, |factor| CASES * factor.parse::<u32>().expect("a number of times"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_database_equals_a_map(
        settings in settings(),
        steps in prop::collection::vec(step(), 1..STEPS_MAX),
    ) {
        let mut history = History::new(settings);
        for step in &steps {
            run(&mut history, step);
        }
        history.settle_down();
    }
}

/// Limits that the smallest histories reach, and no retention.
const SMALL: Settings = Settings {
    segment_bytes: 700,
    spill_bytes: 600,
    budget_bytes: 64 << 20,
    forgotten_min: 1,
    definitions_min: 1,
    retention_ms: None,
    retention_bytes: None,
};

#[test]
fn a_view_shows_no_other_series_after_its_own_were_forgotten() {
    let mut history = History::new(SMALL);
    let scrape = || Step::Write(vec![Request::Scrape { series: 1, value: 0 }]);
    let other = Step::Write(vec![Request::Late { series: 1, minutes: 0, value: 0 }]);
    let flushed = [scrape(), Step::Job(Job::Flush), Step::Wait { minutes: 60 }, Step::HoldView];
    flushed.iter().for_each(|step| run(&mut history, step));
    run(&mut history, &Step::Job(Job::Maintain));
    assert_eq!(history.db.stats().registry.series_count, 0, "it is forgotten");
    [other, scrape(), scrape()].iter().for_each(|step| run(&mut history, step));
}

#[test]
fn a_long_day_equals_a_map() {
    let mut history = History::new(SMALL);
    for round in 0u32..(26 * 60 / 10) {
        let minutes = i64::from(round * 7 % 300);
        let requests = vec![
            Request::Scrape { series: 4, value: 100 },
            Request::Late { series: round % 5, minutes, value: 110 },
        ];
        run(&mut history, &Step::Write(requests));
        run(&mut history, &Step::Wait { minutes: 10 });
        run(&mut history, &Step::Job(Job::Maintain));
        if round % 40 == 39 {
            run(&mut history, &Step::Crash);
        }
    }
    assert!(history.now() > NOW_MS + 12 * WINDOW_MS);
    history.settle_down();
}
