//! The snappy block format of remote write. The length a body declares is checked before a byte is allocated for it.

use std::fmt;

use bytes::Bytes;

/// A snappy block cannot expand further: a copy element of 3 bytes gives at most 64.
const EXPANSION_MAX: usize = 22;
/// Room for the header and very short blocks on top of that.
const EXPANSION_SLACK_BYTES: usize = 64;

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

/// Decompresses a body of at most `limit_bytes` decompressed.
///
/// # Errors
/// As [`declared_len`], and when the block itself is damaged.
pub fn decompress(body: &[u8], limit_bytes: usize) -> Result<Bytes, SnappyError> {
    let mut out = vec![0; declared_len(body, limit_bytes)?];
    let len = snap::raw::Decoder::new()
        .decompress(body, &mut out)
        .map_err(|e| SnappyError::Corrupt(e.to_string()))?;
    out.truncate(len);
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back() {
        let text = vec![7u8; 100_000];
        let packed = snap::raw::Encoder::new().compress_vec(&text).unwrap();
        assert_eq!(decompress(&packed, 100_000).unwrap(), text);
        let too_large = SnappyError::TooLarge { declared_bytes: 100_000, limit_bytes: 99_999 };
        assert_eq!(decompress(&packed, 99_999), Err(too_large));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let four_gib_minus_one = [0xff, 0xff, 0xff, 0xff, 0x0f];
        assert!(matches!(
            decompress(&four_gib_minus_one, 32 << 20),
            Err(SnappyError::TooLarge { .. })
        ));
        let thirty_mib = [0x80, 0x80, 0x80, 0x0f, 0, 0];
        assert!(matches!(decompress(&thirty_mib, 32 << 20), Err(SnappyError::Corrupt(_))));
        assert!(matches!(decompress(b"", 32 << 20), Err(SnappyError::Corrupt(_)) | Ok(_)));
        assert!(decompress(&[10, 1, 2], 100).is_err());
    }
}
