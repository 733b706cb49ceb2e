//! `label_replace`, `label_join` and the order of `sort_by_label` (Prometheus docs, "Query functions"), one label
//! set at a time. The engine checks that the results are unique.

use std::cmp::Ordering;

use regex::{Captures, Regex};

use crate::model::regex::{compile_anchored, is_over_limit};
use crate::model::{Labels, LabelsBuilder};

/// The arguments of one call of `label_replace`, checked and compiled.
pub struct LabelReplace {
    destination: String,
    source: String,
    template: Vec<Piece>,
    regex: Regex,
}

impl LabelReplace {
    /// # Errors
    /// The regular expression or the destination is not valid; the text is the query's error.
    pub fn new(
        destination: &str,
        replacement: &str,
        source: &str,
        regex: &str,
    ) -> Result<LabelReplace, String> {
        let compiled = compile_anchored(regex).map_err(|error| {
            let problem = if is_over_limit(regex, &error) { &error.to_string() } else { regex };
            format!("invalid regular expression in label_replace(): {problem}")
        })?;
        if destination.is_empty() {
            return Err(format!(
                "invalid destination label name in label_replace(): {destination}"
            ));
        }
        Ok(LabelReplace {
            destination: destination.to_string(),
            source: source.to_string(),
            template: parse_template(replacement),
            regex: compiled,
        })
    }

    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The changed label set; `None` if the expression does not match the whole value of the source.
    pub fn apply(&self, labels: &Labels) -> Option<Labels> {
        let captures = self.regex.captures(labels.value(&self.source))?;
        let value = expand(&self.template, &captures);
        Some(LabelsBuilder::from_labels(labels).set(&self.destination, &value).build())
    }
}

/// The arguments of one call of `label_join`, checked.
pub struct LabelJoin {
    destination: String,
    separator: String,
    sources: Vec<String>,
}

impl LabelJoin {
    /// # Errors
    /// The destination or a source is not a label name; the text is the query's error.
    pub fn new(
        destination: &str,
        separator: &str,
        sources: Vec<String>,
    ) -> Result<LabelJoin, String> {
        if destination.is_empty() {
            return Err("invalid destination label name in label_join(): ".to_string());
        }
        if let Some(source) = sources.iter().find(|source| source.is_empty()) {
            return Err(format!("invalid source label name in label_join(): {source}"));
        }
        Ok(LabelJoin {
            destination: destination.to_string(),
            separator: separator.to_string(),
            sources,
        })
    }

    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// The changed label set; a missing source counts as empty.
    pub fn apply(&self, labels: &Labels) -> Labels {
        let values: Vec<&str> = self.sources.iter().map(|source| labels.value(source)).collect();
        let joined = values.join(&self.separator);
        LabelsBuilder::from_labels(labels).set(&self.destination, &joined).build()
    }
}

/// A piece of a replacement template, in the syntax of Go's `Regexp.Expand`.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Group(usize),
    Named(String),
}

/// `$name` takes as many letters, digits and underscores as there are; `$$` is a dollar; a dollar before anything
/// else stands for itself.
fn parse_template(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = group_name(rest) {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(group(name));
            rest = after;
        } else {
            text.push('$');
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// The name after a dollar, in braces or bare, and what follows it.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let (braced, inner) = match text.strip_prefix('{') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let end = inner.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    if name.is_empty() {
        return None;
    }
    Some((name, if braced { rest.strip_prefix('}')? } else { rest }))
}

fn group(name: &str) -> Piece {
    let is_number =
        name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    match name.parse() {
        Ok(index) if is_number => Piece::Group(index),
        _ => Piece::Named(name.to_string()),
    }
}

fn expand(template: &[Piece], captures: &Captures<'_>) -> String {
    let mut out = String::new();
    for piece in template {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Group(index) => out.push_str(captures.get(*index).map_or("", |m| m.as_str())),
            Piece::Named(name) => out.push_str(captures.name(name).map_or("", |m| m.as_str())),
        }
    }
    out
}

/// The order of `sort_by_label`: by the natural order of each label in turn, ties by the whole label set.
pub fn compare_by_labels(a: &Labels, b: &Labels, names: &[String]) -> Ordering {
    for name in names {
        let (left, right) = (a.value(name), b.value(name));
        if left != right {
            return natural_order(left, right).then_with(|| left.cmp(right));
        }
    }
    a.cmp(b)
}

