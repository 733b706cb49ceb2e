//! The snappy block format of remote write. The length a body declares is checked before a byte is allocated for it.

use std::fmt;

use bytes::Bytes;

use crate::sync::{Arc, Mutex};

/// A snappy block cannot expand further: a copy element of 3 bytes gives at most 64.
const EXPANSION_MAX: usize = 22;
/// Room for the header and very short blocks on top of that.
const EXPANSION_SLACK_BYTES: usize = 64;

/// Buffers kept for later bodies: as many as requests are being decoded and stored at a time on a busy server.
const BUFFERS_KEPT_MAX: usize = 32;
/// A larger buffer is not kept: stock senders' bodies are smaller.
const BUFFER_KEPT_MAX_BYTES: usize = 1 << 20;

/// The body cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnappyError {
    /// The declared length is over the limit.
    TooLarge { declared_bytes: usize, limit_bytes: usize },
    /// The bytes are not a snappy block.
    Corrupt(String),
}

impl fmt::Display for SnappyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SnappyError::TooLarge { declared_bytes, limit_bytes } => write!(
                f,
                "the body decompresses to {declared_bytes} bytes, more than the limit of {limit_bytes}; send smaller requests"
            ),
            SnappyError::Corrupt(what) => {
                write!(f, "the body is not in the snappy block format: {what}")
            }
        }
    }
}

impl std::error::Error for SnappyError {}

/// The length a compressed body declares, known to be within `limit_bytes` and possible for its size.
///
/// # Errors
/// The length is over the limit, or no snappy block of this size can have it.
pub fn declared_len(body: &[u8], limit_bytes: usize) -> Result<usize, SnappyError> {
    let declared_bytes =
        snap::raw::decompress_len(body).map_err(|e| SnappyError::Corrupt(e.to_string()))?;
    if declared_bytes > limit_bytes {
        return Err(SnappyError::TooLarge { declared_bytes, limit_bytes });
    }
    if declared_bytes > body.len().saturating_mul(EXPANSION_MAX) + EXPANSION_SLACK_BYTES {
        return Err(SnappyError::Corrupt(format!(
            "{} bytes cannot hold the {declared_bytes} bytes they declare",
            body.len()
        )));
    }
    Ok(declared_bytes)
}

/// Memory for decompressed bodies, used again so that it is not cleared for each. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// Decompresses a body of at most `limit_bytes` decompressed.
    ///
    /// # Errors
    /// As [`declared_len`], and when the block itself is damaged.
    pub fn decompress(&self, body: &[u8], limit_bytes: usize) -> Result<Bytes, SnappyError> {
        let len = declared_len(body, limit_bytes)?;
        let mut bytes = self.0.lock().pop().unwrap_or_default();
        if bytes.len() < len {
            bytes = vec![0; len];
        }
        let mut out = Buffer { bytes, len, home: self.clone() };
        // It fails unless it fills all of the output, so nothing of an earlier body is left.
        let filled = snap::raw::Decoder::new().decompress(body, &mut out.bytes[..len]);
        filled.map_err(|e| SnappyError::Corrupt(e.to_string()))?;
        Ok(Bytes::from_owner(out))
    }
}

/// A decompressed body. Its memory goes home when nobody reads it any more.
struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    home: Buffers,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut kept = self.home.0.lock();
        if self.bytes.len() <= BUFFER_KEPT_MAX_BYTES && kept.len() < BUFFERS_KEPT_MAX {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back() {
        let text = vec![7u8; 100_000];
        let packed = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        let buffers = Buffers::default();
        assert_eq!(buffers.decompress(&packed, 100_000).unwrap(), text);
        let too_large = SnappyError::TooLarge { declared_bytes: 100_000, limit_bytes: 99_999 };
        assert_eq!(buffers.decompress(&packed, 99_999), Err(too_large));
    }

    #[test]
    fn memory_is_used_again_and_shows_nothing_of_before() {
        let pack = |text: &[u8]| snap::raw::Encoder::new().compress_vec(text).unwrap();
        let buffers = Buffers::default();
        let decompress = |text: &[u8]| buffers.decompress(&pack(text), 32 << 20).unwrap();
        let first = decompress(&[1; 5_000]);
        let place = first.as_ptr();
        drop(first);
        let second = decompress(&[2; 3_000]);
        assert_eq!((second.as_ptr(), &second[..]), (place, &[2; 3_000][..]));
        // While it is read, nobody else gets it.
        assert_ne!(decompress(&[3; 4_000]).as_ptr(), place);
        drop(second);
        // A block that ends before it has filled what it declares.
        assert!(buffers.decompress(&[0x88, 0x27, 0x00, b'x'], 32 << 20).is_err());
        drop(decompress(&vec![4; BUFFER_KEPT_MAX_BYTES + 1]));
        assert!(buffers.0.lock().iter().all(|kept| kept.len() <= BUFFER_KEPT_MAX_BYTES));
        let many: Vec<Bytes> = (0..2 * BUFFERS_KEPT_MAX).map(|_| decompress(b"x")).collect();
        drop(many);
        assert_eq!(buffers.0.lock().len(), BUFFERS_KEPT_MAX);
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let four_gib_minus_one = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let decompress = |body: &[u8]| Buffers::default().decompress(body, 32 << 20);
        assert!(matches!(decompress(&four_gib_minus_one), Err(SnappyError::TooLarge { .. })));
        let thirty_mib = [0x80, 0x80, 0x80, 0x0f, 0, 0];
        assert!(matches!(decompress(&thirty_mib), Err(SnappyError::Corrupt(_))));
        assert!(matches!(decompress(b""), Err(SnappyError::Corrupt(_))));
        assert!(decompress(&[10, 1, 2]).is_err());
    }
}
