//! Why a manifest cannot be read or written, with the remedy.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Corrupt;

/// Why a manifest cannot be read or written.
#[derive(Debug)]
pub enum ManifestError {
    /// The disk refused. Trying again later is right.
    Io { doing: &'static str, path: PathBuf, error: io::Error },
    /// A newer version wrote it. Nothing was changed; that version can read it.
    Newer { path: PathBuf, what: String },
    /// It is not what was written. Nothing was changed.
    Corrupt { dir: PathBuf, corrupt: Corrupt },
    /// There is none, though there are files it should list.
    Missing { dir: PathBuf, found: PathBuf },
}

impl ManifestError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ManifestError {
        move |error| ManifestError::Io { doing, path: path.to_owned(), error }
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestError::Io { doing, path, error } => {
                write!(f, "cannot {doing} {path:?}: {error}")
            }
            ManifestError::Newer { path, what } => write!(
                f,
                "{path:?} was written by a newer version ({what}): start that version or a newer one"
            ),
            ManifestError::Corrupt { dir, corrupt } => {
                write!(f, "{corrupt}: 'sbtool manifest rebuild {}'", dir.display())?;
                f.write_str(" writes the manifest anew from the files there are")
            }
            ManifestError::Missing { dir, found } => {
                write!(f, "{dir:?} holds {found:?} but no manifest: ")?;
                write!(f, "'sbtool manifest rebuild {}'", dir.display())?;
                f.write_str(" writes it anew from the files there are")
            }
        }
    }
}

/// What the disk said is in the text: a cause goes through answers and logs as one line.
impl Error for ManifestError {}
