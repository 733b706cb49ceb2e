//! The budget of a query whose threads hold and let go at the same time: what is held is reserved in the pool, and all of it
//! goes back.

use shuttle::thread::spawn;
use silverback::promql::budget::{Budget, BudgetLimits, Pool};
use silverback::sync::Arc;

use crate::orders::check;

/// See [`check`].
const ORDERS: usize = 5_000;

/// More than a query keeps reserved without holding it.
const MUCH_BYTES: usize = 8 << 20;

#[test]
fn what_is_held_is_reserved() {
    check(ORDERS, || {
        let pool = Arc::new(Pool::new(10 * MUCH_BYTES as u64));
        let limits =
            BudgetLimits { samples_max: u64::MAX, memory_max_bytes: u64::MAX, series_max: 1 };
        let budget = Arc::new(Budget::new(limits, pool.clone()));
        let holding = |keeps: [bool; 2]| {
            let budget = budget.clone();
            spawn(move || {
                for keeps in keeps {
                    let held = budget.hold_bytes(MUCH_BYTES).unwrap();
                    if keeps { held.keep() } else { drop(held) }
                }
            })
        };
        let threads = [holding([false, true]), holding([true, false])];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(budget.held_bytes(), 2 * MUCH_BYTES as u64);
        assert!(pool.reserved_bytes() >= budget.held_bytes());
        drop(budget);
        assert_eq!(pool.reserved_bytes(), 0);
    });
}
