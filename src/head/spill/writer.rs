//! Writing a spill: the chunks of each series in order of ref, then the directory that finds them.

use std::io;
use std::path::Path;

use super::layout::{
    END_BYTES, PAGE_CHUNKS_MAX_BYTES, PAGE_ENTRY_BYTES, REFS_PER_PAGE, SPILL_KIND,
};
use super::layout::{PART_LATE, PART_WINDOW};
use super::{SpillMeta, SpillOptions};
use crate::encoding::cursor::{put_varint, put_varint_signed};
use crate::fs::Disk;
use crate::fs::sealed::{SealedSummary, SealedWriter};
use crate::head::run::Part;
use crate::model::{SeriesRef, TimeRange};

/// A spill under construction: 4.5 bytes of memory per series.
#[derive(Debug)]
pub struct SpillWriter {
    file: SealedWriter,
    /// End of each series' chunks, from where those of its page begin.
    ends: Vec<u8>,
    /// The entries of the pages that are full.
    pages: Vec<u8>,
    page: Page,
    range: TimeRange,
    series: u64,
    samples: u64,
}

/// The entry of the directory that is being filled.
#[derive(Debug, Default)]
struct Page {
    number: u64,
    present: u64,
    start: u64,
    first_series: u64,
}

impl SpillWriter {
    pub fn create(disk: &dyn Disk, path: &Path) -> io::Result<SpillWriter> {
        Ok(SpillWriter {
            file: SealedWriter::create(disk, path, SPILL_KIND)?,
            ends: Vec::new(),
            pages: Vec::new(),
            page: Page::default(),
            range: TimeRange::EMPTY,
            series: 0,
            samples: 0,
        })
    }

    /// Series written so far.
    pub fn series(&self) -> u64 {
        self.series
    }

    /// Adds a series with its list of chunks. Refs ascend.
    pub fn push(
        &mut self,
        series: SeriesRef,
        range: TimeRange,
        samples: u64,
        chunks: &[u8],
    ) -> io::Result<()> {
        let (number, bit) = (series.0 / REFS_PER_PAGE, 1u64 << (series.0 % REFS_PER_PAGE));
        let ascends =
            number > self.page.number || number == self.page.number && self.page.present < bit;
        if !ascends {
            // What is read from damaged files need not be in order.
            return Err(io::Error::other("series refs that do not ascend"));
        }
        if number != self.page.number || self.page.present == 0 {
            self.end_page();
            let (start, first_series) = (self.file.position(), self.series);
            self.page = Page { number, present: 0, start, first_series };
        }
        self.page.present |= bit;
        self.file.write(chunks)?;
        let end = self.file.position() - self.page.start;
        if end > PAGE_CHUNKS_MAX_BYTES {
            return Err(io::Error::other("over 4 GiB of samples in 64 neighbouring series"));
        }
        self.ends.extend_from_slice(&(end as u32).to_le_bytes());
        self.range.include(range.mint);
        self.range.include(range.maxt);
        self.series += 1;
        self.samples += samples;
        Ok(())
    }

    fn end_page(&mut self) {
        let Page { number, present, start, first_series } = self.page;
        if present != 0 {
            for word in [number * REFS_PER_PAGE, present, start, first_series] {
                self.pages.extend_from_slice(&word.to_le_bytes());
            }
        }
    }

    /// Writes the directory and the footer and makes the content durable.
    pub fn finish(mut self, options: SpillOptions) -> io::Result<(SpillMeta, SealedSummary)> {
        self.end_page();
        let ends_start = self.file.position();
        assert_eq!(self.ends.len(), self.series as usize * END_BYTES, "an end for every series");
        self.file.write(&self.ends)?;
        let pages_start = self.file.position();
        self.file.write(&self.pages)?;
        let SpillOptions { part, min_seq, max_seq, tier, created_ms } = options;
        let meta = SpillMeta {
            part,
            min_seq,
            max_seq,
            range: self.range,
            series: self.series,
            samples: self.samples,
            tier,
            created_ms,
        };
        let page_count = self.pages.len() / PAGE_ENTRY_BYTES;
        let mut footer = encode_meta(&meta);
        for number in [ends_start, pages_start, page_count as u64] {
            put_varint(&mut footer, number);
        }
        Ok((meta, self.file.finish(&footer)?))
    }
}

/// The first part of the footer.
fn encode_meta(meta: &SpillMeta) -> Vec<u8> {
    let mut out = Vec::new();
    let (tag, window_start) = match meta.part {
        Part::Late => (PART_LATE, 0),
        Part::Window(start) => (PART_WINDOW, start),
    };
    out.push(tag);
    put_varint_signed(&mut out, window_start);
    put_varint(&mut out, meta.min_seq);
    put_varint(&mut out, meta.max_seq);
    put_varint_signed(&mut out, meta.range.mint);
    put_varint_signed(&mut out, meta.range.maxt);
    put_varint(&mut out, meta.series);
    put_varint(&mut out, meta.samples);
    out.push(meta.tier);
    put_varint_signed(&mut out, meta.created_ms);
    out
}
