//! The text of a script to its commands. A blank line ends a block, and so does a comment, as in Prometheus.

use super::eval_block::parse_eval;
use super::scanner::Scanner;
use super::series::parse_series;
use super::start_times::{StartTimes, parse_start_times};
use super::syntax::{Command, CommandKind, Load, Series};

/// The text is no script.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// The commands of a script, in order.
///
/// # Errors
/// A line is not what it must be at its place.
pub fn parse_script(text: &str) -> Result<Vec<Command>, ScriptError> {
    let mut lines = Lines::new(text);
    let mut commands = Vec::new();
    while let Some((line, text)) = lines.next_command() {
        let word = text.split_whitespace().next().unwrap_or("").to_ascii_lowercase();
        let kind = if word == "clear" {
            CommandKind::Clear
        } else if word.starts_with("load") {
            CommandKind::Load(parse_load(line, text, &mut lines)?)
        } else if word.starts_with("eval") {
            CommandKind::Eval(Box::new(parse_eval(line, text, &mut lines)?))
        } else {
            let message = format!("expected \"clear\", \"load\" or \"eval\", got {text:?}");
            return Err(ScriptError { line, message });
        };
        commands.push(Command { line, kind });
    }
    Ok(commands)
}

/// The lines of a script, trimmed, comments emptied.
pub struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let lines = text
            .split('\n')
            .map(str::trim)
            .map(|line| if line.starts_with('#') { "" } else { line });
        Lines { lines: lines.collect(), next: 0 }
    }

    /// The next line that is not blank, with its number from 1.
    fn next_command(&mut self) -> Option<(usize, &'a str)> {
        while self.next < self.lines.len() {
            if let Some(found) = self.next_in_block() {
                return Some(found);
            }
            self.next += 1;
        }
        None
    }

    /// The next line of the block, with its number from 1; `None` at its end.
    pub fn next_in_block(&mut self) -> Option<(usize, &'a str)> {
        let line = *self.lines.get(self.next)?;
        if line.is_empty() {
            return None;
        }
        self.next += 1;
        Some((self.next, line))
    }
}

fn parse_load(line: usize, text: &str, lines: &mut Lines<'_>) -> Result<Load, ScriptError> {
    let malformed =
        || ScriptError { line, message: format!("expected \"load <step>\", got {text:?}") };
    let mut words = text.split_whitespace();
    let custom_buckets = match words.next() {
        Some("load") => false,
        Some("load_with_nhcb") => true,
        _ => return Err(malformed()),
    };
    let (Some(step), None) = (words.next(), words.next()) else { return Err(malformed()) };
    let step_ms = parse_duration(step).map_err(|message| ScriptError { line, message })?;
    let mut series: Vec<Series> = Vec::new();
    while let Some((line, text)) = lines.next_in_block() {
        let one = parse_loaded(line, text, lines)?;
        // Within one load the last definition of a series counts.
        series.retain(|other| other.labels != one.labels);
        series.push(one);
    }
    Ok(Load { step_ms, custom_buckets, series })
}

/// A series of a load: one line, or a line of start times and the line it is for.
fn parse_loaded(line: usize, text: &str, lines: &mut Lines<'_>) -> Result<Series, ScriptError> {
    let at = |line| move |message| ScriptError { line, message };
    let Some(StartTimes { labels, offsets_ms }) = parse_start_times(text).map_err(at(line))? else {
        return parse_series(text).map_err(at(line));
    };
    let no_series = || at(line)("start times without their series".to_string());
    let (next_line, next_text) = lines.next_in_block().ok_or_else(no_series)?;
    let series = parse_series(next_text).map_err(at(next_line))?;
    if series.labels != labels || series.points.len() != offsets_ms.len() {
        let message = format!(
            "{} start times of {labels}, but {} points of {}",
            offsets_ms.len(),
            series.points.len(),
            series.labels
        );
        return Err(ScriptError { line: next_line, message });
    }
    Ok(Series { start_offsets_ms: offsets_ms, ..series })
}

/// A word that is a duration.
pub fn parse_duration(word: &str) -> Result<i64, String> {
    let mut scanner = Scanner::new(word);
    match scanner.duration_ms() {
        Ok(duration_ms) if scanner.is_done() => Ok(duration_ms),
        _ => Err(format!("expected a duration, got {word:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::script::syntax::{EvalTime, Expected};

    fn error(text: &str) -> (usize, String) {
        let error = parse_script(text).unwrap_err();
        (error.line, error.message)
    }

    #[test]
    fn a_script_of_every_command() {
        let text = "\
# A comment.
load 5m
    a 1 2
    b{x=\"y\"} 3

eval instant at 5m a
  a 2
clear
load_with_nhcb 0
eval range from 0 to 10m step 5m a + b
";
        // A `clear` within a block would be read as a series.
        assert_eq!(error(text).0, 10);
        let commands =
            parse_script(&text.replace("clear", "\nclear").replace("nhcb 0", "nhcb 0\n")).unwrap();
        let lines: Vec<usize> = commands.iter().map(|command| command.line).collect();
        assert_eq!(lines, [2, 6, 9, 10, 12]);
        let CommandKind::Load(load) = &commands[0].kind else { panic!("a load") };
        assert_eq!((load.step_ms, load.series.len(), load.custom_buckets), (300_000, 2, false));
        let CommandKind::Eval(eval) = &commands[1].kind else { panic!("an eval") };
        assert_eq!(eval.at, EvalTime::Instant(300_000));
        assert!(
            matches!(&eval.expected, Expected::Series { series, ordered: false } if series.len() == 1)
        );
    }

    #[test]
    fn within_one_load_the_last_definition_counts() {
        let commands = parse_script("load 1m\n a 1\n b 2\n a 3 4\n").unwrap();
        let CommandKind::Load(load) = &commands[0].kind else { panic!("a load") };
        assert_eq!(load.series.len(), 2);
        assert_eq!(load.series[1].points.len(), 2);
    }

    #[test]
    fn start_times_belong_to_the_next_line() {
        let commands = parse_script("load 1m\n a@st -1mx2\n a 1 2 3\n").unwrap();
        let CommandKind::Load(load) = &commands[0].kind else { panic!("a load") };
        assert_eq!(load.series[0].start_offsets_ms, [Some(-60_000); 3]);
        assert_eq!(error("load 1m\n a@st -1m\n").0, 2);
        assert_eq!(error("load 1m\n a@st -1m\n b 1\n").0, 3);
        assert_eq!(error("load 1m\n a@st -1m\n a 1 2\n").0, 3);
    }

    #[test]
    fn errors_name_their_line() {
        assert_eq!(error("\n\nignore\n").0, 3);
        assert_eq!(error("load\n").0, 1);
        assert_eq!(error("load 5\n").0, 1);
        assert_eq!(error("load 5m\n a 1\n }\n").0, 3);
        assert_eq!(error("loads 5m\n").0, 1);
    }
}
