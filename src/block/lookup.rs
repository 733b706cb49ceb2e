//! What a block knows of one series at one time, without a selection: the head asks for every sample that comes late,
//! to tell a repeat from a conflict.
//!
//! Labels become numbers by the dictionaries; rows are in the order of these numbers, so a binary search over groups finds
//! the series.

use super::dictionary;
use super::layout::SERIES_PER_GROUP;
use super::pages::{PlaceReader, Units};
use super::reader::Block;
use super::rows::{Pair, RowReader};
use super::series::{last_timestamp, read_samples};
use crate::fs::sealed::FileError;
use crate::model::{Labels, TimeRange, Timestamp};
use crate::read::Columns;

/// What is known of a series at a time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookup {
    /// The value, bit for bit, if there is a sample at just that time.
    pub value: Option<f64>,
    /// Is there a sample after that time?
    pub has_newer: bool,
}

impl Block {
    /// Looks up a label set, whose fingerprint is given, at a time.
    ///
    /// # Errors
    /// What is needed for it lies in a damaged place.
    pub fn lookup(
        &self,
        labels: &Labels,
        fingerprint: u64,
        timestamp: Timestamp,
    ) -> Result<Lookup, FileError> {
        let own = self.meta().range;
        if timestamp > own.maxt {
            return Ok(Lookup::default());
        }
        let Some(series) = self.find_series(labels)? else { return Ok(Lookup::default()) };
        if self.fingerprint(series)? != fingerprint {
            return Err(self.corrupt(self.footer().rows_offset, "fingerprint of a series"));
        }
        let place = PlaceReader::default().read(self, series)?;
        let unit = Units::of(self.footer().bounds).unit(timestamp.max(own.mint));
        let has_newer = match unit.cmp(&place.extent.last) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => last_timestamp(self, place)? > timestamp,
            std::cmp::Ordering::Greater => false,
        };
        let mut out = Columns::default();
        if own.contains(timestamp) {
            let at = TimeRange::new(timestamp, timestamp);
            read_samples(self, &self.lookup_columns, place, at, &mut out)?;
        }
        self.check_storage()?;
        Ok(Lookup { value: out.floats.first().copied(), has_newer })
    }

    fn find_series(&self, labels: &Labels) -> Result<Option<u32>, FileError> {
        let Some(wanted) = self.pairs(labels)? else { return Ok(None) };
        let mut rows = RowReader::default();
        let (mut low, mut high) = (0, self.series_count().div_ceil(SERIES_PER_GROUP as u32));
        while low < high {
            let middle = low + (high - low) / 2;
            match rows.read(self, middle * SERIES_PER_GROUP as u32)? <= &wanted[..] {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let Some(group) = low.checked_sub(1) else { return Ok(None) };
        let start = group * SERIES_PER_GROUP as u32;
        let end = start.saturating_add(SERIES_PER_GROUP as u32).min(self.series_count());
        for series in start..end {
            if rows.read(self, series)? == wanted {
                return Ok(Some(series));
            }
        }
        Ok(None)
    }

    /// Labels as numbers; `None` if one of them is not in this block.
    fn pairs(&self, labels: &Labels) -> Result<Option<Vec<Pair>>, FileError> {
        let mut pairs = Vec::with_capacity(labels.len());
        for (name, value) in labels.iter() {
            let Some((number, name)) = self.name(name) else { return Ok(None) };
            match dictionary::find(self, name, value.as_bytes())? {
                Some(value) => pairs.push((number, value)),
                None => return Ok(None),
            }
        }
        Ok(Some(pairs))
    }
}
