//! The one error that every layer that reads bytes shares: bytes that are not what they must be.
//! Other errors belong to the boundary that reports them and live there. And how an error is shown with its causes.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;

/// Bytes from a file or the network failed a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corrupt {
    /// The file, empty when the bytes are not (or not yet known to be) from a file.
    pub path: PathBuf,
    /// Offset in bytes of what failed, from the start of the file or buffer.
    pub offset: u64,
    /// What was expected there, for the message: "frame checksum", "label count".
    pub what: Cow<'static, str>,
}

impl Corrupt {
    /// A failed check at `offset` of a buffer without a file.
    pub fn at(offset: u64, what: impl Into<Cow<'static, str>>) -> Corrupt {
        Corrupt { path: PathBuf::new(), offset, what: what.into() }
    }

    /// The same failure with the file it was found in, and the buffer's own offset in that file added.
    pub fn in_file(mut self, path: impl Into<PathBuf>, base_offset: u64) -> Corrupt {
        self.path = path.into();
        self.offset += base_offset;
        self
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "corrupt {}", self.what)?;
        if !self.path.as_os_str().is_empty() {
            write!(f, " in {:?}", self.path)?;
        }
        write!(f, " at offset {}", self.offset)
    }
}

impl Error for Corrupt {}

/// An error with its causes, on one line: the text of each tells its own level only.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
