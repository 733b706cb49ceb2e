//! A pattern in the syntax of Go's `regexp` (RE2 with Perl classes) to one that the `regex` crate reads the same way.
//! They differ in what `\d`, `\s`, `\w` and `\b` mean beyond ASCII, in operators inside of character classes
//! (`[`, `&&`, `--`, `~~`), in `\Q...\E`, octal escapes, literal braces, nested repetitions, and in what the crate
//! adds. One pass, linear time; everything that means itself is escaped, so that the crate reads it so.

use std::iter::Peekable;
use std::str::CharIndices;

/// Most repetitions that `{n,m}` may ask for, as in RE2.
const REPEAT_MAX: u32 = 1000;

const MISSING_PAREN: &str = "missing closing )";
const MISSING_BRACKET: &str = "missing closing ]";
const TRAILING_BACKSLASH: &str = "trailing backslash at end of expression";

/// The same expression for the `regex` crate.
///
/// # Errors
/// What Go would say, with the part of the pattern it is about.
pub fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        pattern,
        chars: pattern.char_indices().peekable(),
        out: String::with_capacity(pattern.len() + 16),
        groups_open: 0,
        last: Last::Nothing,
    };
    translator.run()?;
    Ok(translator.out)
}

/// What a repetition operator would apply to.
#[derive(PartialEq, Clone, Copy)]
enum Last {
    Nothing,
    Operand,
    Repetition,
}

struct Translator<'a> {
    pattern: &'a str,
    chars: Peekable<CharIndices<'a>>,
    out: String,
    groups_open: usize,
    last: Last,
}

impl<'a> Translator<'a> {
    fn run(&mut self) -> Result<(), String> {
        while let Some((start, c)) = self.chars.next() {
            match c {
                '(' => self.open_group(start)?,
                ')' if self.groups_open == 0 => return Err(self.problem("unexpected )", 0)),
                ')' => {
                    self.groups_open -= 1;
                    self.operand(")");
                }
                '|' => {
                    self.out.push('|');
                    self.last = Last::Nothing;
                }
                '*' | '+' | '?' => self.repetition(start, self.pattern.get(start..=start))?,
                '{' => match self.counted(start)? {
                    Some(end) => {
                        self.skip_to(end);
                        self.repetition(start, self.pattern.get(start..end))?;
                    }
                    None => self.literal(c),
                },
                '.' | '^' | '$' => {
                    self.out.push(c);
                    self.last = Last::Operand;
                }
                '[' => self.class(start)?,
                '\\' => self.escape(start)?,
                c => self.literal(c),
            }
        }
        if self.groups_open > 0 { Err(self.problem(MISSING_PAREN, 0)) } else { Ok(()) }
    }

