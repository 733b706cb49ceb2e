//! Compensated accumulators: sum, mean and variance with Kahan-Neumaier correction, so that the order and the
//! magnitude of the inputs hardly matter. Shared by the `*_over_time` functions, the regressions and the
//! aggregations; the order in which values are added is the caller's.

/// A Kahan-Neumaier sum.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kahan {
    sum: f64,
    compensation: f64,
}

impl Kahan {
    pub fn new(start: f64) -> Kahan {
        Kahan { sum: start, compensation: 0.0 }
    }

    /// Without branches, so that several sums can be added to at once.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        // What rounding has lost, whichever of the two is larger (Knuth, TAOCP volume 2, section 4.2.2).
        let added = total - self.sum;
        let lost = (self.sum - (total - added)) + (value - added);
        // The lost digits of an infinity are not a number.
        self.compensation = if total.is_infinite() { 0.0 } else { self.compensation + lost };
        self.sum = total;
    }

    /// Adds what another sum holds.
    pub fn merge(&mut self, other: &Kahan) {
        self.add(other.sum);
        if !self.sum.is_infinite() {
            self.compensation += other.compensation;
        }
    }

    /// The sum without the compensation: infinite as soon as the sum has overflowed.
    pub fn uncompensated(&self) -> f64 {
        self.sum
    }

    pub fn value(&self) -> f64 {
        if self.sum.is_infinite() { self.sum } else { self.sum + self.compensation }
    }

    /// Sum and compensation each times `factor`.
    fn scaled(&self, factor: f64) -> Kahan {
        Kahan { sum: self.sum * factor, compensation: self.compensation * factor }
    }
}

/// An arithmetic mean: sum over count, and from the first overflow of the sum on an incremental mean.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    count: f64,
    /// The sum so far, or the mean so far once `incremental`.
    total: Kahan,
    incremental: bool,
}

impl Mean {
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.total = Kahan::new(value);
            return;
        }
        if !self.incremental {
            let mut sum = self.total;
            sum.add(value);
            if !sum.uncompensated().is_infinite() {
                self.total = sum;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.total = Kahan {
                sum: self.total.sum / before,
                compensation: self.total.compensation / before,
            };
        }
        self.total = self.total.scaled((self.count - 1.0) / self.count);
        self.total.add(value / self.count);
    }

    /// Adds the values of another mean.
    pub fn merge(&mut self, other: &Mean) {
        if self.count == 0.0 || other.count == 0.0 {
            if self.count == 0.0 {
                *self = *other;
            }
            return;
        }
        let count = self.count + other.count;
        if !self.incremental && !other.incremental {
            let mut sum = self.total;
            sum.merge(&other.total);
            if !sum.uncompensated().is_infinite() {
                *self = Mean { count, total: sum, incremental: false };
                return;
            }
        }
        let mut total = self.share_of(count);
        total.merge(&other.share_of(count));
        *self = Mean { count, total, incremental: true };
    }

    /// What these values add to the mean of `count` values.
    fn share_of(&self, count: f64) -> Kahan {
        let values = if self.incremental { self.count } else { 1.0 };
        self.total.scaled(values / count)
    }

    /// NaN without values.
    pub fn value(&self) -> f64 {
        if self.incremental {
            return self.total.sum + self.total.compensation;
        }
        self.total.sum / self.count + self.total.compensation / self.count
    }
}

/// The population variance, by Welford's method with compensated sums.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variance {
    count: f64,
    mean: Kahan,
    squares: Kahan,
}

impl Variance {
    pub fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.raw_mean();
        self.mean.add(delta / self.count);
        self.squares.add(delta * (value - self.raw_mean()));
    }

    /// Adds the values of another variance (Chan, Golub and LeVeque's formula).
    pub fn merge(&mut self, other: &Variance) {
        if self.count == 0.0 || other.count == 0.0 {
            if self.count == 0.0 {
                *self = *other;
            }
            return;
        }
        let count = self.count + other.count;
        let delta = other.raw_mean() - self.raw_mean();
        self.mean.add(delta * (other.count / count));
        self.squares.merge(&other.squares);
        self.squares.add(delta * delta * (self.count / count * other.count));
        self.count = count;
    }

    fn raw_mean(&self) -> f64 {
        self.mean.sum + self.mean.compensation
    }

    /// NaN without values.
    pub fn value(&self) -> f64 {
        (self.squares.sum + self.squares.compensation) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = Kahan::default();
        values.iter().for_each(|v| sum.add(*v));
        sum.value()
    }

    fn mean(values: &[f64]) -> f64 {
        let mut mean = Mean::default();
        values.iter().for_each(|v| mean.add(*v));
        mean.value()
    }

    #[test]
    fn small_terms_survive_large_ones() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(mean(&[1e100, 3.0, -1e100]), 1.0);
    }

    #[test]
    fn infinities_stay_and_cancel_to_nan() {
        assert_eq!(sum(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(mean(&[f64::NEG_INFINITY, 1.0]), f64::NEG_INFINITY);
        assert_eq!(mean(&[1.0, f64::INFINITY, 3.0]), f64::INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(mean(&[1.0, f64::NAN]).is_nan());
        assert!(mean(&[]).is_nan());
    }

    #[test]
    fn the_mean_survives_an_overflow_of_the_sum() {
        for values in [[1.5e308, 1.6e308, 1.7e308], [1.6e308; 3]] {
            let got = mean(&values);
            assert!((got / 1.6e308 - 1.0).abs() < 1e-15, "{got}");
        }
        assert!(mean(&[f64::MAX, f64::MAX, f64::MIN, f64::MIN]).abs() < 1e294);
    }

    proptest! {
        #[test]
        fn variance_is_the_mean_of_the_squared_distances(
            values in proptest::collection::vec(-1e6f64..1e6, 1..50),
        ) {
            let mut variance = Variance::default();
            values.iter().for_each(|v| variance.add(*v));
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let naive = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            prop_assert!((variance.value() - naive).abs() <= 1e-9 * naive.max(1e-6));
        }

        #[test]
        fn integers_sum_exactly(values in proptest::collection::vec(-1_000_000i64..1_000_000, 0..50)) {
            let floats: Vec<f64> = values.iter().map(|v| *v as f64).collect();
            prop_assert_eq!(sum(&floats), values.iter().sum::<i64>() as f64);
        }
    }
}
