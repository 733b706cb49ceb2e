//! The write-ahead log: what makes an acknowledged request survive. `db` starts it, `head` builds the
//! records, one thread steps the [`Committer`], and at start [`replay()`] gives back what was acknowledged.
//!
//! ```text
//! RecordBuilder -> CommitQueue -> Committer -> LogWriter -> frames in segments on a Disk
//! Record        <- replay      <- Segment   <-
//! ```
//!
//! The files are described in `storage-format.md`. The log knows neither series nor time: it keeps payloads
//! in an order.

pub mod commit;
pub mod frame;
pub mod front;
pub mod layout;
pub mod queue;
pub mod record;
pub mod replay;
mod scan;
pub mod segment;
pub mod stats;
#[cfg(test)]
mod tests;
pub mod writer;

pub use commit::{Committer, Group};
pub use front::{Cut, Front};
pub use queue::{CommitQueue, PushError, Refusal, Wake};
pub use record::{Record, RecordBuilder};
pub use replay::{Damage, ReplayReport, first_seq, inspect, replay};
pub use scan::Scanner;
pub use stats::WalStats;
pub use writer::WalOptions;

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the log could not be read or written.
#[derive(Debug)]
pub enum WalError {
    /// The disk refused. Trying again later is right.
    Io { doing: &'static str, path: PathBuf, error: io::Error },
    /// A newer version wrote this. Nothing was changed; that version can read it.
    Newer { path: PathBuf, what: String },
    /// A number is at the end of its range, which no log reaches by writing. Nothing was changed.
    Exhausted { path: PathBuf, what: String },
}

impl WalError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WalError {
        move |error| WalError::Io { doing, path: path.to_owned(), error }
    }
}

impl fmt::Display for WalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WalError::Io { doing, path, error } => write!(f, "cannot {doing} {path:?}: {error}"),
            WalError::Newer { path, what } => write!(
                f,
                "{path:?} was written by a newer version ({what}): start that version or a newer one"
            ),
            WalError::Exhausted { path, what } => write!(
                f,
                "the log in {path:?} cannot be continued ({what}): move it away and start without it"
            ),
        }
    }
}

/// What the disk said is in the text: a cause goes through answers and logs as one line.
impl Error for WalError {}
