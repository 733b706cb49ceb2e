//! One frame: header, checksums, payload. Written by `writer`, read by `scan`. It knows nothing of files, groups or what
//! a payload means.
//!
//! Both checksums begin with where the frame lies (nonce and number of the segment, sequence, offset), so bytes that are right but stand
//! in the wrong place, left over from another file, or all zero do not pass.

use super::layout::*;
use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::model::CommitSeq;

/// Where a frame lies, which its checksums cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The random number of the segment.
    pub nonce: u64,
    /// The number of the segment, as in its name.
    pub segment: u64,
    /// Offset of the frame in the segment file.
    pub offset: u64,
}

impl Place {
    fn checksum(self, seq: CommitSeq, bytes: &[u8]) -> u32 {
        let mut context = [0; 32];
        for (slot, value) in
            context.chunks_exact_mut(8).zip([self.nonce, self.segment, seq, self.offset])
        {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&context);
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// What a frame is, apart from its payload and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    /// `FRAME_TYPE_*`, or a type this version does not know.
    pub frame_type: u8,
    pub seq: CommitSeq,
    /// The highest sequence known durable when the frame was written.
    pub durable_seq: CommitSeq,
}

/// A frame header that passed its checks. Its length may be trusted; the payload is yet to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    pub head: FrameHead,
    pub place: Place,
    pub payload_len: usize,
    payload_crc: u32,
}

/// Bytes in the file of a frame with a payload this long, padding included.
pub fn frame_bytes(payload_len: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_len).next_multiple_of(FRAME_ALIGN_BYTES)
}

/// Appends a whole frame that will lie at `place`.
pub fn encode(out: &mut Vec<u8>, head: FrameHead, place: Place, payload: &[u8]) {
    assert!(payload.len() <= PAYLOAD_MAX_BYTES, "the queue refuses larger payloads");
    let start = out.len();
    out.extend_from_slice(&FRAME_MAGIC);
    out.push(head.frame_type);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&head.seq.to_le_bytes());
    out.extend_from_slice(&head.durable_seq.to_le_bytes());
    out.extend_from_slice(&place.nonce.to_le_bytes());
    out.extend_from_slice(&place.checksum(head.seq, payload).to_le_bytes());
    let header_crc = place.checksum(head.seq, &out[start..]);
    out.extend_from_slice(&header_crc.to_le_bytes());
    out.extend_from_slice(payload);
    out.resize(start + frame_bytes(payload.len()), 0);
}

/// Reads the header of a frame from `bytes`, which begin at `offset` of segment number `segment`. `nonce` is that of the segment;
/// None when its header is lost: then the frame's own is taken.
///
/// # Errors
/// These bytes are not a frame header, or not one that belongs here.
pub fn decode_header(
    bytes: &[u8],
    segment: u64,
    offset: u64,
    nonce: Option<u64>,
) -> Result<FrameHeader, Corrupt> {
    let mut cursor = Cursor::new(bytes);
    if cursor.bytes(FRAME_MAGIC.len(), "frame magic")? != FRAME_MAGIC {
        return Err(Corrupt::at(0, "frame magic"));
    }
    let frame_type = cursor.u8("frame type")?;
    let payload_len = cursor.u32("payload length")? as usize;
    let seq = cursor.u64("frame sequence")?;
    let durable_seq = cursor.u64("durable sequence")?;
    let place = Place { nonce: cursor.u64("frame nonce")?, segment, offset };
    let payload_crc = cursor.u32("payload checksum")?;
    let checked = bytes.get(..cursor.position()).unwrap_or_default();
    if cursor.u32("frame header checksum")? != place.checksum(seq, checked) {
        return Err(Corrupt::at(0, "frame header checksum"));
    }
    if nonce.is_some_and(|nonce| nonce != place.nonce) {
        return Err(Corrupt::at(0, "frame nonce"));
    }
    if payload_len > PAYLOAD_MAX_BYTES || seq > SEQ_MAX || durable_seq > SEQ_MAX {
        return Err(Corrupt::at(0, "frame limits"));
    }
    let head = FrameHead { frame_type, seq, durable_seq };
    Ok(FrameHeader { head, place, payload_len, payload_crc })
}

impl FrameHeader {
    /// Offset of the first byte of the payload in the file.
    pub fn payload_offset(&self) -> u64 {
        self.place.offset + FRAME_HEADER_BYTES as u64
    }

    /// Offset of the first byte behind the frame and its padding.
    pub fn end(&self) -> u64 {
        self.place.offset + frame_bytes(self.payload_len) as u64
    }

    /// Is this the payload the header was written with, in this place?
    pub fn matches(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_len
            && self.place.checksum(self.head.seq, payload) == self.payload_crc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place = Place { nonce: 7, segment: 1, offset: 40 };
    const HEAD: FrameHead = FrameHead { frame_type: FRAME_TYPE_WRITE, seq: 5, durable_seq: 4 };

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, HEAD, PLACE, payload);
        out
    }

    proptest! {
        #[test]
        fn frames_round_trip(payload: Vec<u8>, seq in 0..=SEQ_MAX, durable_seq in 0..=SEQ_MAX,
                             nonce: u64, segment: u64, offset in 0..1u64 << 40) {
            let head = FrameHead { frame_type: FRAME_TYPE_WRITE, seq, durable_seq };
            let place = Place { nonce, segment, offset };
            let mut out = Vec::new();
            encode(&mut out, head, place, &payload);
            let header = decode_header(&out, segment, offset, Some(nonce)).unwrap();
            prop_assert_eq!((header.head, header.place), (head, place));
            prop_assert_eq!(out.len() as u64, header.end() - offset);
            let body = &out[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.payload_len];
            prop_assert!(body == payload && header.matches(body));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            prop_assert!(decode_header(&bytes, 1, 40, None).is_err());
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let good = frame(b"payload");
        for bit in 0..(FRAME_HEADER_BYTES + 7) * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let header = decode_header(&bytes, 1, 40, None);
            let payload = &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + 7];
            assert!(header.is_err() || !header.unwrap().matches(payload), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_in_the_wrong_place_is_refused() {
        let bytes = frame(b"payload");
        assert!(decode_header(&bytes, 1, 40, Some(7)).is_ok());
        assert!(decode_header(&bytes, 1, 48, Some(7)).is_err(), "offset");
        assert!(decode_header(&bytes, 2, 40, Some(7)).is_err(), "segment");
        assert!(decode_header(&bytes, 1, 40, Some(8)).is_err(), "nonce");
    }

    #[test]
    fn zeros_are_no_frame() {
        assert!(decode_header(&[0; 64], 0, 0, Some(0)).is_err());
    }
}