    /// The error about the pattern from `start` on.
    fn problem(&self, what: &str, start: usize) -> String {
        format!("{what}: `{}`", self.pattern.get(start..).unwrap_or(""))
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.chars.next_if(|(_, c)| *c == wanted).is_some()
    }

    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.pattern.len(), |(offset, _)| *offset)
    }

    fn rest(&mut self) -> &'a str {
        let offset = self.offset();
        self.pattern.get(offset..).unwrap_or("")
    }

    fn skip_to(&mut self, end: usize) {
        while self.chars.next_if(|(offset, _)| *offset < end).is_some() {}
    }

    fn operand(&mut self, text: &str) {
        self.out.push_str(text);
        self.last = Last::Operand;
    }

    fn literal(&mut self, c: char) {
        push_literal(&mut self.out, c);
        self.last = Last::Operand;
    }

    /// `*`, `+`, `?` or `{n,m}`, lazy when a `?` follows.
    fn repetition(&mut self, start: usize, operator: Option<&str>) -> Result<(), String> {
        let operator = operator.unwrap_or("");
        match self.last {
            Last::Nothing => {
                return Err(format!("missing argument to repetition operator: `{operator}`"));
            }
            Last::Repetition => {
                return Err(self.problem("invalid nested repetition operator", start));
            }
            Last::Operand => self.out.push_str(operator),
        }
        if self.next_is('?') {
            self.out.push('?');
        }
        self.last = Last::Repetition;
        Ok(())
    }

    /// The end of `{n}`, `{n,}` or `{n,m}` at `start`; `None` if the brace means itself.
    fn counted(&self, start: usize) -> Result<Option<usize>, String> {
        let inner = self.pattern.get(start + 1..).unwrap_or("");
        let Some(close) = inner.find('}') else {
            return Ok(None);
        };
        let (min, max) = match inner[..close].split_once(',') {
            Some((min, "")) => (min, None),
            Some((min, max)) => (min, Some(max)),
            None => (&inner[..close], None),
        };
        if !is_count(min) || !max.is_none_or(is_count) {
            return Ok(None);
        }
        let end = start + 1 + close + 1;
        // Too long for the type is too many as well.
        let count = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
        let max = max.map_or(count(min), count);
        if max > REPEAT_MAX || count(min) > max {
            let operator = self.pattern.get(start..end).unwrap_or("");
            return Err(format!("invalid repeat count: `{operator}`"));
        }
        Ok(Some(end))
    }

    /// `(`, with flags or a name.
    fn open_group(&mut self, start: usize) -> Result<(), String> {
        self.groups_open += 1;
        self.last = Last::Nothing;
        self.out.push('(');
        if !self.next_is('?') {
            return Ok(());
        }
        let rest = self.rest();
        if let Some(named) = rest.strip_prefix("P<").or_else(|| rest.strip_prefix('<')) {
            return self.group_name(start, named);
        }
        self.group_flags(start)
    }

    fn group_name(&mut self, start: usize, named: &str) -> Result<(), String> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match named.split_once('>') {
            Some((name, after)) if !name.is_empty() && name.chars().all(word) => {
                self.out.push_str(&format!("?P<{name}>"));
                self.skip_to(self.pattern.len() - after.len());
                Ok(())
            }
            _ => Err(self.problem("invalid named capture", start)),
        }
    }

    /// The flags of `(?flags)` or `(?flags:`; the group is open in the latter case.
    fn group_flags(&mut self, start: usize) -> Result<(), String> {
        let mut flags = String::new();
        for (_, c) in self.chars.by_ref() {
            match c {
                'i' | 'm' | 's' | 'U' => flags.push(c),
                '-' if !flags.contains('-') => flags.push(c),
                ':' | ')' if !flags.ends_with('-') => {
                    let sets_nothing = flags.is_empty() && c == ')';
                    // `(?)` is allowed and nothing.
                    if sets_nothing {
                        self.out.pop();
                    } else {
                        self.out.push_str(&format!("?{flags}{c}"));
                    }
                    self.groups_open -= usize::from(c == ')');
                    return Ok(());
                }
                _ => break,
            }
        }
        Err(self.problem("invalid or unsupported Perl syntax", start))
    }

    /// An escape outside of a class.
    fn escape(&mut self, start: usize) -> Result<(), String> {
        match self.chars.peek().map(|(_, c)| *c) {
            None => Err(TRAILING_BACKSLASH.to_string()),
            Some(c @ ('A' | 'z')) => {
                self.chars.next();
                self.operand(&format!("\\{c}"));
                Ok(())
            }
            Some(c @ ('b' | 'B')) => {
                self.chars.next();
                self.operand(&format!("(?-u:\\{c})"));
                Ok(())
            }
            Some('Q') => {
                self.chars.next();
                self.quoted();
                Ok(())
            }
            Some(_) => {
                match self.class_escape(start)? {
                    Some(class) => self.operand(&format!("[{class}]")),
                    None => {
                        let c = self.char_escape(start)?;
                        self.literal(c);
                    }
                }
                Ok(())
            }
        }
    }

    /// The text of `\Q...\E`, or of `\Q...` to the end.
    fn quoted(&mut self) {
        let rest = self.rest();
        let (quoted, after) = rest.split_once("\\E").unwrap_or((rest, ""));
        for c in quoted.chars() {
            self.literal(c);
        }
        self.skip_to(self.pattern.len() - after.len());
    }

    /// `\d`, `\pN`, `\p{Greek}` and their like, as items of a class. Takes nothing if it is another escape.
    fn class_escape(&mut self, start: usize) -> Result<Option<String>, String> {
        let Some((_, c)) = self.chars.next_if(|(_, c)| "dDsSwWpP".contains(*c)) else {
            return Ok(None);
        };
        let items = match c {
            'd' => "0-9",
            'D' => "[^0-9]",
            's' => "\\t\\n\\f\\r ",
            'S' => "[^\\t\\n\\f\\r ]",
            'w' => "0-9A-Za-z_",
            'W' => "[^0-9A-Za-z_]",
            _ => return self.unicode_class(start, c == 'P').map(Some),
        };
        Ok(Some(items.to_string()))
    }

    fn unicode_class(&mut self, start: usize, negated: bool) -> Result<String, String> {
        let rest = self.rest();
        let (name, len) = match rest.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}').unwrap_or(0);
                (&braced[..end], end + 2)
            }
            None => {
                let len = rest.chars().next().map_or(0, char::len_utf8);
                (&rest[..len], len)
            }
        };
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, !negated),
            None => (name, negated),
        };
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(self.problem("invalid character class range", start));
        }
        let end = self.offset() + len;
        self.skip_to(end);
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    /// An escape that stands for one character.
    fn char_escape(&mut self, start: usize) -> Result<char, String> {
        let Some((_, c)) = self.chars.next() else {
            return Err(TRAILING_BACKSLASH.to_string());
        };
        Ok(match c {
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            'x' => return self.hex_escape(start),
            '0'..='7' => return self.octal_escape(start, c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(self.invalid_escape(start)),
        })
    }

    fn invalid_escape(&mut self, start: usize) -> String {
        let end = self.offset();
        format!("invalid escape sequence: `{}`", self.pattern.get(start..end).unwrap_or(""))
    }

    /// `\0`, `\12`, `\123`. A single digit other than zero would be a back reference, which RE2 has not.
    fn octal_escape(&mut self, start: usize, first: char) -> Result<char, String> {
        let mut value = first.to_digit(8).unwrap_or(0);
        let mut digits = 1;
        while digits < 3
            && let Some((_, c)) = self.chars.next_if(|(_, c)| c.is_digit(8))
        {
            value = value * 8 + c.to_digit(8).unwrap_or(0);
            digits += 1;
        }
        if digits == 1 && first != '0' {
            return Err(self.invalid_escape(start));
        }
        char::from_u32(value).ok_or_else(|| self.invalid_escape(start))
    }

    /// `\x7F` or `\x{10FFFF}`
    fn hex_escape(&mut self, start: usize) -> Result<char, String> {
        let rest = self.rest();
        let (digits, len) = match rest.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}').unwrap_or(0);
                (&braced[..end], end + 2)
            }
            None => (rest.get(..2).unwrap_or(""), 2),
        };
        let hex = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
        let value = u32::from_str_radix(digits, 16).ok().filter(|_| hex);
        let Some(c) = value.and_then(char::from_u32) else {
            return Err(self.invalid_escape(start));
        };
        let end = self.offset() + len;
        self.skip_to(end);
        Ok(c)
    }

    /// A bracketed class, item by item.
    fn class(&mut self, start: usize) -> Result<(), String> {
        self.out.push('[');
        if self.next_is('^') {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let item = self.offset();
            match self.chars.peek().map(|(_, c)| *c) {
                None => return Err(self.problem(MISSING_BRACKET, start)),
                Some(']') if !first => break,
                Some('[') if self.rest().starts_with("[:") && self.posix_class(item)? => {}
                Some('\\') if self.escaped_class()? => {}
                Some(_) => self.class_range(item, start)?,
            }
            first = false;
        }
        self.chars.next();
        self.operand("]");
        Ok(())
    }

    /// `[:alpha:]`; false if it is no such thing.
    fn posix_class(&mut self, item: usize) -> Result<bool, String> {
        let rest = self.rest();
        let Some(end) = rest.find(":]") else {
            return Ok(false);
        };
        let text = &rest[..end + 2];
        let name = rest.get(2..end).unwrap_or("");
        if !POSIX_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
            return Err(format!("invalid character class range: `{text}`"));
        }
        self.out.push_str(text);
        self.skip_to(item + text.len());
        Ok(true)
    }

    /// A class escape inside of a class; false, and nothing taken, if it is another escape.
    fn escaped_class(&mut self) -> Result<bool, String> {
        let is_class = self.rest().starts_with(['\\']) && {
            let second = self.rest().chars().nth(1);
            second.is_some_and(|c| "dDsSwWpP".contains(c))
        };
        if !is_class {
            return Ok(false);
        }
        let start = self.offset();
        self.chars.next();
        if let Some(items) = self.class_escape(start)? {
            self.out.push_str(&items);
        }
        Ok(true)
    }

    /// One character, or two with a dash between.
    fn class_range(&mut self, item: usize, class: usize) -> Result<(), String> {
        let low = self.class_char(class)?;
        push_literal(&mut self.out, low);
        let rest = self.rest();
        if rest.starts_with('-') && !rest.starts_with("-]") && rest.len() > 1 {
            self.chars.next();
            let high = self.class_char(class)?;
            if high < low {
                let end = self.offset();
                let range = self.pattern.get(item..end).unwrap_or("");
                return Err(format!("invalid character class range: `{range}`"));
            }
            self.out.push('-');
            push_literal(&mut self.out, high);
        }
        Ok(())
    }

    fn class_char(&mut self, class: usize) -> Result<char, String> {
        let start = self.offset();
        match self.chars.next() {
            None => Err(self.problem(MISSING_BRACKET, class)),
            Some((_, '\\')) => self.char_escape(start),
            Some((_, c)) => Ok(c),
        }
    }
}

const POSIX_CLASSES: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// A count of a repetition: digits without a leading zero.
fn is_count(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits && (text.len() == 1 || !text.starts_with('0'))
}

/// A character that means itself, inside and outside of classes.
fn push_literal(out: &mut String, c: char) {
    if c.is_ascii_punctuation() && c != '<' && c != '>' {
        out.push('\\');
    }
    out.push(c);
}
