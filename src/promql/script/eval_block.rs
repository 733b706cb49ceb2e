//! An `eval` with the lines that say what is expected of it.

use super::parse::{Lines, ScriptError, parse_duration};
use super::scanner::Scanner;
use super::series::parse_series;
use super::syntax::{Eval, EvalTime, Expected, NoteRule, Series, TextPattern};
use crate::promql::engine::Steps;

/// Reads the block whose first line is `text`.
pub fn parse_eval(line: usize, text: &str, lines: &mut Lines<'_>) -> Result<Eval, ScriptError> {
    let at = |line| move |message| ScriptError { line, message };
    let (query, time, mut block) = parse_header(text).map_err(at(line))?;
    while !block.is_complete()
        && let Some((line, text)) = lines.next_in_block()
    {
        block.add_line(text).map_err(at(line))?;
    }
    block.finish(query, time).map_err(at(line))
}

/// `eval instant at <time> <query>` or `eval range from <start> to <end> step <step> <query>`.
fn parse_header(text: &str) -> Result<(String, EvalTime, Block), String> {
    let malformed = || {
        format!(
            "expected \"eval instant at <time> <query>\" or \"eval range from <start> to <end> step <step> <query>\", got {text:?}"
        )
    };
    let mut words = Words { rest: text };
    let mut block = Block::default();
    match words.next().unwrap_or("") {
        "eval" => {}
        "eval_fail" => block.failure = Some(TextPattern::Any),
        "eval_warn" => block.warnings.push(TextPattern::Any),
        "eval_info" => block.infos.push(TextPattern::Any),
        "eval_ordered" => block.ordered = true,
        _ => return Err(malformed()),
    }
    let time = match words.next() {
        Some("instant") if words.take("at") => EvalTime::Instant(words.duration()?),
        Some("range") => EvalTime::Range(words.steps()?),
        _ => return Err(malformed()),
    };
    let query = words.rest.trim();
    if query.is_empty() {
        return Err(malformed());
    }
    Ok((query.to_string(), time, block))
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.trim_start();
        let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn take(&mut self, word: &str) -> bool {
        self.next() == Some(word)
    }

    fn duration(&mut self) -> Result<i64, String> {
        parse_duration(self.next().unwrap_or(""))
    }

    /// `from <start> to <end> step <step>`
    fn steps(&mut self) -> Result<Steps, String> {
        let mut ends = [0; 3];
        for (end, word) in ends.iter_mut().zip(["from", "to", "step"]) {
            if !self.take(word) {
                return Err(format!("expected \"from <start> to <end> step <step>\": no {word:?}"));
            }
            *end = self.duration()?;
        }
        let [start, end, step_ms] = ends;
        if end < start || step_ms == 0 {
            return Err("the end is before the start, or the step is 0".to_string());
        }
        Ok(Steps { start, end, step_ms })
    }
}

/// The expectations so far.
#[derive(Default)]
struct Block {
    ordered: bool,
    failure: Option<TextPattern>,
    warnings: Vec<TextPattern>,
    infos: Vec<TextPattern>,
    no_warnings: bool,
    no_infos: bool,
    scalar: Option<f64>,
    string: Option<String>,
    range_vector: Option<Steps>,
    series: Vec<Series>,
}

impl Block {
    /// A scalar is the last line.
    fn is_complete(&self) -> bool {
        self.scalar.is_some()
    }

    fn add_line(&mut self, text: &str) -> Result<(), String> {
        let mut words = Words { rest: text };
        match words.next().unwrap_or("") {
            "expect" => return self.add_expect(words.rest.trim()),
            "expected_fail_message" => {
                return self.add_failure(TextPattern::Exact(words.rest.trim().to_string()));
            }
            "expected_fail_regexp" => return self.add_failure(regex_pattern(words.rest)?),
            _ => {}
        }
        if let Some(value) = parse_scalar(text) {
            self.scalar = Some(value);
            return Ok(());
        }
        let series = parse_series(text)?;
        if let Some(other) = self.series.iter().find(|other| other.labels == series.labels) {
            let what = format!("{} is expected twice, with other values", series.labels);
            return if *other == series { Ok(()) } else { Err(what) };
        }
        self.series.push(series);
        Ok(())
    }

