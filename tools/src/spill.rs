//! A spill: what it consists of, and its samples by series ref.

use std::io::Write;
use std::path::Path;

use silverback::fs::os::OsDisk;
use silverback::head::chunk_list;
use silverback::head::run::Part;
use silverback::head::spill::Spill;
use silverback::read::Columns;

use crate::file::{failure, number};
use crate::{Failure, finish};

pub fn open(path: &Path) -> Result<Spill, Failure> {
    Spill::open(&OsDisk, path, number(path)).map_err(failure)
}

/// What a spill is of.
pub fn part(part: Part) -> String {
    match part {
        Part::Late => "late samples".to_string(),
        Part::Window(start) => format!("window {start}"),
    }
}

/// The same in a word or two.
pub fn short(part: Part) -> &'static str {
    match part {
        Part::Late => "late spill",
        Part::Window(_) => "spill",
    }
}

/// Prints what the footer says, and the sizes of the sections.
pub fn inspect(path: &Path, series: u64, out: &mut impl Write) -> Result<(), Failure> {
    let spill = open(path)?;
    let meta = spill.meta();
    finish(writeln!(
        out,
        "part      {}\ntier      {}\nwritten   {}\ntimes     {} to {}\nsequences {} to {}\nseries    {}\n\
         samples   {}\nchecksum  {:016x}\n\n{:<26} {:>14} {:>12} {:>12}",
        part(meta.part),
        meta.tier,
        meta.created_ms,
        meta.range.mint,
        meta.range.maxt,
        meta.min_seq,
        meta.max_seq,
        meta.series,
        meta.samples,
        spill.file().checksum(),
        "section",
        "bytes",
        "per sample",
        "per series"
    ))?;
    let whole = [("file", spill.file().len_bytes())];
    for (name, bytes) in spill.sections().into_iter().chain(whole) {
        let (per_sample, per_series) =
            (bytes as f64 / meta.samples as f64, bytes as f64 / meta.series as f64);
        finish(writeln!(out, "{name:<26} {bytes:>14} {per_sample:>12.4} {per_series:>12.2}"))?;
    }
    first_series(&spill, series, out)
}

fn first_series(spill: &Spill, count: u64, out: &mut impl Write) -> Result<(), Failure> {
    let mut cursor = spill.cursor();
    for number in 0..count {
        let Some((series, list)) = cursor.next().map_err(failure)? else { break };
        let line_break = if number == 0 { "\n" } else { "" };
        let (samples, bytes) = (chunk_list::sample_count(list), list.len());
        finish(writeln!(out, "{line_break}ref {} {samples} samples, {bytes} bytes", series.0))?;
    }
    Ok(())
}

/// Prints every sample, series in the order of their refs.
pub fn dump(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let spill = open(path)?;
    let (mut cursor, mut columns) = (spill.cursor(), Columns::default());
    while let Some((series, list)) = cursor.next().map_err(failure)? {
        columns.clear();
        chunk_list::decode(list, &mut columns).map_err(|c| failure(spill.corrupt(c)))?;
        crate::dump::columns(&format!("ref {}", series.0), &columns, out)?;
    }
    spill.file().check().map_err(failure)
}
