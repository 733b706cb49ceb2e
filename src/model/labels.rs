//! A label set: sorted by name, names unique, cheap to clone. Everything that identifies a series is
//! one of these; the order of two label sets is the order in which results are listed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use super::METRIC_NAME;

/// An immutable label set. Clones share the text.
#[derive(Clone)]
pub struct Labels(Arc<Inner>);

struct Inner {
    /// Names and values one after the other, in order, without separators.
    text: Box<str>,
    /// End in `text` of every piece: name 0, value 0, name 1, value 1, ...
    ends: Box<[u32]>,
}

impl Labels {
    /// The label set without labels. Does not allocate after the first call.
    pub fn empty() -> Labels {
        static EMPTY: OnceLock<Labels> = OnceLock::new();
        EMPTY.get_or_init(|| Labels::from_sorted(std::iter::empty())).clone()
    }

    /// From pairs already sorted by name, names unique. The caller guarantees the order.
    pub fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Labels {
        let sizes = pairs.clone().map(|(name, value)| name.len() + value.len());
        let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
        let mut text = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(2 * count);
        for (name, value) in pairs {
            text.push_str(name);
            ends.push(text.len() as u32);
            text.push_str(value);
            ends.push(text.len() as u32);
        }
        Labels(Arc::new(Inner { text: text.into_boxed_str(), ends: ends.into_boxed_slice() }))
    }

    /// From pairs in any order. A repeated name keeps its last value; empty values are left out, since
    /// an empty label is the same as none.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }

    pub fn len(&self) -> usize {
        self.0.ends.len() / 2
    }

    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// What it takes of the heap, which clones share.
    pub fn heap_bytes(&self) -> usize {
        size_of::<Inner>() + self.0.text.len() + size_of_val(&*self.0.ends)
    }

    fn piece(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.0.ends[index - 1] as usize };
        &self.0.text[start..self.0.ends[index] as usize]
    }

    /// The pairs in order of name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone + '_ {
        (0..self.len()).map(|i| (self.piece(2 * i), self.piece(2 * i + 1)))
    }

    /// The value of `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The value of `name`, empty if there is none: what matchers and grouping see.
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The value of `__name__`, empty if there is none.
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// Only the labels for whose name `keep` says so.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Labels {
        if self.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Labels::from_sorted(self.iter().filter(|(name, _)| keep(name)))
    }

    /// xxh3-64 of every name and value, each followed by the byte 0xff (which UTF-8 never holds).
    /// Equal label sets have equal fingerprints; unequal ones almost never.
    pub fn fingerprint(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.0.text.len() + self.0.ends.len());
        for i in 0..self.0.ends.len() {
            bytes.extend_from_slice(self.piece(i).as_bytes());
            bytes.push(0xff);
        }
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

impl AsRef<Labels> for Labels {
    fn as_ref(&self) -> &Labels {
        self
    }
}

impl Default for Labels {
    fn default() -> Labels {
        Labels::empty()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.ends == other.0.ends && self.0.text == other.0.text)
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ends.hash(state);
        self.0.text.hash(state);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Labels) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// Pair by pair: name, then value; a label set that is the beginning of another comes first.
    fn cmp(&self, other: &Labels) -> Ordering {
        let (mut start, mut other_start) = (0, 0);
        for (end, other_end) in self.0.ends.iter().zip(&other.0.ends) {
            let (end, other_end) = (*end as usize, *other_end as usize);
            let piece = &self.0.text.as_bytes()[start..end];
            match piece.cmp(&other.0.text.as_bytes()[other_start..other_end]) {
                Ordering::Equal => (start, other_start) = (end, other_end),
                unequal => return unequal,
            }
        }
        self.0.ends.len().cmp(&other.0.ends.len())
    }
}

impl fmt::Display for Labels {
    /// As PromQL writes it: `name{a="b"}`, `{}` without anything, `{"odd name", a="b"}` where needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.get(METRIC_NAME);
        let bare = name.filter(|n| is_legacy_metric_name(n));
        let mut parts = Vec::with_capacity(self.len());
        if let (Some(name), None) = (name, bare) {
            parts.push(quoted(name));
        }
        for (label, value) in self.iter().filter(|(label, _)| *label != METRIC_NAME) {
            let label = if is_legacy_label_name(label) { label.to_string() } else { quoted(label) };
            parts.push(format!("{label}={}", quoted(value)));
        }
        f.write_str(bare.unwrap_or(""))?;
        if parts.is_empty() && bare.is_some() {
            return Ok(());
        }
        write!(f, "{{{}}}", parts.join(", "))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string as a double-quoted PromQL literal.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Can this metric name be written without quotes (`[a-zA-Z_:][a-zA-Z0-9_:]*`)?
pub fn is_legacy_metric_name(name: &str) -> bool {
    is_identifier(name, |c| c.is_ascii_alphanumeric() || c == b'_' || c == b':')
}

/// Can this label name be written without quotes (`[a-zA-Z_][a-zA-Z0-9_]*`)?
pub fn is_legacy_label_name(name: &str) -> bool {
    is_identifier(name, |c| c.is_ascii_alphanumeric() || c == b'_')
}

fn is_identifier(name: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(allowed)
}

/// Collects labels in any order. Setting an empty value removes the label.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts from an existing label set.
    pub fn from_labels(labels: &Labels) -> LabelsBuilder {
        LabelsBuilder {
            pairs: labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut LabelsBuilder {
        if value.is_empty() {
            return self.del(name);
        }
        match self.pairs.iter_mut().find(|(n, _)| n == name) {
            Some(pair) => pair.1 = value.to_string(),
            None => self.pairs.push((name.to_string(), value.to_string())),
        }
        self
    }

    pub fn del(&mut self, name: &str) -> &mut LabelsBuilder {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    pub fn build(&mut self) -> Labels {
        self.pairs.sort();
        Labels::from_sorted(self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        proptest::collection::vec(("[ab]{1,2}", "[ab\u{e9}]{0,2}"), 0..4)
    }

    proptest! {
        #[test]
        fn label_sets_order_as_their_pairs(a in pairs(), b in pairs()) {
            let labels = |pairs: &[(String, String)]| {
                Labels::from_pairs(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
            };
            let (a, b) = (labels(&a), labels(&b));
            prop_assert_eq!(a.cmp(&b), a.iter().cmp(b.iter()));
        }
    }
}
