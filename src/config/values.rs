//! Values of flags that are not plain words: durations, sizes, shares of something.

use std::time::Duration;

use crate::api::params::parse_duration_ms;

/// A size, or a part of one that the machine tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SizeOrPercent {
    Bytes(u64),
    /// More than 0, at most 100.
    Percent(f64),
}

/// Powers of 1024 under both kinds of names, as in Prometheus.
const UNITS: [(&str, &str, u32); 6] = [
    ("KiB", "KB", 10),
    ("MiB", "MB", 20),
    ("GiB", "GB", 30),
    ("TiB", "TB", 40),
    ("PiB", "PB", 50),
    ("EiB", "EB", 60),
];

/// # Errors
/// Not a duration, or negative.
pub fn duration_or_zero(text: &str) -> Result<Duration, String> {
    let ms = u64::try_from(parse_duration_ms(text)?).map_err(|_| "must not be negative")?;
    Ok(Duration::from_millis(ms))
}

/// # Errors
/// Not a duration, negative or 0.
pub fn duration(text: &str) -> Result<Duration, String> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("must be more than 0".to_string()),
        duration => Ok(duration),
    }
}

/// # Errors
/// Not a size, or more than there are numbers for.
pub fn size_or_zero(text: &str) -> Result<u64, String> {
    let not_a_size = || "not a size like 8MiB".to_string();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        _ => UNITS.iter().find(|u| u.0 == unit || u.1 == unit).ok_or_else(not_a_size)?.2,
    };
    let number: u64 = number.parse().map_err(|_| not_a_size())?;
    number.checked_mul(1 << shift).ok_or_else(|| "out of range".to_string())
}

/// # Errors
/// Not a size, 0, or more than memory can be.
pub fn size(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(size_or_zero(text)?).ok().filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "out of range".to_string())
}

/// # Errors
/// Neither a size nor a percentage.
pub fn size_or_percent(text: &str) -> Result<SizeOrPercent, String> {
    let Some(number) = text.strip_suffix('%') else {
        let size = size_or_zero(text).map_err(|error| match error.starts_with("not") {
            true => "not a size like 8GiB or a percentage like 80%".to_string(),
            false => error,
        });
        return size.map(SizeOrPercent::Bytes);
    };
    let percent = number.parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0);
    let percent = percent.ok_or_else(|| "not a percentage between 0% and 100%".to_string());
    percent.map(SizeOrPercent::Percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024_under_both_names() {
        for (text, bytes) in [
            ("0", 0),
            ("7", 7),
            ("7B", 7),
            ("1KB", 1 << 10),
            ("3MiB", 3 << 20),
            ("512GB", 512 << 30),
            ("2TiB", 2 << 40),
            ("15EB", 15 << 60),
        ] {
            assert_eq!(size_or_zero(text), Ok(bytes), "{text}");
        }
        for bad in ["", "GiB", "1.5GiB", "-1", "1 MiB", "1gb", "16EiB", "99999999999999999999"] {
            assert!(size_or_zero(bad).is_err(), "{bad}");
        }
        assert!(size("0").is_err());
    }

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!(size_or_percent("80%"), Ok(SizeOrPercent::Percent(80.0)));
        assert_eq!(size_or_percent("0.5%"), Ok(SizeOrPercent::Percent(0.5)));
        assert_eq!(size_or_percent("1GiB"), Ok(SizeOrPercent::Bytes(1 << 30)));
        for bad in ["%", "0%", "101%", "-5%", "NaN%", "inf%", "x%", "80 %", "x"] {
            assert!(size_or_percent(bad).unwrap_err().contains("percentage"), "{bad}");
        }
    }

    #[test]
    fn durations_of_zero_are_only_for_those_who_ask() {
        assert_eq!(duration_or_zero("0"), Ok(Duration::ZERO));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(duration("0s").is_err() && duration_or_zero("-1s").is_err());
    }
}
