//! Reads one segment file: its header, and the frames in it. Where the bytes are no frame, it goes on at the
//! next offset at which one could begin, so damage costs what it hit. It judges frames one by one; what their
//! sequences mean is for `replay`.

use std::path::PathBuf;

use bytes::Bytes;

use super::WalError;
use super::frame::{self, FrameHeader};
use super::layout::*;
use super::segment::SegmentHeader;
use crate::error::Corrupt;
use crate::fs::{Blob, Disk};
use crate::model::CommitSeq;

/// One segment file as `replay` sees it.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) blob: Box<dyn Blob>,
    pub(super) bytes: Bytes,
    pub(super) header: Result<SegmentHeader, Corrupt>,
    /// From its header, or if that is lost from its first good frame.
    pub(super) first_seq: Option<CommitSeq>,
    /// The highest sequence that it says is durable.
    pub(super) proven: CommitSeq,
    /// Sequences from here on are void in it. Set by `replay`, which knows the other segments.
    pub(super) void_from: CommitSeq,
    /// End of the last frame that counts.
    pub(super) kept_end: u64,
    /// Bytes before the first frame that is void: none behind it counts.
    pub(super) kept_len: u64,
    /// Whether frames that count are not proven durable.
    pub(super) unproven: bool,
    pub(super) damaged: bool,
}

impl Segment {
    /// Opens a segment and surveys it: its header and the headers of its frames, not yet their payloads.
    ///
    /// # Errors
    /// The disk failed, or a newer version wrote the segment.
    pub(super) fn open(disk: &dyn Disk, path: PathBuf, number: u64) -> Result<Segment, WalError> {
        let blob = disk.open(&path).map_err(WalError::io("open", &path))?;
        let len = usize::try_from(blob.len()).unwrap_or(usize::MAX);
        let bytes = blob.bytes(0, len).map_err(WalError::io("read", &path))?;
        let mut segment = Segment {
            header: SegmentHeader::decode(&bytes, number),
            number,
            path,
            bytes,
            first_seq: None,
            proven: 0,
            void_from: CommitSeq::MAX,
            kept_end: SEGMENT_HEADER_BYTES as u64,
            kept_len: blob.len(),
            unproven: false,
            damaged: false,
            blob,
        };
        segment.survey()?;
        Ok(segment)
    }

    fn survey(&mut self) -> Result<(), WalError> {
        if let Ok(header) = &self.header {
            if header.version != SEGMENT_VERSION {
                return Err(self.newer(format!("version {}", header.version)));
            }
            self.first_seq = Some(header.first_seq);
            self.proven = header.first_seq - 1;
        }
        for frame in self.frames() {
            match frame.head.frame_type {
                FRAME_TYPE_WRITE => {
                    // Of its first group the first frames may be lost, too; the others tell what it begins behind.
                    let first_seq = frame.head.seq.min(frame.head.durable_seq + 1);
                    self.first_seq = self.first_seq.or(Some(first_seq));
                }
                FRAME_TYPE_DURABLE_MARK => {}
                other => {
                    let at = frame.place.offset;
                    return Err(self.newer(format!("frame type {other} at offset {at}")));
                }
            }
            self.proven = self.proven.max(frame.head.durable_seq);
        }
        Ok(())
    }

    fn newer(&self, what: String) -> WalError {
        WalError::Newer { path: self.path.clone(), what }
    }

    /// The frames in order of offset.
    pub(super) fn frames(&self) -> Scanner {
        let nonce = self.header.as_ref().ok().map(|header| header.nonce);
        Scanner::new(self.bytes.clone(), self.number, nonce)
    }

    /// The payload of one of its frames; None if it is missing or damaged.
    pub(super) fn payload(&self, frame: &FrameHeader) -> Option<Bytes> {
        payload(&self.bytes, frame)
    }

