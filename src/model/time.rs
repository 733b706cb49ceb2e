//! Time as the engine counts it: milliseconds since the Unix epoch, and closed ranges of it.

/// Milliseconds since 1970-01-01T00:00:00Z; negative before.
pub type Timestamp = i64;

pub const DAY_MS: i64 = 86_400_000;

/// The span of time that the smallest block covers. Windows begin at multiples of it since the epoch.
pub const WINDOW_MS: i64 = 2 * 3_600_000;

/// The start of the window that a time lies in.
pub fn window_start(timestamp: Timestamp) -> Timestamp {
    timestamp.saturating_sub(timestamp.rem_euclid(WINDOW_MS))
}

/// From 0000-03-01 to the epoch. Both functions below count years from March, so that the leap day is the last of its
/// year (after Howard Hinnant, "chrono-compatible low-level date algorithms"); 400 years have 146097 days.
const EPOCH_DAYS: i64 = 719_468;

/// Days since 1970-01-01 of a year, month and day, the latter two from 1; proleptic Gregorian calendar.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - EPOCH_DAYS
}

/// The inverse of [`days_from_civil`].
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// A closed range: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub mint: Timestamp,
    pub maxt: Timestamp,
}

impl TimeRange {
    /// Everything.
    pub const ALL: TimeRange = TimeRange { mint: i64::MIN, maxt: i64::MAX };
    /// Nothing; what `include` starts from.
    pub const EMPTY: TimeRange = TimeRange { mint: i64::MAX, maxt: i64::MIN };

    pub fn new(mint: Timestamp, maxt: Timestamp) -> TimeRange {
        TimeRange { mint, maxt }
    }

    pub fn is_empty(self) -> bool {
        self.mint > self.maxt
    }

    pub fn contains(self, timestamp: Timestamp) -> bool {
        self.mint <= timestamp && timestamp <= self.maxt
    }

    pub fn overlaps(self, other: TimeRange) -> bool {
        self.mint <= other.maxt && other.mint <= self.maxt
    }

    /// Which share of this range lies in another, from 0 to 1.
    pub fn share_in(self, other: TimeRange) -> f64 {
        let len = |range: TimeRange| (range.maxt as f64 - range.mint as f64 + 1.0).max(0.0);
        let both = TimeRange::new(self.mint.max(other.mint), self.maxt.min(other.maxt));
        if self.is_empty() || both.is_empty() { 0.0 } else { (len(both) / len(self)).min(1.0) }
    }

    /// Grows the range so that it holds `timestamp`.
    pub fn include(&mut self, timestamp: Timestamp) {
        self.mint = self.mint.min(timestamp);
        self.maxt = self.maxt.max(timestamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_start_at_even_hours_before_the_epoch_too() {
        let hour_ms = WINDOW_MS / 2;
        let cases = [
            (0, 0),
            (2 * hour_ms - 1, 0),
            (2 * hour_ms, 2 * hour_ms),
            (-1, -2 * hour_ms),
            (-2 * hour_ms, -2 * hour_ms),
            (i64::MIN, i64::MIN),
        ];
        for (timestamp, start) in cases {
            assert_eq!(window_start(timestamp), start, "{timestamp}");
        }
    }
}
