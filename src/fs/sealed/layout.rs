//! Sizes and fields of what all sealed files have in common; their meaning is told in `storage-format.md`.

/// Data is checksummed in pieces of this size: a check when a piece is first touched costs some 5 us, and damage costs the
/// samples in one piece.
pub const PAGE_BYTES: usize = 64 << 10;

/// Bytes of a checksum in the page table.
pub const PAGE_CRC_BYTES: usize = 4;

/// The end of every sealed file.
pub const TRAILER_BYTES: usize = 40;

/// Most bytes of a footer: what opening a file reads at most, beside the page table.
pub const FOOTER_MAX_BYTES: usize = 64 << 10;

/// What is in a sealed file: the magic number of its trailer, and the version of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    pub magic: [u8; 8],
    /// Raised when a reader of this version would misread what a newer one writes.
    pub version: u32,
}

/// Offsets of the fields of the trailer, in order.
pub const TRAILER_DATA_LEN_OFFSET: usize = 0;
pub const TRAILER_FOOTER_LEN_OFFSET: usize = 8;
pub const TRAILER_TABLE_CRC_OFFSET: usize = 12;
pub const TRAILER_FOOTER_CRC_OFFSET: usize = 16;
pub const TRAILER_RESERVED_OFFSET: usize = 20;
pub const TRAILER_VERSION_OFFSET: usize = 24;
pub const TRAILER_MAGIC_OFFSET: usize = 28;
pub const TRAILER_CRC_OFFSET: usize = 36;
