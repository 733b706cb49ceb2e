//! Where the value of a label changes from one series to the next: the log that `labels` keeps of every name while a block is
//! written.

use crate::encoding::cursor::{Cursor, VARINT_MAX_BYTES, put_varint};

/// A log is kept in pieces, so that it is not copied and half empty when it grows.
const PIECE_BYTES: usize = 8 << 10;

/// What a label becomes at a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Absent,
    /// A value that no earlier change has a number of: it has the next number.
    New,
    /// The value of a number.
    Known(u32),
}

const CODE_ABSENT: u64 = 0;
const CODE_NEW: u64 = 1;
const CODE_KNOWN: u64 = 2;

/// The low bits of a change tell how far the series is from that of the last one, or that it follows: most changes are
/// near, and a byte is all they take.
const STEP_BITS: u32 = 2;
const STEP_FOLLOWS: u64 = (1 << STEP_BITS) - 1;

/// Changes, for ascending series.
#[derive(Debug, Default)]
pub struct Changes {
    /// Per change: to what, and how many series after the last one.
    pieces: Vec<Vec<u8>>,
    last_series: u32,
}

impl Changes {
    pub fn push(&mut self, series: u32, change: Change) {
        let is_full = |piece: &Vec<u8>| piece.len() + 2 * VARINT_MAX_BYTES > PIECE_BYTES;
        if self.pieces.last().is_none_or(is_full) {
            let capacity = if self.pieces.is_empty() { 0 } else { PIECE_BYTES };
            self.pieces.push(Vec::with_capacity(capacity));
        }
        let code = match change {
            Change::Absent => CODE_ABSENT,
            Change::New => CODE_NEW,
            Change::Known(number) => CODE_KNOWN + u64::from(number),
        };
        let step = u64::from(series - self.last_series);
        if let Some(piece) = self.pieces.last_mut() {
            put_varint(piece, code << STEP_BITS | step.min(STEP_FOLLOWS));
            if step >= STEP_FOLLOWS {
                put_varint(piece, step - STEP_FOLLOWS);
            }
        }
        self.last_series = series;
    }

    /// Series, and the number of the value that the label has from there on, or none.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Option<u32>)> + '_ {
        const WRITTEN: &str = "a log is read as it was written";
        let mut pieces = self.pieces.iter();
        let mut cursor = Cursor::new(&[]);
        let (mut series, mut new) = (0, 0);
        std::iter::from_fn(move || {
            if cursor.is_empty() {
                cursor = Cursor::new(pieces.next()?);
            }
            let head = cursor.varint(WRITTEN).expect(WRITTEN);
            series += (head & STEP_FOLLOWS) as u32;
            if head & STEP_FOLLOWS == STEP_FOLLOWS {
                series += cursor.varint(WRITTEN).expect(WRITTEN) as u32;
            }
            let value = match head >> STEP_BITS {
                CODE_ABSENT => None,
                CODE_NEW => {
                    new += 1;
                    Some(new - 1)
                }
                known => Some((known - CODE_KNOWN) as u32),
            };
            Some((series, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_come_back() {
        let mut changes = Changes::default();
        let (mut expected, mut new) = (Vec::new(), 0);
        for i in 0..20_000u32 {
            let (change, value) = match i % 3 {
                0 => (Change::Absent, None),
                1 => (Change::New, Some(new)),
                _ => (Change::Known(i * 1000), Some(i * 1000)),
            };
            new += u32::from(change == Change::New);
            changes.push(i * 5, change);
            expected.push((i * 5, value));
        }
        assert_eq!(changes.iter().collect::<Vec<_>>(), expected);
    }
}
