//! Checks of all that a block holds, beyond what a query meets. Called by `sbtool` and tests.
//!
//! 1. Every page has its checksum; if one has not, nothing else is looked at.
//! 2. Every dictionary ascends and is UTF-8.
//! 3. Every series: labels ascend, the fingerprint is theirs, timestamps ascend within the block, the extent is right.
//! 4. Postings hold just the labels of the rows: sums of a hash of (series, name, value) over both are the same.

use super::columns::ColumnCache;
use super::dictionary::{self, each_list};
use super::pages::{PlaceReader, Units};
use super::reader::Block;
use super::row_labels::{LabelReader, Texts};
use super::rows::RowReader;
use super::series::read_samples;
use crate::error::Corrupt;
use crate::fs::sealed::FileError;
use crate::model::{Labels, TimeRange};
use crate::read::Columns;

/// Timestamps that a check keeps decoded.
const VERIFY_TIMESTAMPS_MAX: usize = 128 << 10;

impl Block {
    /// The damage found in the whole file: all damaged pages, or else the first thing that contradicts another.
    pub fn verify(&self) -> Vec<Corrupt> {
        let damaged = self.file().verify();
        if !damaged.is_empty() {
            return damaged;
        }
        match self.check_structure() {
            Ok(()) => Vec::new(),
            Err(FileError::Corrupt(corrupt)) => vec![corrupt],
            Err(error) => vec![Corrupt::at(0, error.to_string()).in_file(self.file().path(), 0)],
        }
    }

    fn check_structure(&self) -> Result<(), FileError> {
        let mut sum = 0u64;
        for name in 0..self.names().len() as u32 {
            sum = sum.wrapping_add(self.check_name(name)?);
        }
        self.check_series(sum)?;
        self.check_storage()
    }

    /// Checks the dictionary of a name; gives the sum over its postings.
    fn check_name(&self, number: u32) -> Result<u64, FileError> {
        let name = &self.names()[number as usize];
        let mut last: Option<String> = None;
        let mut ascends = true;
        dictionary::scan(self, name, 0..name.value_count, |_, text| {
            ascends &= last.as_deref().is_none_or(|last| last < text);
            last = Some(text.to_string());
        })?;
        if !ascends {
            return Err(self.corrupt(name.texts_offset, "order of label values"));
        }
        let (mut sum, mut series) = (0u64, Vec::new());
        let values: Vec<u32> = (0..name.value_count).collect();
        each_list(self, name, &values, |value, list| {
            series.clear();
            list.decode(self.series_count(), &mut series)?;
            let hashes = series.iter().map(|series| label_hash(*series, number, value));
            sum = hashes.fold(sum, u64::wrapping_add);
            Ok(())
        })?;
        Ok(sum)
    }

    fn check_series(&self, postings_sum: u64) -> Result<(), FileError> {
        let columns = ColumnCache::new(VERIFY_TIMESTAMPS_MAX);
        let (mut rows, mut labels) = (RowReader::default(), LabelReader::new(Texts::default()));
        let (mut places, mut out) = (PlaceReader::default(), Columns::default());
        let mut last: Option<Labels> = None;
        let (mut sum, mut sample_count, mut range) = (0u64, 0, TimeRange::EMPTY);
        for series in 0..self.series_count() {
            for (name, value) in rows.read(self, series)? {
                sum = sum.wrapping_add(label_hash(series, *name, *value));
            }
            let own = labels.read(self, series)?;
            let ascends = last.as_ref().is_none_or(|last| *last < own);
            if !ascends || own.fingerprint() != self.fingerprint(series)? {
                return Err(self.corrupt(self.footer().rows_offset, "order or hash of labels"));
            }
            last = Some(own);
            let place = places.read(self, series)?;
            out.clear();
            read_samples(self, &columns, place, TimeRange::ALL, &mut out)?;
            let (first, end) = (out.timestamps[0], out.timestamps[out.len() - 1]);
            if Units::of(self.footer().bounds).extent(first, end) != place.extent {
                return Err(self.corrupt(place.offset, "extent of a series"));
            }
            sample_count += out.len() as u64;
            range.include(first);
            range.include(end);
        }
        let is_told = (sample_count, range) == (self.meta().sample_count, self.meta().range);
        match sum == postings_sum && is_told {
            true => Ok(()),
            false => Err(self.corrupt(self.footer().labels_offset, "postings, or counts")),
        }
    }
}

/// A number for a series having a label, spread over 64 bits.
fn label_hash(series: u32, name: u32, value: u32) -> u64 {
    let mut bytes = [0; 12];
    for (part, number) in bytes.chunks_exact_mut(4).zip([series, name, value]) {
        part.copy_from_slice(&number.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_64(&bytes)
}