    /// Is everything in it void, now and whatever happens to it?
    pub(super) fn is_void(&self) -> bool {
        self.header.as_ref().is_ok_and(|header| header.first_seq >= self.void_from)
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

fn payload(bytes: &Bytes, frame: &FrameHeader) -> Option<Bytes> {
    let start = usize::try_from(frame.payload_offset()).ok()?;
    let end = start.checked_add(frame.payload_len).filter(|end| *end <= bytes.len())?;
    let payload = bytes.slice(start..end);
    frame.matches(&payload).then_some(payload)
}

/// Goes through the bytes of a segment from the end of its header, from one good frame header to the next.
/// The payload of a frame may be damaged or missing all the same.
#[derive(Debug)]
pub struct Scanner {
    bytes: Bytes,
    segment: u64,
    /// That of the segment's header, or if it is lost that of the first frame found.
    nonce: Option<u64>,
    position: usize,
}

impl Scanner {
    /// `bytes` are all of segment number `segment`; `nonce` is that of its header, None if that is lost.
    pub fn new(bytes: Bytes, segment: u64, nonce: Option<u64>) -> Scanner {
        Scanner { bytes, segment, nonce, position: SEGMENT_HEADER_BYTES }
    }
}

impl Iterator for Scanner {
    type Item = FrameHeader;

    fn next(&mut self) -> Option<FrameHeader> {
        while let Some(rest) = self.bytes.get(self.position..).filter(|rest| !rest.is_empty()) {
            let offset = self.position as u64;
            if let Ok(frame) = frame::decode_header(rest, self.segment, offset, self.nonce) {
                self.nonce = Some(frame.place.nonce);
                self.position += frame::frame_bytes(frame.payload_len);
                return Some(frame);
            }
            self.position += FRAME_ALIGN_BYTES;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FrameHead, Place, encode};
    use super::*;

    /// A segment with frames of sequences 1, 2, ... and these payloads.
    fn segment(payloads: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0; SEGMENT_HEADER_BYTES];
        for (seq, payload) in (1..).zip(payloads) {
            let head = FrameHead { frame_type: FRAME_TYPE_WRITE, seq, durable_seq: 0 };
            let place = Place { nonce: 7, segment: 1, offset: out.len() as u64 };
            encode(&mut out, head, place, payload);
        }
        out
    }

    fn found(bytes: Vec<u8>, nonce: Option<u64>) -> Vec<u64> {
        let bytes = Bytes::from(bytes);
        Scanner::new(bytes.clone(), 1, nonce)
            .filter(|header| payload(&bytes, header).is_some())
            .map(|header| header.head.seq)
            .collect()
    }

    #[test]
    fn a_damaged_frame_hides_no_other() {
        let good = segment(&[b"one", b"twotwotwotwo", b"three"]);
        assert_eq!(found(good.clone(), Some(7)), [1, 2, 3]);
        assert_eq!(found(good.clone(), None), [1, 2, 3]);
        assert_eq!(found(good.clone(), Some(8)), [0; 0]);
        for at in 88..88 + 52 {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            assert_eq!(found(bytes, Some(7)), [1, 3], "byte {at}");
        }
    }

    #[test]
    fn a_frame_inside_a_payload_is_not_believed() {
        let inner = segment(&[b"inner"]);
        let mut bytes = segment(&[&inner[SEGMENT_HEADER_BYTES..], b"two"]);
        assert_eq!(found(bytes.clone(), Some(7)), [1, 2]);
        bytes[SEGMENT_HEADER_BYTES] ^= 1;
        assert_eq!(found(bytes, Some(7)), [2]);
    }

    #[test]
    fn a_segment_may_end_anywhere() {
        let good = segment(&[b"one", b"two"]);
        for len in 0..good.len() {
            let expected: &[u64] = if len < 83 {
                &[]
            } else if len < 131 {
                &[1]
            } else {
                &[1, 2]
            };
            assert_eq!(found(good[..len].to_vec(), Some(7)), expected, "{len} bytes");
        }
    }
}
