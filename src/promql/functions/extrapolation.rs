//! How far a difference between samples is stretched to stand for a whole window: `rate`, `increase` and `delta`
//! (Prometheus docs, "Query functions"), of floats and of histograms.
//!
//! 1. An edge nearer to its sample than 1.1 times the average spacing is reached entirely.
//! 2. Beyond a farther edge the series is taken to end half an average spacing away.
//! 3. A counter is not extrapolated to the left of where it would have been zero.
//! 4. A counter that is known to have started within the window is not extrapolated to the left at all.

/// A gap at an edge of less than so many average spacings, 1.1 as a fraction, counts as "the series goes on there".
const EDGE_SPACINGS: (f64, f64) = (11.0, 10.0);

const MS_PER_SECOND: f64 = 1000.0;

/// The samples of one window, in time.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    pub first_ms: i64,
    pub last_ms: i64,
    pub count: usize,
}

/// The time a difference was measured over, and how much more it stands for once it is extrapolated.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    sampled_ms: f64,
    to_start_ms: f64,
    to_end_ms: f64,
}

impl Stretch {
    /// Of at least two samples in `(start_ms, end_ms]`. Mostly without a division: one is dearer than all the rest.
    #[inline]
    pub fn of((start_ms, end_ms): (i64, i64), extent: Extent) -> Stretch {
        let Extent { first_ms, last_ms, count } = extent;
        let sampled_ms = (last_ms - first_ms) as f64;
        let spacings = count.saturating_sub(1) as f64;
        let reached = |gap_ms: f64| {
            let is_far = gap_ms * spacings * EDGE_SPACINGS.1 >= sampled_ms * EDGE_SPACINGS.0;
            match (is_far, count) {
                (false, _) => gap_ms,
                (true, 0..=1) => 0.0,
                (true, _) => sampled_ms / spacings / 2.0,
            }
        };
        let to_end_ms = reached((end_ms - last_ms) as f64);
        let to_start_ms = reached((first_ms - start_ms) as f64);
        Stretch { sampled_ms, to_start_ms, to_end_ms }
    }

    /// Of a series that was zero at `zero_ms`, within the window and before its first sample.
    pub fn since(range: (i64, i64), extent: Extent, zero_ms: i64) -> Stretch {
        let sampled_ms = (extent.last_ms - zero_ms) as f64;
        Stretch { sampled_ms, to_start_ms: 0.0, ..Stretch::of(range, extent) }
    }

    /// Would a counter with this value at the first sample, that grew by so much from there, have been below zero at the start?
    #[inline]
    pub fn is_below_zero(self, first: f64, increase: f64) -> bool {
        increase > 0.0
            && first >= 0.0
            // Of infinite operands a product is no number, and the edge stays as it is.
            && self.sampled_ms * first < self.to_start_ms * increase
    }

    /// The same for such a counter.
    #[inline]
    pub fn of_counter(self, first: f64, increase: f64) -> Stretch {
        match self.is_below_zero(first, increase) {
            true => Stretch { to_start_ms: self.sampled_ms * (first / increase), ..self },
            false => self,
        }
    }

    #[inline]
    fn reached_ms(self) -> f64 {
        self.sampled_ms + self.to_start_ms + self.to_end_ms
    }

    /// What the difference is to be multiplied with.
    #[inline]
    pub fn factor(self) -> f64 {
        self.reached_ms() / self.sampled_ms
    }

    /// The same for a difference per second of a range.
    #[inline]
    pub fn factor_per_second(self, range_ms: f64) -> f64 {
        self.reached_ms() * MS_PER_SECOND / (self.sampled_ms * range_ms)
    }
}
