//! The parameters of a request: query string and form merged, the first value of a name counting, form values first. Also the
//! grammars of times, durations, limits and `match[]`, with Prometheus' error texts. Called by the handlers of `api`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::active::ClientAddress;
use super::body::{BodyError, discard, read_body};
use super::calendar::parse_rfc3339;
use super::error::ApiError;
use crate::model::{Matcher, TimeRange, Timestamp};
use crate::promql::parser::{ParseOptions, parse_selector};

/// A form body: room for a query with a long list of alternatives. All forms together are bounded by this much for every
/// connection, `--web.max-connections`: a connection sends one request at a time.
const FORM_MAX_BYTES: usize = 1 << 20;
/// Reading a form may take this long: it is small.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);
/// Names and values of one request: more is no query.
const PARAMS_MAX: usize = 10_000;

/// Prometheus' words for "no start given" and "no end given", which clients send back.
const MIN_TIME_TEXT: &str = "-292273086-05-16T16:47:06Z";
const MAX_TIME_TEXT: &str = "292277025-08-18T07:12:54.999999999Z";
/// The times those words stand for.
const MIN_TIME_MS: Timestamp = -9_223_309_901_257_974_000;
const MAX_TIME_MS: Timestamp = 9_223_309_901_257_974_999;

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    pairs: Vec<(String, String)>,
    /// Who sent them, if that is known.
    pub client: Option<ClientAddress>,
}

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Params, Response> {
        let client = request.extensions().get::<ClientAddress>().copied();
        let mut params = Params { client, ..Params::default() };
        let query = request.uri().query().unwrap_or("").as_bytes().to_vec();
        if request.method() == Method::POST && is_form(&request) {
            let body = read_form(&mut request.into_body()).await?;
            params.extend(&body).map_err(IntoResponse::into_response)?;
        }
        params.extend(&query).map_err(IntoResponse::into_response)?;
        Ok(params)
    }
}

fn is_form(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = text.split(';').next().unwrap_or("").trim();
    media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn read_form(body: &mut Body) -> Result<Bytes, Response> {
    let error = match read_body(body, FORM_MAX_BYTES, FORM_TIMEOUT, None).await {
        Ok(form) => return Ok(form),
        Err(error) => error,
    };
    let message = match error {
        BodyError::TooLarge => {
            discard(body).await;
            format!("the form is larger than the limit of {FORM_MAX_BYTES} bytes")
        }
        _ => error.to_string(),
    };
    Err(ApiError::bad_data(message).with_status(error.status()))
}

impl Params {
    /// Adds the pairs of an `application/x-www-form-urlencoded` text.
    fn extend(&mut self, encoded: &[u8]) -> Result<(), ApiError> {
        for piece in encoded.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            if self.pairs.len() >= PARAMS_MAX {
                return Err(ApiError::bad_data(format!("more than {PARAMS_MAX} parameters")));
            }
            let split = piece.iter().position(|byte| *byte == b'=');
            let (name, value) = match split {
                Some(index) => (&piece[..index], &piece[index + 1..]),
                None => (piece, &[][..]),
            };
            self.pairs.push((percent_decode(name)?, percent_decode(value)?));
        }
        Ok(())
    }

    /// The first value of a parameter, empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A required time.
    pub fn time(&self, name: &str) -> Result<Timestamp, ApiError> {
        parse_time(self.get(name)).map_err(|why| ApiError::parameter(name, why))
    }

    /// A time that may be left out.
    pub fn time_or(&self, name: &str, default: Timestamp) -> Result<Timestamp, ApiError> {
        match self.get(name) {
            "" => Ok(default),
            text => parse_time(text).map_err(|why| {
                ApiError::parameter(name, format!("Invalid time value for '{name}': {why}"))
            }),
        }
    }

    /// A required duration in milliseconds.
    pub fn duration_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_duration_ms(self.get(name)).map_err(|why| ApiError::parameter(name, why))
    }

    /// A duration in milliseconds that may be left out.
    pub fn duration_ms_opt(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            _ => self.duration_ms(name).map(Some),
        }
    }

    /// `limit`: none when absent or 0.
    pub fn limit(&self) -> Result<Option<usize>, ApiError> {
        match self.get("limit") {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(limit) if limit < 0 => {
                    Err(ApiError::parameter("limit", "limit must be non-negative"))
                }
                Ok(limit) => Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0)),
                Err(_) => {
                    Err(ApiError::parameter("limit", format!("cannot parse {text:?} to a number")))
                }
            },
        }
    }

    /// `start` and `end` of the metadata endpoints, both optional.
    pub fn range(&self) -> Result<TimeRange, ApiError> {
        let mint = self.time_or("start", MIN_TIME_MS)?;
        let maxt = self.time_or("end", MAX_TIME_MS)?;
        if maxt < mint {
            return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
        }
        Ok(TimeRange::new(mint, maxt))
    }

    /// Every `match[]` as its matchers.
    pub fn match_sets(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        let sets = self.all("match[]").map(parse_match_set);
        sets.map(|set| set.map_err(|why| ApiError::parameter("match[]", why))).collect()
    }
}

