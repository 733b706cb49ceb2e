//! Runs a test in many orders of its threads. They are the same in every run of the same code, but for `SHUTTLE_SEED`.
//!
//! * `SHUTTLE_TIMES`: so many times the usual number of orders.
//! * `SHUTTLE_SEED`: other orders.
//! * `SHUTTLE_SCHEDULE`: one order only, printed by a test that failed.

use std::env;
use std::str::FromStr;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, Runner};
use silverback::sync::Arc;

/// A database is opened on one of these stacks, in a build without much optimisation.
const STACK_BYTES: usize = 1 << 20;

/// Places at which PCT changes threads: most errors of threads need one or two, a few three.
const PCT_CHANGES: [usize; 2] = [2, 3];

/// Runs `test` in `count` random orders, and in half as many for each kind of PCT.
pub fn check(count: usize, test: impl Fn() + Send + Sync + 'static) {
    let test = Arc::new(test);
    if let Ok(schedule) = env::var("SHUTTLE_SCHEDULE") {
        return run(ReplayScheduler::new_from_encoded(schedule.trim()), &test);
    }
    let (count, seed) = (count * number("SHUTTLE_TIMES", 1), number("SHUTTLE_SEED", 1));
    run(RandomScheduler::new_from_seed(seed, count), &test);
    for changes in PCT_CHANGES {
        run(PctScheduler::new_from_seed(seed, changes, count / 2), &test);
    }
}

fn number<T: FromStr>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")),
        Err(_) => default,
    }
}

fn run(scheduler: impl Scheduler + 'static, test: &Arc<impl Fn() + Send + Sync + 'static>) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    let test = test.clone();
    Runner::new(scheduler, config).run(move || test());
}
