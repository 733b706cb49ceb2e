//! What a block consists of, for `sbtool`: sections with their sizes, and how columns are encoded.

use std::collections::BTreeMap;

use super::chunks::read_chunks;
use super::layout::VALUES_ELSEWHERE;
use super::pages::PlaceReader;
use super::reader::Block;
use crate::encoding::column::layout::*;
use crate::fs::sealed::FileError;

/// Columns of values that are encoded alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    pub columns: u64,
    pub bytes: u64,
}

/// What all samples of a block consist of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    pub chunk_count: u64,
    /// Chunks whose timestamps are a part of a column.
    pub part_count: u64,
    /// By name of the codec.
    pub codecs: BTreeMap<&'static str, Share>,
}

impl Block {
    /// Names and sizes of the sections, in the order of the file; the first three lie among each other.
    pub fn sections(&self) -> [(&'static str, u64); 10] {
        let footer = self.footer();
        let dictionaries = self.names().iter().map(|name| name.postings_offset - name.texts_offset);
        let dictionaries: u64 = dictionaries.sum();
        let postings = self.names().iter().map(|name| name.table_offset - name.postings_offset);
        let postings: u64 = postings.sum();
        let labels = footer.rows_offset - footer.labels_offset;
        let data_len = self.file().data_len();
        [
            ("samples", footer.samples_len),
            ("timestamps", footer.timestamps_len),
            ("series table", footer.pages_len),
            ("dictionaries", dictionaries),
            ("postings", postings),
            ("dictionary tables", labels - dictionaries - postings),
            ("rows", footer.row_table_offset - footer.rows_offset),
            ("other tables", footer.names_offset - footer.row_table_offset),
            ("names", data_len - footer.names_offset),
            ("checksums, footer, trailer", self.file().len_bytes() - data_len),
        ]
    }

    /// Goes over the heads of all samples.
    ///
    /// # Errors
    /// The first damage met.
    pub fn contents(&self) -> Result<Contents, FileError> {
        let mut contents = Contents::default();
        let mut places = PlaceReader::default();
        for series in 0..self.series_count() {
            let place = places.read(self, series)?;
            let end = place.offset.saturating_add(place.len);
            let bytes = self.bytes(&(place.offset..end))?;
            for chunk in self.at(place.offset, read_chunks(bytes))? {
                let values = &bytes[chunk.values_start..chunk.values_start + chunk.values_len];
                let share = contents.codecs.entry(codec(values.first().copied())).or_default();
                share.columns += 1;
                share.bytes += values.len() as u64;
                contents.chunk_count += 1;
                contents.part_count += u64::from(chunk.used.part.is_some());
            }
        }
        Ok(contents)
    }
}

/// What the tag of a value column says.
fn codec(tag: Option<u8>) -> &'static str {
    if tag == Some(VALUES_ELSEWHERE) {
        return "equal to an earlier column";
    }
    match tag.map(|tag| tag & TAG_SCALE_MASK) {
        Some(TAG_CONSTANT) => "constant",
        Some(TAG_XOR) => "xor",
        Some(SCALE_BITS) => "bits as integers",
        Some(0) => "integers",
        Some(_) => "decimals",
        None => "nothing",
    }
}