/// `%41` and `+` to what they stand for.
fn percent_decode(encoded: &[u8]) -> Result<String, ApiError> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok());
                let decoded = digits
                    .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|d| u8::from_str_radix(d, 16).ok());
                out.push(decoded.ok_or_else(|| {
                    ApiError::bad_data(format!(
                        "invalid URL escape in {:?}",
                        String::from_utf8_lossy(encoded)
                    ))
                })?);
                rest = &after[2..];
            }
            byte => out.push(*byte),
        }
    }
    String::from_utf8(out).map_err(|_| ApiError::bad_data("a parameter is not UTF-8"))
}

/// Seconds since the epoch with a fraction, or RFC 3339.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    let invalid = || format!("cannot parse {text:?} to a valid timestamp");
    if let Some(seconds) = parse_float(text) {
        return seconds_to_ms(seconds).ok_or_else(invalid);
    }
    match text {
        MIN_TIME_TEXT => Ok(MIN_TIME_MS),
        MAX_TIME_TEXT => Ok(MAX_TIME_MS),
        _ => parse_rfc3339(text).ok_or_else(invalid),
    }
}

/// A decimal number; Rust's own grammar without its words for infinity and NaN.
fn parse_float(text: &str) -> Option<f64> {
    let allowed =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(allowed).then(|| text.parse().ok()).flatten()
}

/// Rounds to milliseconds; `None` beyond what a timestamp holds.
fn seconds_to_ms(seconds: f64) -> Option<i64> {
    let (whole, fraction) = (seconds.trunc(), seconds.fract());
    let ms = whole * 1000.0 + (fraction * 1000.0).round();
    // Both bounds are exact as f64; the upper one is the first that does not fit.
    (ms >= i64::MIN as f64 && ms < i64::MAX as f64).then_some(ms as i64)
}

/// Units of a duration from the longest, in milliseconds.
const DURATION_UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Seconds with a fraction, or `1h30m`: units y w d h m s ms, each at most once, longest first.
///
/// # Errors
/// The text is neither, or the duration does not fit; in Prometheus' words.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let invalid = || format!("cannot parse {text:?} to a valid duration");
    // Prometheus counts nanoseconds, so that is the range.
    let overflows = || format!("cannot parse {text:?} to a valid duration. It overflows int64");
    let in_range = |ms: i64| (ms.unsigned_abs() <= (i64::MAX / 1_000_000) as u64).then_some(ms);
    if let Some(seconds) = parse_float(text) {
        return seconds_to_ms(seconds).and_then(in_range).ok_or_else(overflows);
    }
    parse_units(text).ok_or_else(invalid)?.and_then(in_range).ok_or_else(overflows)
}

/// `None`: not a duration. `Some(None)`: one that does not fit.
fn parse_units(text: &str) -> Option<Option<i64>> {
    let (mut rest, mut units) = (text, &DURATION_UNITS[..]);
    let mut total = Some(0i64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = &rest[digits..];
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let index = units.iter().position(|(unit, _)| *unit == &after[..letters])?;
        let count: Option<i64> =
            if digits > 0 { rest[..digits].parse().ok() } else { return None };
        let part = count.and_then(|count| count.checked_mul(units[index].1));
        total = total.zip(part).and_then(|(total, part)| total.checked_add(part));
        units = &units[index + 1..];
        rest = &after[letters..];
    }
    (!text.is_empty()).then_some(total)
}

/// The matchers of one `match[]`.
fn parse_match_set(text: &str) -> Result<Vec<Matcher>, String> {
    let parsed = parse_selector(text, &ParseOptions::default());
    let matchers = parsed.map_err(|error| error.to_string())?;
    if matchers.iter().all(Matcher::matches_empty) {
        return Err("match[] must contain at least one non-empty matcher".to_string());
    }
    Ok(matchers)
}

