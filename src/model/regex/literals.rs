//! What is known of the texts that an expression matches without running it. Read off the syntax tree of the
//! `regex` crate, so that flags, escapes, groups and repetitions count as they do when matching.

use regex_syntax::hir::Hir;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};

/// Most texts of a finite expression that are listed: looking them up one by one is then still cheaper than a scan.
const TEXTS_MAX: usize = 1024;

/// Longest text that is listed, in bytes.
const TEXT_MAX_BYTES: usize = 1024;

/// Known texts of an expression that must match as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Literals {
    /// Exactly the matching texts, each once, if they are few.
    pub values: Option<Vec<String>>,
    /// What every matching text begins with.
    pub prefix: String,
}

impl Literals {
    /// Of an expression in the syntax of the `regex` crate, not anchored itself.
    pub(super) fn of(translated: &str) -> Literals {
        let mut parser = regex_syntax::ParserBuilder::new().dot_matches_new_line(true).build();
        match parser.parse(translated) {
            Ok(hir) => Literals { values: values(&hir), prefix: prefix(&hir).unwrap_or_default() },
            Err(_) => Literals::default(),
        }
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

fn prefix(hir: &Hir) -> Option<String> {
    let seq = prefixes(hir);
    let common = seq.longest_common_prefix()?;
    // The common bytes may end inside of a character.
    common.utf8_chunks().next().map(|chunk| chunk.valid().to_string())
}
