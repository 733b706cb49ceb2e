//! Numbers, durations and strings: where they end and what they mean. Used by the lexer, and by whoever reads a
//! duration outside of a query. Knows nothing of the grammar.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, one_of};
use nom::combinator::{opt, recognize};
use nom::error::Error;
use nom::multi::{many0_count, many1_count};
use nom::sequence::preceded;
use nom::{IResult, Parser};

use crate::model::labels::quoted;

/// Longest duration, as in Prometheus: what 64 bits of nanoseconds hold.
const DURATION_MAX_MS: u64 = i64::MAX as u64 / 1_000_000;

/// Units of a duration, largest first, with their milliseconds. A year has 365 days.
const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// A literal at the start of a text that begins with a digit, or a dot and a digit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Numeric {
    Number(f64),
    /// In seconds.
    Duration(f64),
}

/// The number or duration at the start of `input`, and its length in bytes.
///
/// # Errors
/// What is wrong with it.
pub fn numeric(input: &str) -> Result<(Numeric, usize), String> {
    let word = numeric_word(input);
    let is_whole = |rest: &str| rest.len() + word.len() == input.len();
    if let Ok((rest, text)) = duration_text(input)
        && is_whole(rest)
    {
        let duration_ms = parse_duration_ms(text)?;
        return Ok((Numeric::Duration(duration_ms as f64 / 1000.0), text.len()));
    }
    if let Ok((rest, text)) = alt((hexadecimal, decimal)).parse(input)
        && !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    {
        return Ok((Numeric::Number(number_value(text)?), text.len()));
    }
    Err(format!("bad number or duration syntax: {word:?}"))
}

/// Everything that could belong to a literal, for the error and for finding the end of a duration.
fn numeric_word(input: &str) -> &str {
    let end = input.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    &input[..end.unwrap_or(input.len())]
}

/// Digits, single underscores between them.
fn digits(input: &str) -> IResult<&str, &str> {
    recognize((digit1, many0_count(preceded(char('_'), digit1)))).parse(input)
}

fn hexadecimal(input: &str) -> IResult<&str, &str> {
    let digits = (hex_digit1, many0_count(preceded(char('_'), hex_digit1)));
    recognize((char('0'), one_of("xX"), opt(char('_')), digits)).parse(input)
}

fn decimal(input: &str) -> IResult<&str, &str> {
    let whole = recognize((digits, opt((char('.'), opt(digits)))));
    let fraction = recognize((char('.'), digits));
    let exponent = (one_of("eE"), opt(one_of("+-")), digits);
    recognize((alt((whole, fraction)), opt(exponent))).parse(input)
}

fn duration_text(input: &str) -> IResult<&str, &str> {
    recognize(many1_count((digit1, unit))).parse(input)
}

fn unit(input: &str) -> IResult<&str, &str> {
    alt((tag("ms"), recognize(one_of("ywdhms")))).parse(input)
}

/// An integer in base 16 (`0x`), 8 (`0`) or 10 where it is one, else a float.
fn number_value(text: &str) -> Result<f64, String> {
    let digits = text.replace('_', "");
    let out_of_range = || format!("error parsing number: {text:?} is out of range");
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).map(|n| n as f64).map_err(|_| out_of_range());
    }
    if digits.starts_with('0')
        && let Ok(octal) = i64::from_str_radix(&digits, 8)
    {
        return Ok(octal as f64);
    }
    match digits.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(out_of_range()),
        Err(_) => Err(format!("error parsing number: {text:?}")),
    }
}

/// A duration as Prometheus writes it (`1h30m`, `0`), in milliseconds: units descending, each at most once.
///
/// # Errors
/// The text is no duration, or a longer one than 292 years.
pub fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let invalid = || format!("not a valid duration string: {text:?}");
    let out_of_range = || format!("duration out of range: {text:?}");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let (after, (count, unit)) =
            (digit1::<_, Error<&str>>, unit).parse(rest).map_err(|_| invalid())?;
        let (_, unit_ms) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let count = count.parse::<u64>().map_err(|_| out_of_range())?;
        let part_ms = count.checked_mul(*unit_ms).ok_or_else(out_of_range)?;
        total_ms = total_ms.checked_add(part_ms).ok_or_else(out_of_range)?;
        rest = after;
    }
    match total_ms {
        _ if text.is_empty() => Err(invalid()),
        ms if ms > DURATION_MAX_MS => Err(out_of_range()),
        ms => Ok(ms as i64),
    }
}

/// A duration as Prometheus prints it, whole weeks and years only where nothing is left over.
pub fn format_duration_ms(duration_ms: u64) -> String {
    if duration_ms == 0 {
        return "0s".to_string();
    }
    let mut out = String::new();
    let mut rest_ms = duration_ms;
    for (unit, unit_ms) in UNITS {
        let only_exact = matches!(*unit, "y" | "w");
        if rest_ms >= *unit_ms && (!only_exact || rest_ms.is_multiple_of(*unit_ms)) {
            out.push_str(&format!("{}{unit}", rest_ms / unit_ms));
            rest_ms %= unit_ms;
        }
    }
    out
}

