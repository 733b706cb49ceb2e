//! What a label set must be to become a series, for all wire formats: the rules and limits of one place.

use std::cmp::Ordering;

use crate::model::{Labels, METRIC_NAME};

/// Labels of one series: more is a mistake of the sender, and each costs a posting.
pub const LABELS_MAX: usize = 40;
/// Bytes of a label name.
pub const LABEL_NAME_MAX_BYTES: usize = 256;
/// Bytes of a label value.
pub const LABEL_VALUE_MAX_BYTES: usize = 4096;
/// Bytes of a metric name.
pub const METRIC_NAME_MAX_BYTES: usize = 1024;
/// Bytes of all names and values of one series.
pub const LABELS_MAX_BYTES: usize = 16 << 10;

/// Checks the pairs, sorts them, leaves out empty values (the same as no label).
///
/// # Errors
/// What is wrong, in words that name the label.
pub fn checked_labels(mut pairs: Vec<(&str, &str)>) -> Result<Labels, String> {
    if !pairs.is_sorted() {
        pairs.sort_unstable();
    }
    if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("label {:?} is given twice", twice[0].0));
    }
    if pairs.iter().any(|(name, _)| name.is_empty()) {
        return Err("a label name is empty".to_string());
    }
    pairs.retain(|(_, value)| !value.is_empty());
    if !pairs.iter().any(|(name, _)| *name == METRIC_NAME) {
        return Err("the metric name is missing".to_string());
    }
    check_sizes(&pairs)?;
    Ok(Labels::from_sorted(pairs.into_iter()))
}

fn check_sizes(pairs: &[(&str, &str)]) -> Result<(), String> {
    within("the number of labels", pairs.len(), LABELS_MAX)?;
    for (name, value) in pairs {
        within(&format!("the length of label name {name:?}"), name.len(), LABEL_NAME_MAX_BYTES)?;
        let value_max =
            if *name == METRIC_NAME { METRIC_NAME_MAX_BYTES } else { LABEL_VALUE_MAX_BYTES };
        within(&format!("the length of the value of label {name:?}"), value.len(), value_max)?;
    }
    let total = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
    within("the length of all labels together", total, LABELS_MAX_BYTES)
}

fn within(what: &str, is: usize, limit: usize) -> Result<(), String> {
    match is.cmp(&limit) {
        Ordering::Greater => Err(format!("{what} is {is}, more than the limit of {limit}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsorted_and_empty_are_put_right() {
        let labels = checked_labels(vec![("b", "2"), ("__name__", "up"), ("a", "")]).unwrap();
        assert_eq!(labels.to_string(), "up{b=\"2\"}");
    }

    #[test]
    fn bad_sets_are_named() {
        let error = |pairs: &[(&str, &str)]| checked_labels(pairs.to_vec()).unwrap_err();
        assert_eq!(error(&[("a", "1")]), "the metric name is missing");
        assert_eq!(error(&[("__name__", "")]), "the metric name is missing");
        assert_eq!(
            error(&[("a", "1"), ("__name__", "x"), ("a", "1")]),
            "label \"a\" is given twice"
        );
        assert_eq!(error(&[("", "1"), ("__name__", "x")]), "a label name is empty");
        let long = "v".repeat(LABEL_VALUE_MAX_BYTES + 1);
        assert!(error(&[("__name__", "x"), ("a", &long)]).contains("4096"));
        let names: Vec<String> = (0..LABELS_MAX).map(|i| format!("l{i:02}")).collect();
        let mut many: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "v")).collect();
        many.push(("__name__", "x"));
        assert!(error(&many).contains("number of labels"));
    }
}
