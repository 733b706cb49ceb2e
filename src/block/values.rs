//! Where the values of a chunk are: a column with the samples of its series, or a reference to an equal one of an earlier
//! series. Upper buckets of a histogram are often equal in every sample, and so are gauges that report the same thing twice.
//!
//! ```text
//! reference   VALUES_ELSEWHERE; varint: bytes from the column to the samples of this series; varint: its length
//! ```

use hashbrown::HashMap;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::chunks::Chunk;
use super::layout::{SHARED_VALUES_BYTES_MIN, VALUES_ELSEWHERE};
use super::pages::Place;
use super::reader::Block;
use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;
use crate::fs::sealed::FileError;

/// Columns that are kept to be found again, 48 bytes each with the room of the table. When there are more, all are
/// forgotten: equal columns are mostly near in the order of labels.
const COLUMNS_MAX: usize = 1 << 15;

/// The value columns written lately.
#[derive(Debug)]
pub struct ValueColumns {
    /// Nobody who sends samples knows it, so nobody can make two columns of the same hash.
    seed: u64,
    by_hash: HashMap<u128, Written>,
    /// Columns of the series being added: their hashes, and where they are among its values.
    fresh: Vec<(u128, usize, usize)>,
}

/// A column in the file.
#[derive(Debug, Clone, Copy)]
struct Written {
    offset: u64,
    len: usize,
}

impl Default for ValueColumns {
    fn default() -> ValueColumns {
        ValueColumns { seed: rand::random(), by_hash: HashMap::new(), fresh: Vec::new() }
    }
}

impl ValueColumns {
    /// Replaces the column that `values` ends with, from `start` on, by a reference to an equal one, if there is one.
    /// The samples of the series will be at `samples_offset`.
    pub fn share(&mut self, start: usize, samples_offset: u64, values: &mut Vec<u8>) {
        let column = &values[start..];
        if column.len() < SHARED_VALUES_BYTES_MIN {
            return;
        }
        let hash = xxh3_128_with_seed(column, self.seed);
        match self.by_hash.get(&hash) {
            Some(written) => {
                values.truncate(start);
                values.push(VALUES_ELSEWHERE);
                put_varint(values, samples_offset - written.offset);
                put_varint(values, written.len as u64);
            }
            None => self.fresh.push((hash, start, column.len())),
        }
    }

    /// The values of the series are in the file, from `offset` on.
    pub fn written(&mut self, offset: u64) {
        if self.by_hash.len() + self.fresh.len() > COLUMNS_MAX {
            self.by_hash.clear();
        }
        for (hash, start, len) in self.fresh.drain(..) {
            self.by_hash.insert(hash, Written { offset: offset + start as u64, len });
        }
    }
}

/// The value column of a chunk and where it begins in the file. `samples` are those of its series, which are at `place`.
pub fn column<'a>(
    block: &'a Block,
    place: Place,
    samples: &'a [u8],
    chunk: &Chunk,
) -> Result<(u64, &'a [u8]), FileError> {
    let start = place.offset + chunk.values_start as u64;
    let values = &samples[chunk.values_start..chunk.values_start + chunk.values_len];
    if values.first() != Some(&VALUES_ELSEWHERE) {
        return Ok((start, values));
    }
    let (back, len) = block.at(start, reference(&values[1..]))?;
    let offset = place.offset.checked_sub(back);
    let offset = offset.ok_or_else(|| block.corrupt(start, "reference to a value column"))?;
    Ok((offset, block.bytes(&(offset..offset.saturating_add(len)))?))
}

fn reference(bytes: &[u8]) -> Result<(u64, u64), Corrupt> {
    let mut cursor = Cursor::new(bytes);
    let back = cursor.varint("distance of a value column")?;
    let len = cursor.varint("length of a value column")?;
    match cursor.is_empty() {
        true => Ok((back, len)),
        false => Err(cursor.corrupt("reference to a value column")),
    }
}
