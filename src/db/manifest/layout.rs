//! Names, magic numbers, versions, sizes and limits of the manifest. What every field means, what a reader checks and how
//! recovery decides is told once, in `storage-format.md`; a test compares its tables with this file.

use crate::wal::layout::Field;

/// Name of the manifest inside the data directory.
pub const MANIFEST_FILE: &str = "MANIFEST";
/// Its name while it is being written anew. Garbage at start.
pub const MANIFEST_UNFINISHED: &str = "MANIFEST.tmp";

/// Folders of the files it lists, inside the data directory.
pub const REGISTRY_DIR: &str = "registry";
pub const SPILL_DIR: &str = "spill";
pub const BLOCKS_DIR: &str = "blocks";
pub const FILE_DIRS: [&str; 3] = [REGISTRY_DIR, SPILL_DIR, BLOCKS_DIR];

/// Suffixes of the files in them.
pub const REGISTRY_SUFFIX: &str = ".sbr";
pub const SPILL_SUFFIX: &str = ".sbs";
pub const BLOCK_SUFFIX: &str = ".sbb";
/// Follows the name of a file that is still being written. Garbage at start.
pub const UNFINISHED_SUFFIX: &str = ".tmp";
/// Numbers in names have at least this many decimal digits, so that a listing is in order.
pub const NUMBER_NAME_DIGITS: usize = 8;

/// Largest number of a file, so that the one after it is a number, too.
pub const FILE_NUMBER_MAX: u64 = 1 << 62;

pub const MANIFEST_MAGIC: [u8; 8] = *b"SBMANIFE";
/// Raised when a reader of this version would misread what a newer one writes.
pub const MANIFEST_VERSION: u32 = 1;
pub const MANIFEST_HEADER_BYTES: usize = 24;

pub const RECORD_MAGIC: [u8; 3] = [0xf5, b'M', b'E'];
pub const RECORD_HEADER_BYTES: usize = 32;
/// Records begin at multiples of this, so a reader that lost its place tries one offset in eight.
pub const RECORD_ALIGN_BYTES: usize = 8;

/// The whole state; the first record of a file and no other.
pub const RECORD_TYPE_SNAPSHOT: u8 = 1;
/// One atomic change.
pub const RECORD_TYPE_EDIT: u8 = 2;
/// Nothing but its `durable_seq`: the edit before it is durable.
pub const RECORD_TYPE_MARK: u8 = 3;

/// Largest payload of one record: a million files, more than a disk holds, and still a bound on what a reader believes.
pub const RECORD_PAYLOAD_MAX_BYTES: usize = 64 << 20;

/// What a log may grow beyond twice its snapshot before it is written anew: some hundred edits, so that rewriting costs
/// nothing and reading at start a millisecond.
pub const MANIFEST_GROWTH_BYTES: u64 = 64 << 10;

/// Tags of the kinds of files.
pub const KIND_REGISTRY_BASE: u8 = 1;
pub const KIND_REGISTRY_DELTA: u8 = 2;
pub const KIND_SPILL: u8 = 3;
pub const KIND_BLOCK: u8 = 4;

/// Bits that say which of the optional numbers of an edit are there.
pub const PRESENT_WAL_SEQ: u8 = 1;
pub const PRESENT_NEXT_REF: u8 = 2;

const fn field(name: &'static str, offset: usize, size: usize) -> Field {
    Field { name, offset, size }
}

pub const MANIFEST_HEADER_FIELDS: [Field; 4] = [
    field("magic", 0, 8),
    field("nonce", 8, 8),
    field("version", 16, 4),
    field("header_crc", 20, 4),
];

pub const RECORD_HEADER_FIELDS: [Field; 7] = [
    field("magic", 0, 3),
    field("type", 3, 1),
    field("payload_len", 4, 4),
    field("seq", 8, 8),
    field("durable_seq", 16, 8),
    field("payload_crc", 24, 4),
    field("header_crc", 28, 4),
];
