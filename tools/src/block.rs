//! A block: what it consists of, and its samples.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use silverback::block::{Block, BlockMeta, BlockSource};
use silverback::fs::os::OsDisk;
use silverback::model::TimeRange;
use silverback::read::Columns;

use crate::dump::Selection;
use crate::file::failure;
use crate::{Failure, finish};

pub fn open(path: &Path) -> Result<Block, Failure> {
    Block::open(&OsDisk, path).map_err(failure)
}

/// Prints the selected samples, series in the order of their labels.
pub fn dump(path: &Path, selection: &Selection, out: &mut impl Write) -> Result<(), Failure> {
    crate::dump::dump(&BlockSource(Arc::new(open(path)?)), selection, out)
}

/// Prints what the footer says, sections and codecs with their sizes, and the first series.
pub fn inspect(path: &Path, series: u64, out: &mut impl Write) -> Result<(), Failure> {
    let block = Arc::new(open(path)?);
    finish(write_meta(block.meta(), out))?;
    finish(write_sections(&block, out))?;
    let contents = block.contents().map_err(failure)?;
    finish(writeln!(
        out,
        "\n{} timestamp columns, {} chunks, {} of them parts of a column",
        block.footer().column_count,
        contents.chunk_count,
        contents.part_count
    ))?;
    for (codec, share) in &contents.codecs {
        let (columns, bytes) = (share.columns, share.bytes);
        finish(writeln!(out, "{codec:<26} {columns:>12} columns {bytes:>14} bytes"))?;
    }
    write_series(&block, series, out)
}

fn write_meta(meta: &BlockMeta, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "id        {:032x}", meta.id)?;
    writeln!(out, "level     {}", meta.level)?;
    writeln!(out, "times     {} to {}", meta.range.mint, meta.range.maxt)?;
    writeln!(out, "sequences {} to {}", meta.min_seq, meta.max_seq)?;
    for parent in &meta.parents {
        writeln!(out, "parent    {parent:032x}")?;
    }
    writeln!(out, "series    {}", meta.series_count)?;
    writeln!(out, "samples   {}", meta.sample_count)?;
    writeln!(out, "checksum  {:016x}", meta.checksum)
}

fn write_sections(block: &Block, out: &mut impl Write) -> std::io::Result<()> {
    let meta = block.meta();
    let samples = meta.sample_count as f64;
    writeln!(out, "\n{:<26} {:>14} {:>12} {:>12}", "section", "bytes", "per sample", "per series")?;
    let whole = [("file", meta.len_bytes)];
    for (name, bytes) in block.sections().into_iter().chain(whole) {
        let (per_sample, per_series) =
            (bytes as f64 / samples, bytes as f64 / meta.series_count as f64);
        writeln!(out, "{name:<26} {bytes:>14} {per_sample:>12.4} {per_series:>12.2}")?;
    }
    Ok(())
}

fn write_series(block: &Arc<Block>, count: u64, out: &mut impl Write) -> Result<(), Failure> {
    let (mut cursor, mut columns) = (block.cursor(TimeRange::ALL), Columns::default());
    for number in 0..count {
        let next = cursor.next(&mut columns).map_err(failure)?;
        let Some(labels) = next else { break };
        if number == 0 {
            finish(writeln!(out))?;
        }
        let (first, last) = (columns.timestamps[0], columns.timestamps[columns.len() - 1]);
        finish(writeln!(out, "{labels} {} samples, {first} to {last}", columns.len()))?;
    }
    Ok(())
}
