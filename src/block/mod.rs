//! Blocks: immutable files of sealed columns with an index of their own, `blocks/<ULID>.sbb`. The writer takes series in
//! order of labels and streams; the reader is a [`crate::read::Source`]. `db` cuts, merges and drops blocks; this module
//! knows neither the head nor which blocks there are.
//!
//! ```text
//! samples        per series its values, and timestamp columns that series share      chunks, times
//! pages          among the samples: the series table                                 pages
//! dictionaries   per label name its values and their series                          dictionary, postings
//! rows           per series the numbers of its labels                                rows
//! tables         where rows, timestamp columns and pages are                         reader
//! names          label names and where their dictionaries are                        reader
//! footer                                                                             footer
//! ```

mod changes;
mod chunks;
mod columns;
mod contents;
mod cursor;
mod dictionary;
pub mod footer;
mod labels;
pub mod layout;
mod lookup;
mod pages;
mod postings;
mod reader;
mod row_labels;
mod rows;
mod runs;
mod select;
mod series;
mod times;
mod values;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use footer::Footer;

use crate::model::{CommitSeq, TimeRange};

pub use contents::{Contents, Share};
pub use cursor::BlockCursor;
pub use lookup::Lookup;
pub use reader::Block;
pub use series::BlockSource;
pub use writer::BlockWriter;

/// What a writer is told of a block.
#[derive(Debug, Clone)]
pub struct BlockOptions {
    pub id: u128,
    /// Inclusive bounds in which all samples lie. Chunks are cut by halving it, so blocks to be merged do well to have
    /// the bounds of their window.
    pub range: TimeRange,
    pub level: u8,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub parents: Vec<u128>,
}

/// What is known of a block without reading its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockMeta {
    pub id: u128,
    /// Of the samples, inclusive.
    pub range: TimeRange,
    pub level: u8,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub parents: Vec<u128>,
    pub series_count: u64,
    pub sample_count: u64,
    pub len_bytes: u64,
    /// Of the whole file.
    pub checksum: u64,
}

impl BlockMeta {
    fn new(footer: &Footer, len_bytes: u64, checksum: u64) -> BlockMeta {
        BlockMeta {
            id: footer.id,
            range: footer.range,
            level: footer.level,
            min_seq: footer.min_seq,
            max_seq: footer.max_seq,
            parents: footer.parents.clone(),
            series_count: footer.series_count,
            sample_count: footer.sample_count,
            len_bytes,
            checksum,
        }
    }
}
