//! A segment file: its name and its header. `writer` creates segments, `replay` reads them. What follows the
//! header is the business of `frame` and `scan`.

use std::path::{Path, PathBuf};

use super::layout::*;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::CommitSeq;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// As in the name. Ascending in order of creation; holes are fine, numbers are never used again.
    pub segment: u64,
    /// Random; part of every checksum in the file.
    pub nonce: u64,
    /// Sequence of the first frame this file may hold. Everything below it is durable in earlier segments;
    /// everything in earlier segments from it on is void.
    pub first_seq: CommitSeq,
    pub version: u32,
}

impl SegmentHeader {
    /// A header of the version this code writes.
    pub fn new(segment: u64, nonce: u64, first_seq: CommitSeq) -> SegmentHeader {
        SegmentHeader { segment, nonce, first_seq, version: SEGMENT_VERSION }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&self.nonce.to_le_bytes());
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header of segment number `segment` from the beginning of its file. The version is not judged
    /// here: these fields keep their places in every version.
    ///
    /// # Errors
    /// The header is damaged, was never finished, or belongs to another file.
    pub fn decode(bytes: &[u8], segment: u64) -> Result<SegmentHeader, Corrupt> {
        let mut cursor = Cursor::new(bytes);
        if cursor.bytes(SEGMENT_MAGIC.len(), "segment magic")? != SEGMENT_MAGIC {
            return Err(Corrupt::at(0, "segment magic"));
        }
        let header = SegmentHeader {
            segment: cursor.u64("segment number")?,
            nonce: cursor.u64("segment nonce")?,
            first_seq: cursor.u64("segment first sequence")?,
            version: cursor.u32("segment version")?,
        };
        let checked = bytes.get(..cursor.position()).unwrap_or_default();
        if cursor.u32("segment header checksum")? != crc32fast::hash(checked) {
            return Err(Corrupt::at(0, "segment header checksum"));
        }
        if header.segment != segment {
            return Err(Corrupt::at(8, "segment number, which is not that of the file name"));
        }
        if !(1..=SEQ_MAX).contains(&header.first_seq) {
            return Err(Corrupt::at(24, "segment first sequence"));
        }
        Ok(header)
    }
}

/// The path of segment number `segment` of the log in `dir`.
pub fn path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(name(segment))
}

/// The path under which that segment is written until it is whole.
pub fn unfinished_path(dir: &Path, segment: u64) -> PathBuf {
    dir.join(name(segment) + UNFINISHED_SUFFIX)
}

fn name(segment: u64) -> String {
    format!("{segment:0width$}{SEGMENT_SUFFIX}", width = SEGMENT_NAME_DIGITS)
}

/// The number of a segment from its name; None for the name of anything else.
pub fn number(file_name: &str) -> Option<u64> {
    let number = file_name.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()?;
    (name(number) == file_name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_every_flipped_bit_is_found() {
        let header = SegmentHeader::new(3, 0x1234_5678_9abc_def0, 77);
        let bytes = header.encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_BYTES);
        assert_eq!(SegmentHeader::decode(&bytes, 3).unwrap(), header);
        assert!(SegmentHeader::decode(&bytes, 4).is_err(), "another file's header");
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes, 3).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(SegmentHeader::decode(&bytes[..len], 3).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn names_are_canonical() {
        assert_eq!(path(Path::new("d/wal"), 1), Path::new("d/wal/00000001.wal"));
        assert_eq!(number("00000001.wal"), Some(1));
        assert_eq!(number("123456789.wal"), Some(123_456_789));
        for other in [
            "1.wal",
            "+0000001.wal",
            "000000001.wal",
            "00000001.wal.tmp",
            "LOCK",
            ".wal",
            "18446744073709551616.wal",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
