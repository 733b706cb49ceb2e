//! Names, numbers and limits of spill files; what the fields mean is told in `storage-format.md`.

use crate::fs::sealed::Kind;

pub const SPILL_KIND: Kind = Kind { magic: *b"SBSPILL\0", version: 1 };

/// Series refs that share an entry of the page directory: as many as a word has bits.
pub const REFS_PER_PAGE: u64 = 64;

/// Bytes of an entry of the page directory.
pub const PAGE_ENTRY_BYTES: usize = 32;

/// Bytes of the end of a series' chunks.
pub const END_BYTES: usize = 4;

/// Tags of a part in the footer.
pub const PART_LATE: u8 = 0;
pub const PART_WINDOW: u8 = 1;

/// Most bytes of chunks that the series of one page may have together, so that their ends fit 32 bits.
pub const PAGE_CHUNKS_MAX_BYTES: u64 = u32::MAX as u64;
