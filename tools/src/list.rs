//! `sbtool ls`: the files of a data directory, and what they hold in sum.
#![expect(clippy::disallowed_methods, reason = "sizes are listed, nothing is opened")]

use std::io::Write;
use std::path::Path;

use silverback::api::calendar::format_rfc3339;
use silverback::db::{Recovery, View};
use silverback::model::TimeRange;
use silverback::read::{Columns, ReadError, Source};

use crate::{Failure, finish};

/// Prints size and path of every file.
pub fn files(dir: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let mut found = Vec::new();
    collect(dir, dir, &mut found).map_err(|error| format!("cannot list {dir:?}: {error}"))?;
    found.sort();
    for (path, bytes) in &found {
        finish(writeln!(out, "{bytes:>14} {path}"))?;
    }
    let total: u64 = found.iter().map(|(_, bytes)| bytes).sum();
    finish(writeln!(out, "{total:>14} bytes in {} files", found.len()))
}

fn collect(root: &Path, dir: &Path, found: &mut Vec<(String, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(root, &entry.path(), found)?;
        } else if kind.is_file() {
            let path = entry.path();
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.push((shown, entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Prints series, samples, their times, and what is damaged.
pub fn contents(view: &View, recovery: &Recovery, out: &mut impl Write) -> Result<(), Failure> {
    let totals = Totals::of(view).map_err(|error| error.to_string())?;
    let times = match totals.range.is_empty() {
        true => String::new(),
        false => format!(
            " from {} to {}",
            format_rfc3339(totals.range.mint),
            format_rfc3339(totals.range.maxt)
        ),
    };
    finish(writeln!(out, "{} series, {} samples{times}", totals.series, totals.samples))?;
    finish(writeln!(out, "{} requests in the log", recovery.records))?;
    if recovery.trimmed_bytes > 0 {
        let bytes = recovery.trimmed_bytes;
        finish(writeln!(out, "{bytes} bytes of an unfinished write at the end of the log"))?;
    }
    if recovery.orphaned_samples > 0 {
        let samples = recovery.orphaned_samples;
        finish(writeln!(out, "{samples} samples without their series, lost with a damaged place"))?;
    }
    if recovery.redefined_series > 0 {
        let series = recovery.redefined_series;
        finish(writeln!(out, "{series} series of which a ref was given to other labels"))?;
    }
    for damage in &recovery.damages {
        finish(writeln!(out, "damaged: {}, {} bytes", damage.corrupt, damage.len_bytes))?;
    }
    Ok(())
}

struct Totals {
    series: usize,
    samples: u64,
    range: TimeRange,
}

impl Totals {
    fn of(view: &View) -> Result<Totals, ReadError> {
        let set = view.select(&[], TimeRange::ALL)?;
        let mut totals = Totals { series: set.labels().len(), samples: 0, range: TimeRange::EMPTY };
        let mut columns = Columns::default();
        for index in 0..totals.series {
            set.read(index, TimeRange::ALL, &mut columns)?;
            totals.samples += columns.len() as u64;
            for timestamp in columns.timestamps.first().into_iter().chain(columns.timestamps.last())
            {
                totals.range.include(*timestamp);
            }
        }
        Ok(totals)
    }
}
