//! The expression of a matcher: what it matches as a whole, and what is known of the matching texts without running
//! it. Read off the syntax tree of the `regex` crate, so that flags, escapes, groups and repetitions count as they do
//! when matching. A program is compiled only for expressions that need one: the alternatives and prefixes that
//! dashboards mostly ask for do not, and compiling costs more than parsing the rest of a query.

use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Dot, Hir, HirKind};

use super::{NESTING_MAX, compile_measured, translated};

/// Most texts of a finite expression that are listed: looking them up one by one is then still cheaper than a scan.
const TEXTS_MAX: usize = 1024;

/// Longest text that is listed, in bytes.
const TEXT_MAX_BYTES: usize = 1024;

/// An expression that must match the whole text.
pub struct Pattern {
    program: Program,
    /// What every matching text begins with.
    prefix: String,
}

enum Program {
    /// Exactly these, sorted.
    Values(Vec<String>),
    /// Everything with the prefix; something must follow it if `longer`.
    Prefix {
        longer: bool,
    },
    Regex {
        regex: regex::Regex,
        bytes: usize,
    },
}

impl Pattern {
    /// # Errors
    /// Those of [`super::compile_anchored`]; alternatives of plain text may be of any length.
    pub fn new(pattern: &str) -> Result<Pattern, regex::Error> {
        if let Some(mut values) = plain_alternatives(pattern) {
            values.sort_unstable();
            values.dedup();
            let prefix = shared_prefix(&values).to_string();
            return Ok(Pattern { program: Program::Values(values), prefix });
        }
        let translated = translated(pattern)?;
        let mut parser = regex_syntax::ParserBuilder::new()
            .dot_matches_new_line(true)
            .nest_limit(NESTING_MAX)
            .build();
        let hir = parser
            .parse(&translated)
            .map_err(|error| regex::Error::Syntax(format!("error parsing regexp: {error}")))?;
        let prefix = common_prefix(&hir);
        let program = match (values(&hir), any_after_prefix(&hir)) {
            (Some(values), _) => Program::Values(values),
            (None, Some(longer)) => Program::Prefix { longer },
            (None, None) => {
                let (regex, bytes) = compile_measured(&translated)?;
                Program::Regex { regex, bytes }
            }
        };
        Ok(Pattern { program, prefix })
    }

    pub fn is_match(&self, text: &str) -> bool {
        match &self.program {
            Program::Values(values) => {
                values.binary_search_by(|value| value.as_str().cmp(text)).is_ok()
            }
            Program::Prefix { longer } => {
                let rest = text.strip_prefix(self.prefix.as_str());
                rest.is_some_and(|rest| !longer || !rest.is_empty())
            }
            Program::Regex { regex, .. } => regex.is_match(text),
        }
    }

    /// Exactly the matching texts, each once, if they are few.
    pub fn values(&self) -> Option<&[String]> {
        match &self.program {
            Program::Values(values) => Some(values),
            Program::Prefix { .. } | Program::Regex { .. } => None,
        }
    }

    /// What the compiled program takes at most; nothing if there is none.
    pub fn program_bytes(&self) -> usize {
        match &self.program {
            Program::Values(_) | Program::Prefix { .. } => 0,
            Program::Regex { bytes, .. } => *bytes,
        }
    }

    /// What every matching text begins with; empty when unknown.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// The alternatives of `a|b`, `(a|b)` or `(?:a|b)`, in which only punctuation is escaped: what variables of dashboards
/// become. Needs neither a syntax tree nor a limit.
fn plain_alternatives(pattern: &str) -> Option<Vec<String>> {
    let grouped = pattern.strip_prefix("(?:").or_else(|| pattern.strip_prefix('('));
    let inner = match grouped.and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner,
        None => pattern,
    };
    let mut values = vec![String::new()];
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '|' => {
                values.push(String::new());
                continue;
            }
            '\\' => chars.next().filter(char::is_ascii_punctuation)?,
            '.' | '+' | '*' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            c => c,
        };
        values.last_mut()?.push(literal);
    }
    Some(values)
}

/// What all of some sorted texts begin with.
fn shared_prefix(sorted: &[String]) -> &str {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return "" };
    let same = first.char_indices().zip(last.chars()).find(|((_, a), b)| a != b);
    let end = same.map_or(first.len().min(last.len()), |((offset, _), _)| offset);
    first.get(..end).unwrap_or("")
}

fn prefixes(hir: &Hir) -> Seq {
    let mut extractor = Extractor::new();
    extractor.kind(ExtractKind::Prefix).limit_total(TEXTS_MAX).limit_literal_len(TEXT_MAX_BYTES);
    extractor.extract(hir)
}

fn values(hir: &Hir) -> Option<Vec<String>> {
    // `^`, `\b` and their like can forbid a text that the literals allow.
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let seq = prefixes(hir);
    if !seq.is_exact() {
        return None;
    }
    let texts = seq.literals()?.iter().map(|text| String::from_utf8(text.as_bytes().to_vec()));
    let mut values = texts.collect::<Result<Vec<_>, _>>().ok()?;
    values.sort_unstable();
    values.dedup();
    Some(values)
}

fn common_prefix(hir: &Hir) -> String {
    let seq = prefixes(hir);
    let common = seq.longest_common_prefix().unwrap_or_default();
    // The common bytes may end inside of a character.
    common.utf8_chunks().next().map_or("", |chunk| chunk.valid()).to_string()
}

/// Is it a literal, or nothing, and then `.*` (`Some(false)`) or `.+` (`Some(true)`)?
fn any_after_prefix(hir: &Hir) -> Option<bool> {
    let last = match hir.kind() {
        HirKind::Concat(parts) => match parts.as_slice() {
            [literal, last] if matches!(literal.kind(), HirKind::Literal(_)) => last,
            _ => return None,
        },
        _ => hir,
    };
    let HirKind::Repetition(repetition) = last.kind() else {
        return None;
    };
    let any = *repetition.sub == Hir::dot(Dot::AnyChar);
    match (repetition.min, repetition.max) {
        (min @ (0 | 1), None) if any => Some(min == 1),
        _ => None,
    }
}
