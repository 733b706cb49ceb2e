//! RFC 3339 to milliseconds and back: the times of parameters and of the status pages. Proleptic Gregorian calendar, no leap
//! seconds, four-digit years.

use crate::model::Timestamp;
use crate::model::time::{DAY_MS, civil_from_days, days_from_civil};

/// `2015-07-01T20:10:51.781Z` or with an offset `+02:00`; the fraction is rounded to milliseconds.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let mark = |index: usize, allowed: &[u8]| allowed.contains(bytes.get(index)?).then_some(());
    mark(4, b"-")?;
    mark(7, b"-")?;
    mark(10, b"Tt")?;
    mark(13, b":")?;
    mark(16, b":")?;
    let (year, month) = (number(bytes, 0, 4, 0..=9999)?, number(bytes, 5, 2, 1..=12)?);
    let day = number(bytes, 8, 2, 1..=days_in_month(year, month))?;
    let (hour, minute) = (number(bytes, 11, 2, 0..=23)?, number(bytes, 14, 2, 0..=59)?);
    let second = number(bytes, 17, 2, 0..=59)?;
    let (fraction_ms, zone) = fraction(bytes.get(19..)?)?;
    let offset_ms = zone_offset_ms(zone)?;
    let in_day = ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    Some(days_from_civil(year, month, day) * DAY_MS + in_day - offset_ms)
}

fn number(
    bytes: &[u8],
    start: usize,
    len: usize,
    allowed: std::ops::RangeInclusive<i64>,
) -> Option<i64> {
    let digits = bytes.get(start..start + len)?;
    let value = digits.iter().try_fold(0i64, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
    })?;
    allowed.contains(&value).then_some(value)
}

/// Milliseconds of `.123456` if it is there, and what follows.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else {
        return Some((0, rest));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // Nanoseconds: more digits than nine say nothing.
    if digits == 0 {
        return None;
    }
    let nanos = (0..9).fold(0i64, |value, index| {
        let digit = if index < digits { i64::from(rest[index] - b'0') } else { 0 };
        value * 10 + digit
    });
    Some(((nanos + 500_000) / 1_000_000, &rest[digits..]))
}

fn zone_offset_ms(zone: &[u8]) -> Option<i64> {
    let sign = match zone {
        b"Z" | b"z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    if zone.len() != 6 || zone[3] != b':' {
        return None;
    }
    let minutes = number(zone, 1, 2, 0..=23)? * 60 + number(zone, 4, 2, 0..=59)?;
    Some(sign * minutes * 60_000)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `2015-07-01T20:10:51.781Z`
pub fn format_rfc3339(timestamp: Timestamp) -> String {
    let (year, month, day) = civil_from_days(timestamp.div_euclid(DAY_MS));
    let ms = timestamp.rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let fraction = ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2015-07-01T20:10:51.7814999Z", 1_435_781_451_781),
            ("2015-07-01t20:10:51.781-01:30", 1_435_786_851_781),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let bad = [
            "2015-02-29T00:00:00Z",
            "2015-13-01T00:00:00Z",
            "2015-01-01T24:00:00Z",
            "2015-01-01T00:00:60Z",
            "2015-01-01T00:00:00",
            "2015-01-01T00:00:00.Z",
            "2015-01-01T00:00:00+2:00",
            "2015-01-01T00:00:00Zx",
            "2015-01-01 00:00:00Z",
        ];
        for text in bad {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_time_reads_back(ms in -62_167_219_200_000i64..253_402_300_799_999) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in "[0-9TZ:.+-]{0,30}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
