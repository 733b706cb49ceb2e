//! A label matcher: what a selector asks of one label. An absent label has the empty value.

use std::fmt;
use std::sync::Arc;

use super::labels::{is_legacy_label_name, quoted};
use super::regex::Pattern;

/// How the value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    pub fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// One condition on one label.
#[derive(Clone)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
    pattern: Option<Arc<Pattern>>,
}

impl Matcher {
    /// # Errors
    /// The value of a regex matcher does not compile.
    pub fn new(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
    ) -> Result<Matcher, regex::Error> {
        let value = value.into();
        let pattern = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(Arc::new(Pattern::new(&value)?)),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Matcher { name: name.into(), op, value, pattern })
    }

    /// The same expression asked of another label, positively or not: nothing is compiled again. `op` compares as this
    /// matcher does, with text or with an expression.
    pub fn again(&self, name: impl Into<String>, op: MatchOp) -> Matcher {
        Matcher { name: name.into(), op, ..self.clone() }
    }

    /// What the compiled expression takes at most, in bytes.
    pub fn program_bytes(&self) -> usize {
        self.pattern.as_ref().map_or(0, |pattern| pattern.program_bytes())
    }

    /// An equality matcher, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher { name: name.into(), op: MatchOp::Equal, value: value.into(), pattern: None }
    }

    /// Does a label with this value (empty: no such label) satisfy the matcher?
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.pattern) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Regex, Some(pattern)) => pattern.is_match(value),
            (MatchOp::NotRegex, Some(pattern)) => !pattern.is_match(value),
            (MatchOp::Regex | MatchOp::NotRegex, None) => {
                unreachable!("a regex matcher is built with its pattern")
            }
        }
    }

    /// Would a series without this label match?
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Exactly the values that a positive matcher matches, when they are few and known: the value of `=`, the
    /// alternatives of `=~"a|b|c"` and of other expressions that match a finite number of texts. `None`: the values
    /// must be scanned.
    pub fn literal_values(&self) -> Option<Vec<&str>> {
        match (self.op, &self.pattern) {
            (MatchOp::Equal, _) => Some(vec![self.value.as_str()]),
            (MatchOp::Regex, Some(pattern)) => {
                Some(pattern.values()?.iter().map(String::as_str).collect())
            }
            _ => None,
        }
    }

    /// For a `=~` matcher, the literal text every matching value begins with; empty when unknown.
    pub fn literal_prefix(&self) -> &str {
        match (self.op, &self.pattern) {
            (MatchOp::Regex, Some(pattern)) => pattern.prefix(),
            _ => "",
        }
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_legacy_label_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            f.write_str(&quoted(&self.name))?;
        }
        write!(f, "{}{}", self.op.as_str(), quoted(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