/// A label name as it stands in a path: with the prefix `U__`, `__` is `_` and `_2e_` the code point; anything
/// malformed stands for itself.
pub fn unescape_label_name(name: &str) -> String {
    name.strip_prefix("U__").and_then(unescape_values).unwrap_or_else(|| name.to_string())
}

/// More hex digits than any code point needs.
const CODE_POINT_DIGITS_MAX: usize = 6;

fn unescape_values(escaped: &str) -> Option<String> {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '_' {
            out.push(c);
            continue;
        }
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let (digits, after) = rest.split_once('_')?;
        if digits.len() > CODE_POINT_DIGITS_MAX || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(encoded: &str) -> Params {
        let mut params = Params::default();
        params.extend(encoded.as_bytes()).unwrap();
        params
    }

    #[test]
    fn pairs_are_decoded() {
        let params = params("a=1+2&b=%7B%7d&a=3&c&=x&d=%E6%97%A5");
        assert_eq!(params.get("a"), "1 2");
        assert_eq!(params.all("a").collect::<Vec<_>>(), ["1 2", "3"]);
        assert_eq!((params.get("b"), params.get("c"), params.get("d")), ("{}", "", "日"));
        for bad in ["a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff"] {
            assert!(Params::default().extend(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_seconds_or_rfc3339() {
        let cases = [
            ("0", 0),
            ("1435781451.781", 1_435_781_451_781),
            ("-1.5", -1500),
            ("1e3", 1_000_000),
            ("1.0004", 1000),
            ("2015-07-01T20:10:51.781Z", 1_435_781_451_781),
            ("2015-07-01T22:10:51.781+02:00", 1_435_781_451_781),
            (MIN_TIME_TEXT, MIN_TIME_MS),
            (MAX_TIME_TEXT, MAX_TIME_MS),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text), Ok(expected), "{text}");
        }
        for bad in ["", "x", "NaN", "inf", "1e300", "2015-07-01", "-"] {
            assert_eq!(parse_time(bad), Err(format!("cannot parse {bad:?} to a valid timestamp")));
        }
    }

    #[test]
    fn durations_are_seconds_or_units() {
        let cases = [
            ("15", 15_000),
            ("0.001", 1),
            ("-2", -2000),
            ("1h30m", 5_400_000),
            ("1y2w3d4h5m6s7ms", 31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007),
            ("0s", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration_ms(text), Ok(expected), "{text}");
        }
        for bad in ["", "x", "1y2", "30m1h", "1h1h", "h", "1.5h", "-1h", "1hm"] {
            let expected = format!("cannot parse {bad:?} to a valid duration");
            assert_eq!(parse_duration_ms(bad), Err(expected));
        }
        for large in ["1e300", "300y", "99999999999999999999y"] {
            let expected =
                format!("cannot parse {large:?} to a valid duration. It overflows int64");
            assert_eq!(parse_duration_ms(large), Err(expected));
        }
    }

    #[test]
    fn limits_are_not_negative() {
        assert_eq!(params("").limit(), Ok(None));
        assert_eq!(params("limit=0").limit(), Ok(None));
        assert_eq!(params("limit=7").limit(), Ok(Some(7)));
        assert!(params("limit=-1").limit().is_err() && params("limit=x").limit().is_err());
    }

    #[test]
    fn label_names_are_unescaped() {
        let cases = [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U___65E5_", "日"),
            ("U__a_zz_", "U__a_zz_"),
            ("U__a_", "U__a_"),
            ("U___1234567_", "U___1234567_"),
            ("U___d800_", "U___d800_"),
        ];
        for (escaped, expected) in cases {
            assert_eq!(unescape_label_name(escaped), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text: String, bytes: Vec<u8>) {
            let _ = (parse_time(&text), parse_duration_ms(&text), unescape_label_name(&text));
            let _ = Params::default().extend(&bytes);
        }

        #[test]
        fn encoded_pairs_come_back(name in "[a-z]{1,5}", value: String) {
            let encoded: String = value.bytes().map(|b| format!("%{b:02x}")).collect();
            let params = params(&format!("{name}={encoded}"));
            prop_assert_eq!(params.get(&name), value);
        }

        #[test]
        fn milliseconds_survive(ms in -4_000_000_000_000i64..4_000_000_000_000) {
            let mut text = String::new();
            super::super::json::put_timestamp(&mut text, ms);
            prop_assert_eq!(parse_time(&text), Ok(ms));
        }
    }
}