/// The length in bytes of the string literal at the start of `input`, quotes included. Escapes are valid then.
///
/// # Errors
/// What is wrong with it.
pub fn string_len(input: &str) -> Result<usize, String> {
    let Some(quote) = input.chars().next() else {
        return Err("unterminated quoted string".to_string());
    };
    let mut rest = &input[quote.len_utf8()..];
    if quote == '`' {
        let end = rest.find('`').ok_or("unterminated raw string")?;
        return Ok(end + 2);
    }
    loop {
        rest = plain_text(rest, quote).0;
        match rest.chars().next() {
            Some(c) if c == quote => return Ok(input.len() - rest.len() + 1),
            Some('\\') => rest = escape(&rest[1..], quote)?.0,
            _ => return Err("unterminated quoted string".to_string()),
        }
    }
}

/// A string literal whose bytes are no UTF-8, as escapes can make it; the text is the literal re-quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUtf8(pub String);

/// The value of a string literal that [`string_len`] has accepted.
///
/// # Errors
/// The value is not UTF-8, so no label can hold it.
pub fn unquote(literal: &str) -> Result<String, NotUtf8> {
    let mut inner = literal.chars();
    let quote = inner.next().unwrap_or('"');
    inner.next_back();
    let mut rest = inner.as_str();
    if quote == '`' {
        return Ok(rest.to_string());
    }
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (after, plain) = plain_text(rest, quote);
        bytes.extend_from_slice(plain.as_bytes());
        rest = after;
        match rest.strip_prefix('\\').map(|escaped| escape(escaped, quote)) {
            Some(Ok((after, Escaped::Byte(byte)))) => {
                bytes.push(byte);
                rest = after;
            }
            Some(Ok((after, Escaped::Char(c)))) => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = after;
            }
            Some(Err(_)) | None => break,
        }
    }
    String::from_utf8(bytes).map_err(|error| NotUtf8(quoted_bytes(error.as_bytes())))
}

/// Bytes as a literal, those that are no UTF-8 as `\xhh`.
fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let valid = quoted(chunk.valid());
        out.push_str(valid.get(1..valid.len() - 1).unwrap_or(""));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

fn plain_text(input: &str, quote: char) -> (&str, &str) {
    let mut plain = take_while::<_, _, Error<&str>>(|c| c != quote && c != '\\' && c != '\n');
    plain.parse(input).unwrap_or((input, ""))
}

enum Escaped {
    Byte(u8),
    Char(char),
}

/// The escape sequence at the start of `input`, which begins after the backslash.
fn escape(input: &str, quote: char) -> Result<(&str, Escaped), String> {
    let Some(first) = input.chars().next() else {
        return Err("escape sequence not terminated".to_string());
    };
    let rest = &input[first.len_utf8()..];
    let simple = |byte: u8| Ok((rest, Escaped::Byte(byte)));
    match first {
        'a' => simple(0x07),
        'b' => simple(0x08),
        'f' => simple(0x0c),
        'n' => simple(b'\n'),
        'r' => simple(b'\r'),
        't' => simple(b'\t'),
        'v' => simple(0x0b),
        '\\' => simple(b'\\'),
        c if c == quote => Ok((rest, Escaped::Char(quote))),
        '0'..='7' => byte_escape(input, 3, 8),
        'x' => byte_escape(rest, 2, 16),
        'u' => char_escape(rest, 4),
        'U' => char_escape(rest, 8),
        c => Err(format!("unknown escape sequence {}", code_point(c))),
    }
}

fn byte_escape(input: &str, digits: usize, base: u32) -> Result<(&str, Escaped), String> {
    let (rest, value) = escape_digits(input, digits, base)?;
    let byte = u8::try_from(value).map_err(|_| invalid_code_point())?;
    Ok((rest, Escaped::Byte(byte)))
}

fn char_escape(input: &str, digits: usize) -> Result<(&str, Escaped), String> {
    let (rest, value) = escape_digits(input, digits, 16)?;
    let c = char::from_u32(value).ok_or_else(invalid_code_point)?;
    Ok((rest, Escaped::Char(c)))
}

fn invalid_code_point() -> String {
    "escape sequence is an invalid Unicode code point".to_string()
}

fn escape_digits(input: &str, count: usize, base: u32) -> Result<(&str, u32), String> {
    let mut chars = input.chars();
    let mut value: u32 = 0;
    for _ in 0..count {
        let c = chars.next().ok_or("escape sequence not terminated")?;
        let digit = c
            .to_digit(base)
            .ok_or_else(|| format!("illegal character {} in escape sequence", code_point(c)))?;
        value = value.saturating_mul(base).saturating_add(digit);
    }
    Ok((chars.as_str(), value))
}

fn code_point(c: char) -> String {
    format!("U+{:04X} {c:?}", c as u32)
}

/// The name at the start of `input`, with colons where `colons` allows them.
pub fn name(input: &str, colons: bool) -> &str {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    take_while1::<_, _, Error<&str>>(part).parse(input).map_or("", |(_, name)| name)
}