/// Text piece by piece, runs of digits as numbers: `a9` before `a10`. Numbers beyond an `i64` compare as text.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        match (left.is_empty(), right.is_empty()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let (left_run, left_rest) = first_run(left);
        let (right_run, right_rest) = first_run(right);
        let order = match (left_run.parse::<i64>(), right_run.parse::<i64>()) {
            (Ok(left_number), Ok(right_number)) => left_number.cmp(&right_number),
            _ => left_run.cmp(right_run),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

/// The longest run of only digits or only other characters, and the rest.
fn first_run(text: &str) -> (&str, &str) {
    let is_digit = |c: char| c.is_ascii_digit();
    let digits_first = text.starts_with(is_digit);
    let end = text.find(|c| is_digit(c) != digits_first).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied())
    }

    fn replaced(replacement: &str, value: &str, regex: &str) -> Option<String> {
        let replace = LabelReplace::new("dst", replacement, "src", regex).unwrap();
        let got = replace.apply(&labels(&[("src", value), ("dst", "before")]))?;
        assert_eq!(got.value("src"), value);
        Some(got.value("dst").to_string())
    }

    #[test]
    fn groups_by_number_and_name() {
        assert_eq!(replaced("$1-$2", "web-7", "(.*)-([0-9]+)").unwrap(), "web-7");
        assert_eq!(replaced("${2}x$1", "web-7", "(.*)-(.*)").unwrap(), "7xweb");
        assert_eq!(replaced("$host!${host}s", "web", "(?P<host>.*)").unwrap(), "web!webs");
        assert_eq!(replaced("<$0>", "web", "w.b").unwrap(), "<web>");
    }

    #[test]
    fn odd_templates_follow_go() {
        // `$1x` names a group `1x`, which there is not.
        assert_eq!(replaced("$1x", "web", "(.*)").unwrap(), "");
        assert_eq!(replaced("a$$b$", "web", "(.*)").unwrap(), "a$b$");
        assert_eq!(replaced("${1", "web", "(.*)").unwrap(), "${1");
        assert_eq!(replaced("$-$9$01", "web", "(.*)").unwrap(), "$-");
    }

    #[test]
    fn the_whole_value_must_match_and_newlines_are_characters() {
        assert_eq!(replaced("$1", "web-7", "web"), None);
        assert_eq!(replaced("$1", "a\nb", "(.*)").unwrap(), "a\nb");
        assert_eq!(replaced("x", "", "").unwrap(), "x");
        assert_eq!(replaced("", "web", "web").unwrap(), "");
    }

    #[test]
    fn bad_arguments_are_errors() {
        let error = LabelReplace::new("dst", "", "src", "(").err().unwrap();
        assert_eq!(error, "invalid regular expression in label_replace(): (");
        assert!(LabelReplace::new("", "", "src", ".*").is_err());
        assert!(LabelJoin::new("", ",", vec![]).is_err());
        assert!(LabelJoin::new("dst", ",", vec![String::new()]).is_err());
    }

    #[test]
    fn joining() {
        let join = LabelJoin::new("dst", "-", vec!["a".into(), "none".into(), "b".into()]).unwrap();
        let got = join.apply(&labels(&[("a", "1"), ("b", "2")]));
        assert_eq!(got, labels(&[("a", "1"), ("b", "2"), ("dst", "1--2")]));
        let nothing = LabelJoin::new("a", "-", vec![]).unwrap();
        assert_eq!(nothing.apply(&labels(&[("a", "1"), ("b", "2")])), labels(&[("b", "2")]));
    }

    #[test]
    fn numbers_in_text_count_as_numbers() {
        let mut names =
            ["a10", "a9", "b", "a", "", "a9b", "a09c", "10", "9", "a10000000000000000000"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(
            names,
            ["", "9", "10", "a", "a9", "a9b", "a09c", "a10", "a10000000000000000000", "b"]
        );
    }

    #[test]
    fn ties_are_settled_by_the_whole_set() {
        let (a, b) = (labels(&[("x", "1"), ("y", "2")]), labels(&[("x", "1"), ("y", "10")]));
        assert_eq!(compare_by_labels(&a, &b, &["x".into()]), a.cmp(&b));
        assert_eq!(compare_by_labels(&a, &b, &["x".into(), "y".into()]), Ordering::Less);
    }

    proptest! {
        #[test]
        fn a_template_without_dollars_is_itself(template in "[a-z{}0-9 ]{0,12}") {
            prop_assert_eq!(replaced(&template, "v", ".*").unwrap(), template);
        }

        #[test]
        fn no_template_panics(template in "[$a-z{}0-9_]{0,12}") {
            replaced(&template, "v", "(.)").unwrap();
        }

        #[test]
        fn numbers_order_naturally(a in 0u32..100_000, b in 0u32..100_000) {
            let (left, right) = (format!("node{a}-x"), format!("node{b}-x"));
            prop_assert_eq!(natural_order(&left, &right), a.cmp(&b));
        }
    }
}
