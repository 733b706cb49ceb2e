//! Queries from texts with places for parameters: every combination is a query.

use super::rules::Words;
use super::samples::{BETWEEN_SAMPLES, Questions};

/// A text and, for each `<place>` in it, what is put there.
pub struct Template(pub &'static str, pub &'static [(&'static str, &'static [&'static str])]);

/// Templates of one topic.
pub struct Family {
    pub name: &'static str,
    pub templates: &'static [Template],
    /// Queries that 2.42 must be asked in other words.
    pub listed: &'static [&'static Words],
    /// Whether the queries are asked as ranges, too.
    pub as_range: bool,
    pub questions: Questions,
}

impl Family {
    pub const fn new(name: &'static str, templates: &'static [Template]) -> Family {
        Family { name, templates, listed: &[], as_range: true, questions: BETWEEN_SAMPLES }
    }

    /// At single times only: their order or their type exists there only.
    pub const fn instant(name: &'static str, templates: &'static [Template]) -> Family {
        Family { as_range: false, ..Family::new(name, templates) }
    }

    pub fn queries(&self) -> Vec<String> {
        let listed = self.listed.iter().flat_map(|words| words.iter());
        let expanded = self.templates.iter().flat_map(Template::expand);
        expanded.chain(listed.map(|(ours, _)| ours.to_string())).collect()
    }
}

impl Template {
    fn expand(&self) -> Vec<String> {
        self.1.iter().fold(vec![self.0.to_string()], |texts, (place, values)| {
            let place = format!("<{place}>");
            let put = |text: &String| {
                values.iter().map(|value| text.replace(&place, value)).collect::<Vec<_>>()
            };
            texts.iter().flat_map(put).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_a_query() {
        let template =
            Template("<f>(m) <op> <f>(n)", &[("f", &["abs", "ln"]), ("op", &["+", "<"])]);
        assert_eq!(
            template.expand(),
            ["abs(m) + abs(n)", "abs(m) < abs(n)", "ln(m) + ln(n)", "ln(m) < ln(n)"]
        );
        assert_eq!(Template("1", &[]).expand(), ["1"]);
    }
}
