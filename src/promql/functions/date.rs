//! Calendar functions of seconds since the epoch (Prometheus docs, `day_of_month` and its like): UTC, proleptic
//! Gregorian. Fractions of seconds are cut off. What does not fit an `i64` (NaN, infinities) is the lowest `i64`, and
//! years before the lowest of Go's calendar come out at its other end, as in Prometheus on x86-64.

use crate::model::time::civil_from_days;

/// The calendar function of this name in PromQL.
pub fn date_function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "minute" => |v| (second_of_day(v) / 60 % 60) as f64,
        "hour" => |v| (second_of_day(v) / 3600) as f64,
        "day_of_week" => |v| (day_number(v) + THURSDAY).rem_euclid(7) as f64,
        "day_of_month" => |v| Date::of(v).day as f64,
        "day_of_year" => |v| Date::of(v).day_of_year() as f64,
        "days_in_month" => |v| Date::of(v).days_in_month() as f64,
        "month" => |v| Date::of(v).month as f64,
        "year" => |v| Date::of(v).year as f64,
        _ => return None,
    })
}

const DAY_SECONDS: i128 = 86_400;
/// The epoch was a Thursday; Sunday is 0.
const THURSDAY: i64 = 4;
/// The Gregorian calendar repeats after 400 years of this many days.
const ERA_DAYS: i128 = 146_097;
/// The first second of Go's calendar, 1 January of the year -292277022399, relative to the epoch.
const GO_FIRST_SECOND: i128 = -(730_692_556 * ERA_DAYS * DAY_SECONDS) - 62_135_596_800;
const DAYS_BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Seconds since the epoch as Go's conversion and calendar see them.
fn unix_seconds(value: f64) -> i128 {
    let seconds = value.trunc();
    // 2^63 and beyond does not fit; -2^63 does.
    let fits = seconds >= i64::MIN as f64 && seconds < -(i64::MIN as f64);
    let seconds = if fits { seconds as i128 } else { i64::MIN as i128 };
    if seconds < GO_FIRST_SECOND { seconds + (1 << 64) } else { seconds }
}

fn day_number(value: f64) -> i64 {
    unix_seconds(value).div_euclid(DAY_SECONDS) as i64
}

fn second_of_day(value: f64) -> i128 {
    unix_seconds(value).rem_euclid(DAY_SECONDS)
}

struct Date {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
}

impl Date {
    fn of(value: f64) -> Date {
        let (year, month, day) = civil_from_days(day_number(value));
        Date { year, month, day }
    }

    fn is_leap_year(&self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn day_of_year(&self) -> i64 {
        let leap_day = i64::from(self.is_leap_year() && self.month > 2);
        DAYS_BEFORE_MONTH[self.month as usize - 1] + leap_day + self.day
    }

    fn days_in_month(&self) -> i64 {
        match self.month {
            2 => 28 + i64::from(self.is_leap_year()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 8] = [
        "year",
        "month",
        "day_of_month",
        "day_of_year",
        "day_of_week",
        "days_in_month",
        "hour",
        "minute",
    ];

    fn all(seconds: f64) -> [f64; 8] {
        NAMES.map(|name| date_function(name).unwrap()(seconds))
    }

    #[test]
    fn known_moments() {
        assert_eq!(all(0.0), [1970.0, 1.0, 1.0, 1.0, 4.0, 31.0, 0.0, 0.0]);
        assert_eq!(all(-0.5), all(0.0));
        assert_eq!(all(-1.0), [1969.0, 12.0, 31.0, 365.0, 3.0, 31.0, 23.0, 59.0]);
        // 2024-02-29T12:34:56Z, a Thursday.
        assert_eq!(all(1_709_210_096.9), [2024.0, 2.0, 29.0, 60.0, 4.0, 29.0, 12.0, 34.0]);
        // 2000-12-31 is day 366 of a leap year, 1900-03-01 day 60 of a common one.
        assert_eq!(all(978_220_800.0), [2000.0, 12.0, 31.0, 366.0, 0.0, 31.0, 0.0, 0.0]);
        assert_eq!(all(-2_203_891_200.0), [1900.0, 3.0, 1.0, 60.0, 4.0, 31.0, 0.0, 0.0]);
    }

    #[test]
    fn what_does_not_fit_wraps_like_go() {
        let last = all(9_223_372_036_854_775_807.0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert_eq!(all(value), last);
        }
        // 292277026596-12-04T15:30:08Z.
        assert_eq!(last[..3], [292_277_026_596.0, 12.0, 4.0]);
        assert_eq!(last[6..], [15.0, 30.0]);
    }

    proptest! {
        #[test]
        fn consecutive_days_are_consecutive_dates(day in -1_000_000i64..1_000_000) {
            let today = Date::of(day as f64 * 86_400.0);
            let tomorrow = Date::of((day + 1) as f64 * 86_400.0);
            let next = if today.day < today.days_in_month() {
                (today.year, today.month, today.day + 1)
            } else if today.month < 12 {
                (today.year, today.month + 1, 1)
            } else {
                (today.year + 1, 1, 1)
            };
            prop_assert_eq!((tomorrow.year, tomorrow.month, tomorrow.day), next);
            let year_days = if next.2 == 1 && next.1 == 1 { 1 } else { today.day_of_year() + 1 };
            prop_assert_eq!(tomorrow.day_of_year(), year_days);
        }
    }
}