    /// What follows `expect`.
    fn add_expect(&mut self, text: &str) -> Result<(), String> {
        let mut words = Words { rest: text };
        let what = words.next().unwrap_or("");
        let rest = words.rest.trim();
        match what {
            "ordered" => self.ordered = true,
            "no_warn" => self.no_warnings = true,
            "no_info" => self.no_infos = true,
            "warn" => self.warnings.push(parse_pattern(rest)?),
            "info" => self.infos.push(parse_pattern(rest)?),
            "fail" => self.add_failure(parse_pattern(rest)?)?,
            "string" => {
                let mut scanner = Scanner::new(rest);
                self.string = Some(scanner.quoted_string()?);
            }
            "range" if words.take("vector") => self.range_vector = Some(words.steps()?),
            _ => return Err(format!("unknown expectation {text:?}")),
        }
        Ok(())
    }

    fn add_failure(&mut self, pattern: TextPattern) -> Result<(), String> {
        if self.failure.as_ref().is_some_and(|before| *before != TextPattern::Any) {
            return Err("a failure is expected twice".to_string());
        }
        self.failure = Some(pattern);
        Ok(())
    }

    fn finish(self, query: String, at: EvalTime) -> Result<Eval, String> {
        let warnings = note_rule(self.warnings, self.no_warnings, "warnings")?;
        let infos = note_rule(self.infos, self.no_infos, "infos")?;
        let instant = matches!(at, EvalTime::Instant(_));
        if !instant && (self.ordered || self.string.is_some() || self.range_vector.is_some()) {
            return Err("order, strings and range vectors are of instant queries only".to_string());
        }
        let one_each = self.series.iter().all(|series| series.points.len() == 1);
        if instant && self.range_vector.is_none() && !one_each {
            return Err("an instant query gives one value per series".to_string());
        }
        let expected = if let Some(pattern) = self.failure {
            Expected::Failure(pattern)
        } else if let Some(value) = self.scalar {
            Expected::Scalar(value)
        } else if let Some(value) = self.string {
            Expected::String(value)
        } else if let Some(steps) = self.range_vector {
            Expected::RangeVector { series: self.series, steps }
        } else {
            Expected::Series { series: self.series, ordered: self.ordered }
        };
        Ok(Eval { query, at, expected, warnings, infos })
    }
}

fn note_rule(patterns: Vec<TextPattern>, none: bool, what: &str) -> Result<NoteRule, String> {
    match (patterns.is_empty(), none) {
        (false, true) => Err(format!("{what} are both expected and excluded")),
        (false, false) => Ok(NoteRule::Match(patterns)),
        (true, true) => Ok(NoteRule::None),
        (true, false) => Ok(NoteRule::Ignored),
    }
}

/// Nothing, `msg: text` or `regex: expression`.
fn parse_pattern(text: &str) -> Result<TextPattern, String> {
    if text.is_empty() {
        return Ok(TextPattern::Any);
    }
    if let Some(message) = text.strip_prefix("msg:") {
        return Ok(TextPattern::Exact(message.trim().to_string()));
    }
    match text.strip_prefix("regex:") {
        Some(expression) => regex_pattern(expression),
        None => Err(format!("expected \"msg:\" or \"regex:\", got {text:?}")),
    }
}

fn regex_pattern(expression: &str) -> Result<TextPattern, String> {
    let expression = expression.trim();
    regex::Regex::new(expression)
        .map(TextPattern::Regex)
        .map_err(|_| format!("invalid regular expression {expression:?}"))
}

