//! Names, magic numbers, versions, sizes and limits of the write-ahead log. What every field means, what a
//! reader checks and how recovery decides is told once, in `storage-format.md`; a test compares its tables
//! with this file.

/// Folder of the log inside the data directory.
pub const WAL_DIR: &str = "wal";

/// A segment is `wal/00000001.wal`: its number in at least this many decimal digits, so that a listing is in
/// order.
pub const SEGMENT_NAME_DIGITS: usize = 8;
pub const SEGMENT_SUFFIX: &str = ".wal";

/// Largest number of a segment. A log that has reached it has no next one and is not opened.
pub const SEGMENT_NUMBER_MAX: u64 = 1 << 62;
/// Follows the name of a segment that is still being created. Such a file is garbage at start.
pub const UNFINISHED_SUFFIX: &str = ".tmp";

pub const SEGMENT_MAGIC: [u8; 8] = *b"SBWALSEG";
/// Raised when a reader of this version would misread what a newer one writes.
pub const SEGMENT_VERSION: u32 = 1;
pub const SEGMENT_HEADER_BYTES: usize = 40;

/// The first byte is in no UTF-8 text, so a scan through label text does not stop at every letter.
pub const FRAME_MAGIC: [u8; 3] = [0xf5, b'W', b'F'];
pub const FRAME_HEADER_BYTES: usize = 40;
/// Frames begin at multiples of this, so a reader that lost its place tries one offset in eight.
pub const FRAME_ALIGN_BYTES: usize = 8;

/// One request's definitions and samples.
pub const FRAME_TYPE_WRITE: u8 = 1;
/// Nothing but its `durable_seq`: the end of a log that was closed cleanly.
pub const FRAME_TYPE_DURABLE_MARK: u8 = 2;

/// Largest payload of one frame. A request is at most 32 MiB decoded, and a record of it is hardly larger
/// than that; twice as much leaves room and still bounds what a reader believes.
pub const PAYLOAD_MAX_BYTES: usize = 64 << 20;

/// Largest commit sequence. No log gets there in a million years at a billion requests a second, and sums of
/// two sequences do not overflow.
pub const SEQ_MAX: u64 = 1 << 62;

/// Tag of a timestamp column: one timestamp for all samples.
pub const TIMESTAMPS_EQUAL: u8 = 0;
/// Tag of a timestamp column: a difference for every sample.
pub const TIMESTAMPS_DELTAS: u8 = 1;

/// A segment that has reached this is followed by the next: large enough that creating files costs nothing,
/// small enough that the space of a log cut from the front comes back soon.
pub const WAL_SEGMENT_BYTES: u64 = 128 << 20;

/// Bytes waiting for the disk, those being written included. More is answered with 503: at a disk's 100 MB/s
/// this is more than half a second of waiting, and it is memory of its own beside the requests.
pub const WAL_QUEUE_MAX_BYTES: usize = 64 << 20;

/// Milliseconds between attempts to write again after the disk refused: soon enough that a sender's next
/// retry is taken, rare enough not to load a failing disk.
pub const WAL_PROBE_INTERVAL_MS: u64 = 1_000;

/// One fixed field of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub offset: usize,
    pub size: usize,
}

const fn field(name: &'static str, offset: usize, size: usize) -> Field {
    Field { name, offset, size }
}

pub const SEGMENT_HEADER_FIELDS: [Field; 6] = [
    field("magic", 0, 8),
    field("segment", 8, 8),
    field("nonce", 16, 8),
    field("first_seq", 24, 8),
    field("version", 32, 4),
    field("header_crc", 36, 4),
];

pub const FRAME_HEADER_FIELDS: [Field; 8] = [
    field("magic", 0, 3),
    field("type", 3, 1),
    field("payload_len", 4, 4),
    field("seq", 8, 8),
    field("durable_seq", 16, 8),
    field("nonce", 24, 8),
    field("payload_crc", 32, 4),
    field("header_crc", 36, 4),
];
