//! A cursor over one line of a script: the small pieces (numbers, durations, quoted strings) that all lines share.

/// Milliseconds per unit, longest units first; `ms` must be tried before `m`.
const UNITS: [(&str, i64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("ms", 1),
    ("m", 60_000),
    ("s", 1_000),
];

/// The unread rest of a line.
#[derive(Debug, Clone)]
pub struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        Scanner { rest: text }
    }

    pub fn rest(&self) -> &'a str {
        self.rest
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// To the next item of a sequence of values, which begins after a blank; false at the end.
    pub fn skip_to_item(&mut self) -> Result<bool, String> {
        let before = self.rest;
        self.skip_blanks();
        match self.is_done() {
            true => Ok(false),
            false if self.rest == before => Err(self.unexpected("a blank")),
            false => Ok(true),
        }
    }

    /// Takes `token` if the rest begins with it.
    pub fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(&format!("{token:?}"))) }
    }

    /// The longest beginning of characters for which `wanted` holds; may be empty.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub fn unexpected(&self, wanted: &str) -> String {
        format!("expected {wanted} at {:?}", self.rest)
    }

    /// A number with an optional sign: decimal, `Inf`, `NaN`, or a duration as seconds. Ends before the `x` and the
    /// sign of a sequence.
    pub fn number(&mut self) -> Result<f64, String> {
        let start = self.rest;
        let negative = match self.peek() {
            Some(sign @ ('+' | '-')) => {
                self.take_while(|c| c == sign);
                sign == '-'
            }
            _ => false,
        };
        let sign_len = start.len() - self.rest.len();
        let magnitude = if sign_len > 1 { None } else { self.unsigned_number() };
        match magnitude {
            Some(value) => Ok(if negative { -value } else { value }),
            None => {
                self.rest = start;
                Err(self.unexpected("a number"))
            }
        }
    }

    fn unsigned_number(&mut self) -> Option<f64> {
        for (word, value) in [("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if self.rest.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(word)) {
                self.rest = &self.rest[3..];
                return Some(value);
            }
        }
        if let Some(duration_ms) = self.clone().united_duration_ms() {
            let _ = self.united_duration_ms();
            return Some(duration_ms as f64 / 1000.0);
        }
        let start = self.rest;
        self.take_while(|c| c.is_ascii_digit());
        if self.take(".") {
            self.take_while(|c| c.is_ascii_digit());
        }
        let mut exponent = self.clone();
        if exponent.take("e") || exponent.take("E") {
            let _ = exponent.take("+") || exponent.take("-");
            if !exponent.take_while(|c| c.is_ascii_digit()).is_empty() {
                *self = exponent;
            }
        }
        start[..start.len() - self.rest.len()].parse().ok()
    }

    pub fn uint(&mut self) -> Result<usize, String> {
        let before = self.clone();
        let digits = self.take_while(|c| c.is_ascii_digit());
        digits.parse().map_err(|_| before.unexpected("a count"))
    }

    /// A duration without sign: `1h30m`, or `0`.
    pub fn duration_ms(&mut self) -> Result<i64, String> {
        if let Some(duration_ms) = self.clone().united_duration_ms() {
            let _ = self.united_duration_ms();
            return Ok(duration_ms);
        }
        if self.take("0") {
            return Ok(0);
        }
        Err(self.unexpected("a duration"))
    }

    /// Numbers with units, one after the other.
    fn united_duration_ms(&mut self) -> Option<i64> {
        let mut total: Option<i64> = None;
        loop {
            let mut part = self.clone();
            let digits = part.take_while(|c| c.is_ascii_digit());
            let Some((_, unit_ms)) = UNITS.iter().find(|(unit, _)| part.take(unit)) else {
                return total;
            };
            let Ok(count) = digits.parse::<i64>() else { return total };
            total = Some(total.unwrap_or(0).saturating_add(count.saturating_mul(*unit_ms)));
            *self = part;
        }
    }

    /// A string in double, single or back quotes, with Go's escapes in the first two.
    pub fn quoted_string(&mut self) -> Result<String, String> {
        let before = self.clone();
        let quote = match self.peek() {
            Some(quote @ ('"' | '\'' | '`')) => quote,
            _ => return Err(self.unexpected("a quoted string")),
        };
        self.rest = &self.rest[1..];
        if quote == '`' {
            let text = self.take_while(|c| c != '`');
            self.expect("`")?;
            return Ok(text.to_string());
        }
        let mut bytes = Vec::new();
        loop {
            let c = self.peek().ok_or_else(|| before.unexpected("a closed string"))?;
            self.rest = &self.rest[c.len_utf8()..];
            if c == quote {
                break;
            }
            if c == '\\' {
                self.escape(&mut bytes)?;
            } else {
                push_char(&mut bytes, c);
            }
        }
        String::from_utf8(bytes).map_err(|_| before.unexpected("a string of valid UTF-8"))
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let before = self.clone();
        let c = self.peek().ok_or_else(|| before.unexpected("an escape"))?;
        self.rest = &self.rest[c.len_utf8()..];
        match c {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' | '"' | '\'' => push_char(out, c),
            'x' => out.push(self.digits(2, 16)? as u8),
            'u' => push_char(out, char::from_u32(self.digits(4, 16)?).unwrap_or('\u{fffd}')),
            'U' => push_char(out, char::from_u32(self.digits(8, 16)?).unwrap_or('\u{fffd}')),
            '0'..='3' => {
                *self = before;
                out.push(self.digits(3, 8)? as u8);
            }
            _ => return Err(before.unexpected("an escape")),
        }
        Ok(())
    }

    fn digits(&mut self, count: usize, radix: u32) -> Result<u32, String> {
        let digits = self.rest.get(..count).ok_or_else(|| self.unexpected("an escape"))?;
        let value = u32::from_str_radix(digits, radix).map_err(|_| self.unexpected("an escape"))?;
        self.rest = &self.rest[count..];
        Ok(value)
    }
}