/// A number alone on its line.
fn parse_scalar(text: &str) -> Option<f64> {
    let mut scanner = Scanner::new(text);
    let value = scanner.number().ok()?;
    scanner.is_done().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse_script;
    use super::super::syntax::CommandKind;
    use super::*;

    fn eval(text: &str) -> Result<Eval, ScriptError> {
        let commands = parse_script(text)?;
        match commands.into_iter().next().map(|command| command.kind) {
            Some(CommandKind::Eval(eval)) => Ok(*eval),
            other => panic!("an eval, not {other:?}"),
        }
    }

    #[test]
    fn headers() {
        let instant = eval("eval instant at 1h5m  sum by (a) (b)").unwrap();
        assert_eq!(
            (instant.query.as_str(), instant.at),
            ("sum by (a) (b)", EvalTime::Instant(3_900_000))
        );
        let range = eval("eval  range from 0 to 1m step 10s x offset 1m").unwrap();
        let steps = Steps { start: 0, end: 60_000, step_ms: 10_000 };
        assert_eq!((range.query.as_str(), range.at), ("x offset 1m", EvalTime::Range(steps)));
        for bad in [
            "eval instant at 5m",
            "eval instant 5m x",
            "eval range from 0 to 1m x",
            "eval range from 1m to 0 step 1m x",
            "eval range from 0 to 1m step 0 x",
            "eval_maybe instant at 0 x",
            "eval at 0 x",
        ] {
            assert_eq!(eval(bad).unwrap_err().line, 1, "{bad}");
        }
    }

    #[test]
    fn values() {
        let expected =
            |block: &str| eval(&format!("eval instant at 0 x\n{block}")).unwrap().expected;
        assert_eq!(expected(" -1e3\n"), Expected::Scalar(-1000.0));
        assert_eq!(expected("expect string \"a b\"\n"), Expected::String("a b".to_string()));
        assert_eq!(expected(""), Expected::Series { series: vec![], ordered: false });
        assert!(matches!(
            expected("expect ordered\n a 1\n b 2"),
            Expected::Series { ordered: true, .. }
        ));
        assert!(
            matches!(expected("expect{} 1"), Expected::Series { series, .. } if series.len() == 1)
        );
        let vector = expected("expect range vector from 0 to 2m step 1m\n a 1 _ 2");
        assert!(
            matches!(vector, Expected::RangeVector { series, .. } if series[0].points.len() == 3)
        );
    }

    #[test]
    fn a_scalar_ends_the_block() {
        let commands = parse_script("eval instant at 0 1\n  1\nclear\n").unwrap();
        assert_eq!(commands[1].kind, CommandKind::Clear);
    }

    #[test]
    fn notes_and_failures() {
        let one =
            eval("eval instant at 0 x\n expect warn\n expect info msg: PromQL info: a\n").unwrap();
        assert_eq!(one.warnings, NoteRule::Match(vec![TextPattern::Any]));
        assert_eq!(one.infos, NoteRule::Match(vec![TextPattern::Exact("PromQL info: a".into())]));
        let none = eval("eval instant at 0 x\n expect no_warn\n expect no_info\n").unwrap();
        assert_eq!((none.warnings, none.infos), (NoteRule::None, NoteRule::None));
        let fail = eval("eval instant at 0 x\n expect fail regex: a+b\n").unwrap();
        assert!(matches!(fail.expected, Expected::Failure(pattern) if pattern.matches("xaab")));
        let legacy = eval("eval_fail instant at 0 x\n expected_fail_message no such\n").unwrap();
        assert_eq!(legacy.expected, Expected::Failure(TextPattern::Exact("no such".into())));
        assert_eq!(
            eval("eval_warn instant at 0 x").unwrap().warnings,
            NoteRule::Match(vec![TextPattern::Any])
        );
    }

    #[test]
    fn contradictions_are_errors() {
        for bad in [
            "eval instant at 0 x\n expect warn\n expect no_warn",
            "eval instant at 0 x\n expect fail msg: a\n expect fail msg: b",
            "eval instant at 0 x\n expect maybe",
            "eval instant at 0 x\n expect warn a",
            "eval instant at 0 x\n a 1 2",
            "eval instant at 0 x\n a 1\n a 2",
            "eval range from 0 to 1m step 1m x\n expect ordered",
        ] {
            assert!(eval(bad).is_err(), "{bad}");
        }
    }
}
