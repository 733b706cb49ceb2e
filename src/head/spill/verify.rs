//! Checks of all that a spill holds, beyond what a query meets. Called by `sbtool` and tests.
//!
//! 1. Every page has its checksum; if one has not, nothing else is looked at.
//! 2. Refs ascend, every list of chunks can be read, and what is in them is what the footer counts.

use super::reader::Spill;
use crate::error::Corrupt;
use crate::fs::sealed::FileError;
use crate::head::chunk_list::decode;
use crate::model::SeriesRef;
use crate::read::Columns;

impl Spill {
    /// The damage found in the whole file: all damaged pages, or else the first thing that contradicts another.
    pub fn verify(&self) -> Vec<Corrupt> {
        let damaged = self.file().verify();
        if !damaged.is_empty() {
            return damaged;
        }
        match self.check_series().and_then(|()| self.file().check()) {
            Ok(()) => Vec::new(),
            Err(FileError::Corrupt(corrupt)) => vec![corrupt],
            Err(error) => vec![Corrupt::at(0, error.to_string()).in_file(self.file().path(), 0)],
        }
    }

    fn check_series(&self) -> Result<(), FileError> {
        let (mut cursor, mut columns) = (self.cursor(), Columns::default());
        let (mut last, mut series_count, mut sample_count) = (None::<SeriesRef>, 0, 0);
        let (meta, footer) = (self.meta(), self.file().data_len());
        while let Some((series, list)) = cursor.next()? {
            if last.is_some_and(|last| last >= series) {
                return Err(self.file().corrupt(footer, "order of refs"));
            }
            columns.clear();
            decode(list, &mut columns).map_err(|corrupt| self.corrupt(corrupt))?;
            if columns.timestamps.iter().any(|timestamp| !meta.range.contains(*timestamp)) {
                return Err(self.file().corrupt(footer, "times of the footer"));
            }
            last = Some(series);
            series_count += 1;
            sample_count += columns.len() as u64;
        }
        match (series_count, sample_count) == (meta.series, meta.samples) {
            true => Ok(()),
            false => Err(self.file().corrupt(footer, "counts of the footer")),
        }
    }
}
