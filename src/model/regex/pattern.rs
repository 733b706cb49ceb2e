//! The expression of a matcher: what it matches as a whole, and what is known of the matching texts without running
//! it. Read off the syntax tree of the `regex` crate, so that flags, escapes, groups and repetitions count as they do
//! when matching. A program is compiled only for expressions that need one: the alternatives and prefixes that
//! dashboards mostly ask for do not, and compiling costs more than parsing the rest of a query.

use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Dot, Hir, HirKind};

use super::{NESTING_MAX, compile_translated, translated};

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
    Regex(regex::Regex),
}

impl Pattern {
    /// # Errors
    /// Those of [`super::compile_anchored`].
    pub fn new(pattern: &str) -> Result<Pattern, regex::Error> {
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
            (None, None) => Program::Regex(compile_translated(&translated)?),
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
            Program::Regex(regex) => regex.is_match(text),
        }
    }

    /// Exactly the matching texts, each once, if they are few.
    pub fn values(&self) -> Option<&[String]> {
        match &self.program {
            Program::Values(values) => Some(values),
            Program::Prefix { .. } | Program::Regex(_) => None,
        }
    }

    /// What every matching text begins with; empty when unknown.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
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
