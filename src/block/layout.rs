//! Sizes and fields of a block; their meaning is told in `storage-format.md`. What a block shares with other sealed files
//! is in `fs::sealed::layout`.

use crate::fs::sealed::Kind;

/// What the trailer of a block says.
pub const BLOCK: Kind = Kind { magic: *b"SBBLOCKS", version: 1 };

/// Values of a dictionary that share a restart: a look-up reads half of them on average.
pub const VALUES_PER_GROUP: usize = 16;

/// Series whose labels are written as differences from one to the next: a look-up reads half of them on average.
pub const SERIES_PER_GROUP: usize = 32;

/// Series of one page of the series table: what the writer holds of it at a time.
pub const SERIES_PER_PAGE: usize = 1024;

/// Bytes of an entry of the table behind a dictionary: two u32, where a group's texts and where its postings begin.
pub const VALUE_GROUP_ENTRY_BYTES: usize = 8;

/// Bytes of an entry of the table of label rows, and of the table of timestamp columns: an offset.
pub const OFFSET_BYTES: usize = 8;

/// Bytes of an entry of the table of pages: an offset and a u32 length.
pub const PAGE_ENTRY_BYTES: usize = 12;

/// Bytes of a fingerprint in a page of the series table.
pub const FINGERPRINT_BYTES: usize = 8;

/// Bytes of an entry of the group table in a page of the series table: a u32, where the group begins in the page.
pub const PAGE_GROUP_BYTES: usize = 4;

/// Most series: they are numbered by u32 in postings.
pub const SERIES_MAX: usize = u32::MAX as usize;

/// Where the samples of a series lie in time is told in units; the bounds of a block are this many at most, so that a unit's number is a byte.
pub const EXTENT_UNITS_MAX: u64 = 256;

/// Bytes of a parent's id, of which as many as counted follow the fixed part of the footer.
pub const PARENT_BYTES: usize = 16;

/// Names and sizes of the fixed part of the footer, in order.
pub const FOOTER_FIELDS: [(&str, usize); 22] = [
    ("id", 16),
    ("mint", 8),
    ("maxt", 8),
    ("bounds_mint", 8),
    ("bounds_maxt", 8),
    ("min_seq", 8),
    ("max_seq", 8),
    ("series_count", 8),
    ("sample_count", 8),
    ("column_count", 8),
    ("samples_len", 8),
    ("timestamps_len", 8),
    ("pages_len", 8),
    ("labels_offset", 8),
    ("rows_offset", 8),
    ("row_table_offset", 8),
    ("column_table_offset", 8),
    ("page_table_offset", 8),
    ("names_offset", 8),
    ("name_count", 4),
    ("level", 1),
    ("parent_count", 2),
];

/// Kinds of a list of series in postings.
pub const LIST_RUNS: u64 = 0;
pub const LIST_RICE: u64 = 1;

/// Ones from which on a gap of a Rice list stands as it is, in 32 bits.
pub const RICE_QUOTIENT_MAX: u32 = 24;
/// Most low bits of a gap in a Rice list: together with the quotient they fit one look ahead.
pub const RICE_BITS_MAX: u32 = 30;

/// What begins a reference to an equal value column, in the place of a column's tag: no tag of a column is that.
pub const VALUES_ELSEWHERE: u8 = 0xff;
/// Shorter columns are written again: a reference takes up to half of that.
pub const SHARED_VALUES_BYTES_MIN: usize = 16;

/// Bytes that a gap in a timestamp column takes at least, which bounds how many are believed.
pub const GAP_BYTES_MIN: usize = 2;
