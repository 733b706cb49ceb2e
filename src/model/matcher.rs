//! A label matcher: what a selector asks of one label. An absent label has the empty value.

use std::fmt;
use std::sync::Arc;

use super::labels::{is_legacy_label_name, quoted};
use super::regex::compile_anchored;

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
    regex: Option<Arc<regex::Regex>>,
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
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(Arc::new(compile_anchored(&value)?)),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Matcher { name: name.into(), op, value, regex })
    }

    /// An equality matcher, which cannot fail.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Matcher {
        Matcher { name: name.into(), op: MatchOp::Equal, value: value.into(), regex: None }
    }

    /// Does a label with this value (empty: no such label) satisfy the matcher?
    pub fn matches(&self, value: &str) -> bool {
        match (self.op, &self.regex) {
            (MatchOp::Equal, _) => value == self.value,
            (MatchOp::NotEqual, _) => value != self.value,
            (MatchOp::Regex, Some(regex)) => regex.is_match(value),
            (MatchOp::NotRegex, Some(regex)) => !regex.is_match(value),
            (MatchOp::Regex | MatchOp::NotRegex, None) => {
                unreachable!("a regex matcher is built with its regex")
            }
        }
    }

    /// Would a series without this label match?
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The values of a positive matcher when they are few and known: the value of `=`, the alternatives
    /// of `=~"a|b|c"` when none holds a regex operator. `None`: the values must be scanned.
    pub fn literal_values(&self) -> Option<Vec<&str>> {
        match self.op {
            MatchOp::Equal => Some(vec![self.value.as_str()]),
            MatchOp::Regex if !has_meta(&self.value) => Some(self.value.split('|').collect()),
            _ => None,
        }
    }

    /// For a regex matcher, the literal text every matching value begins with; empty when unknown.
    pub fn literal_prefix(&self) -> &str {
        if self.regex.is_none() || self.value.contains('|') {
            return "";
        }
        let end = self.value.find(is_meta).unwrap_or(self.value.len());
        // A quantifier applies to the character before it, which then is not certain.
        let quantified = self.value[end..].starts_with(['*', '?', '{']);
        let prefix = &self.value[..end];
        match prefix.chars().next_back() {
            Some(last) if quantified => &prefix[..prefix.len() - last.len_utf8()],
            _ => prefix,
        }
    }
}

fn is_meta(c: char) -> bool {
    matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|')
}

fn has_meta(pattern: &str) -> bool {
    pattern.chars().any(|c| c != '|' && is_meta(c))
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