fn push_char(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> (f64, &str) {
        let mut scanner = Scanner::new(text);
        (scanner.number().unwrap(), scanner.rest())
    }

    #[test]
    fn numbers_end_where_a_sequence_goes_on() {
        assert_eq!(number("1+2x3"), (1.0, "+2x3"));
        assert_eq!(number("-.5e-3x2"), (-0.0005, "x2"));
        assert_eq!(number("2e3-1x2"), (2000.0, "-1x2"));
        assert_eq!(number("1. "), (1.0, " "));
        assert_eq!(number("-InfX"), (f64::NEG_INFINITY, "X"));
        assert_eq!(number("1m30sx2"), (90.0, "x2"));
        assert!(number("NaN").0.is_nan());
        for bad in ["", "x", "--1", "+", "e5", ".", "_"] {
            assert!(Scanner::new(bad).number().is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        let duration = |text| Scanner::new(text).duration_ms();
        assert_eq!(duration("1h30m"), Ok(5_400_000));
        assert_eq!(duration("5ms"), Ok(5));
        assert_eq!(duration("0"), Ok(0));
        assert_eq!(duration("1y2w3d"), Ok(31_536_000_000 + 17 * 86_400_000));
        assert!(duration("5").is_err());
        assert!(duration("m").is_err());
    }

    #[test]
    fn strings_are_unescaped() {
        let string = |text| Scanner::new(text).quoted_string();
        assert_eq!(string(r#""a\"b\n\x41\101\u00e9" rest"#).unwrap(), "a\"b\nAA\u{e9}");
        assert_eq!(string(r"'it''s'").unwrap(), "it");
        assert_eq!(string(r"`a\n`").unwrap(), r"a\n");
        for bad in ["\"open", r#""\q""#, r#""\xff""#, "plain", r#""\"#, "`open"] {
            assert!(string(bad).is_err(), "{bad}");
        }
    }
}
