//! The line of a `load` that says from when on the samples of the next line count: `name{labels}@st -1m -1mx3`.

use super::scanner::Scanner;
use super::series::{check_count, scan_gaps, scan_labels, scan_repeats};
use crate::model::Labels;

/// Where the start timestamp of each point is, relative to the point; `None` where it is not known.
#[derive(Debug, PartialEq)]
pub struct StartTimes {
    pub labels: Labels,
    pub offsets_ms: Vec<Option<i64>>,
}

/// `name{labels}@st offsets`; `None` if it is no such line.
pub fn parse_start_times(line: &str) -> Result<Option<StartTimes>, String> {
    let mut scanner = Scanner::new(line);
    let labels = scan_labels(&mut scanner)?;
    if !scanner.take("@st") {
        return Ok(None);
    }
    let mut offsets_ms = Vec::new();
    while scanner.skip_to_item()? {
        scan_offsets(&mut scanner, &mut offsets_ms)?;
        check_count(offsets_ms.len())?;
    }
    Ok(Some(StartTimes { labels, offsets_ms }))
}

/// `_`, `_xN`, `d`, `dxN`, `d+sxN` or `d-sxN`. With an offset, `xN` makes N+1 points.
fn scan_offsets(scanner: &mut Scanner<'_>, out: &mut Vec<Option<i64>>) -> Result<(), String> {
    if let Some(gaps) = scan_gaps(scanner)? {
        out.extend(std::iter::repeat_n(None, gaps));
        return Ok(());
    }
    let mut offset_ms = signed_duration_ms(scanner)?;
    let step_ms = match scanner.peek() {
        Some('+' | '-') => signed_duration_ms(scanner)?,
        _ => 0,
    };
    for _ in 0..=scan_repeats(scanner)? {
        out.push(Some(offset_ms));
        offset_ms = offset_ms.saturating_add(step_ms);
    }
    Ok(())
}

fn signed_duration_ms(scanner: &mut Scanner<'_>) -> Result<i64, String> {
    let negative = scanner.take("-");
    if !negative {
        scanner.take("+");
    }
    let duration_ms = scanner.duration_ms()?;
    Ok(if negative { -duration_ms } else { duration_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(sequence: &str) -> Vec<Option<i64>> {
        parse_start_times(&format!("m{{a=\"b\"}}@st {sequence}")).unwrap().unwrap().offsets_ms
    }

    #[test]
    fn sequences() {
        assert_eq!(offsets(""), []);
        assert_eq!(offsets("_ _x2 -1m"), [None, None, None, Some(-60_000)]);
        assert_eq!(offsets("0 -0ms +1ms 3s"), [Some(0), Some(0), Some(1), Some(3_000)]);
        assert_eq!(offsets("-1sx1"), [Some(-1_000), Some(-1_000)]);
        assert_eq!(offsets("-30s-15sx2"), [Some(-30_000), Some(-45_000), Some(-60_000)]);
        assert_eq!(offsets("-1m+30sx1"), [Some(-60_000), Some(-30_000)]);
        assert_eq!(offsets("0-1mx1"), [Some(0), Some(-60_000)]);
    }

    #[test]
    fn other_lines() {
        assert_eq!(parse_start_times("m{a=\"b\"} 1 2"), Ok(None));
        for bad in ["m@st 5", "m@st -1m,", "m@st x", "m@st -1m-x2", "m@st _x99999999999"] {
            assert!(parse_start_times(bad).is_err(), "{bad}");
        }
    }
}
