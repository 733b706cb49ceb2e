//! Values that a column of integers cannot hold, as runs of equal ones: where they are and all their bits. A staleness
//! marker costs four bytes, or the five of a late position; a summary that says NaN while nothing happens costs two to four
//! a silence. Used by `values`.

use crate::encoding::cursor::{Cursor, put_varint};
use crate::error::Corrupt;
use crate::model::STALE_NAN_BITS;

/// Bytes of a run that is not like the one before, about.
const RUN_BYTES: usize = 10;
/// Bytes of a run of the same bits as the one before, about.
const SAME_RUN_BYTES: usize = 3;

#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    len: usize,
    bits: u64,
}

/// The runs of a column, collected from front to back.
#[derive(Debug, Default)]
pub struct Patches {
    runs: Vec<Run>,
    bytes: usize,
}

impl Patches {
    pub fn clear(&mut self) {
        self.runs.clear();
        self.bytes = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value at `position`, which is behind all others, has these bits.
    pub fn push(&mut self, position: usize, bits: u64) {
        let last_bits = match self.runs.last_mut() {
            Some(run) if run.bits == bits && run.start + run.len == position => {
                run.len += 1;
                return;
            }
            Some(run) => run.bits,
            None => STALE_NAN_BITS,
        };
        self.bytes += if bits == last_bits { SAME_RUN_BYTES } else { RUN_BYTES };
        self.runs.push(Run { start: position, len: 1, bits });
    }

    /// Appends the number of runs, and of each: the values between it and the one before; twice the values after its first,
    /// and one more if its bits are new; the bits, if new. Before the first run the bits are the staleness marker's.
    pub fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.runs.len() as u64);
        let (mut end, mut bits) = (0, STALE_NAN_BITS);
        for run in &self.runs {
            let is_new = run.bits != bits;
            put_varint(out, (run.start - end) as u64);
            put_varint(out, (run.len as u64 - 1) << 1 | u64::from(is_new));
            if is_new {
                out.extend_from_slice(&run.bits.to_le_bytes());
            }
            (end, bits) = (run.start + run.len, run.bits);
        }
    }
}

/// Passes over the runs: the cursor then stands behind them. What is returned stands before them.
pub fn skip<'a>(cursor: &mut Cursor<'a>) -> Result<Cursor<'a>, Corrupt> {
    let start = cursor.clone();
    for _ in 0..cursor.length("number of patches")? {
        cursor.varint("patch position")?;
        if cursor.varint("patch length")? & 1 == 1 {
            cursor.u64("patch bits")?;
        }
    }
    Ok(start)
}

/// Puts the runs into the values of a column.
pub fn apply(mut cursor: Cursor<'_>, values: &mut [f64]) -> Result<(), Corrupt> {
    let mut rest = values;
    let mut bits = STALE_NAN_BITS;
    for _ in 0..cursor.length("number of patches")? {
        let gap = cursor.varint("patch position")?;
        let shape = cursor.varint("patch length")?;
        if shape & 1 == 1 {
            bits = cursor.u64("patch bits")?;
        }
        let behind = usize::try_from(gap).ok().and_then(|gap| rest.get_mut(gap..));
        let len = usize::try_from(shape >> 1).ok().and_then(|len| len.checked_add(1));
        let split = behind.zip(len).and_then(|(behind, len)| behind.split_at_mut_checked(len));
        let Some((run, behind)) = split else {
            return Err(cursor.corrupt("patch within its column"));
        };
        run.fill(f64::from_bits(bits));
        rest = behind;
    }
    Ok(())
}
