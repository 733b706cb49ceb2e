//! Sealed files: written once from front to back, then read by many. Blocks, spills and registry files are of this shape; what
//! their data and footers mean is theirs.
//!
//! ```text
//! data                     whatever the kind puts there
//! page table               CRC32 of every 64 KiB of the data
//! footer                   of the kind, read whole at open
//! trailer                  fixed size: lengths and checksums of table and footer, kind, version
//! ```
//!
//! 1. The trailer, the table and the footer are checked when the file is opened; a page of data when it is first touched.
//! 2. A damaged page is an error for what lies in it, whenever it is asked for, and for nothing else.
//! 3. A file that is not whole does not open: the trailer is written last.

pub mod layout;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::error::Corrupt;
pub use layout::Kind;
pub use reader::SealedFile;
pub use writer::{SealedSummary, SealedWriter};

/// A sealed file cannot be read.
#[derive(Debug)]
pub enum FileError {
    /// Its bytes are not what was written.
    Corrupt(Corrupt),
    /// A newer version wrote it; nothing is wrong with it.
    Newer { path: PathBuf, version: u32 },
    /// The operating system refused.
    Io { path: PathBuf, source: io::Error },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileError::Corrupt(corrupt) => fmt::Display::fmt(corrupt, f),
            FileError::Newer { path, version } => write!(
                f,
                "{path:?} has format version {version}, which is newer than this program; use the program that wrote it"
            ),
            FileError::Io { path, .. } => write!(f, "cannot read {path:?}"),
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            FileError::Io { source, .. } => Some(source),
            FileError::Corrupt(_) | FileError::Newer { .. } => None,
        }
    }
}
