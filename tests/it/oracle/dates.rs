//! The calendar, by counting days.

use super::eval::Oracle;

impl Oracle<'_> {
    /// A part of the date that is so many seconds after 1970 began.
    pub fn date(&self, name: &str, seconds: f64) -> f64 {
        if seconds.is_nan() || seconds.abs() >= 1e10 {
            self.doubtful.set(true);
            return f64::NAN;
        }
        self.compared(seconds, seconds.round());
        let seconds = seconds.trunc() as i64;
        let (days, in_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let len = |year: i64| if is_leap(year) { 366 } else { 365 };
        let (mut year, mut day) = (1970, days);
        while day < 0 {
            year -= 1;
            day += len(year);
        }
        while day >= len(year) {
            day -= len(year);
            year += 1;
        }
        let february = if is_leap(year) { 29 } else { 28 };
        let lens = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let (mut month, mut in_month) = (0, day);
        while in_month >= lens[month] {
            in_month -= lens[month];
            month += 1;
        }
        (match name {
            "year" => year,
            "month" => month as i64 + 1,
            "day_of_month" => in_month + 1,
            "day_of_year" => day + 1,
            "day_of_week" => (days + 4).rem_euclid(7),
            "days_in_month" => lens[month],
            "hour" => in_day / 3_600,
            _ => in_day / 60 % 60,
        }) as f64
    }
}
