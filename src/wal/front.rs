//! Cuts the log at its front: removes segments of which nothing is needed any more. Whoever has made durable elsewhere what
//! was in them calls it, from any thread, while another goes on writing at the end.
//!
//! A segment goes when a later one says, in its `first_seq`, that it begins at or before the first sequence still needed:
//! what is above that in earlier segments is void. The later one is never newer than the one being written, whose name
//! is durable, and stays; so in whatever order removals survive a power cut, what is left replays alike.

use std::path::{Path, PathBuf};

use super::WalError;
use super::layout::SEGMENT_HEADER_BYTES;
use super::replay::list;
use super::segment::{self, SegmentHeader};
use crate::fs::Disk;
use crate::model::CommitSeq;
use crate::sync::{Arc, AtomicU64, Ordering};

/// The front of an open log.
#[derive(Debug, Clone)]
pub struct Front {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Number of the segment last begun by this process, whose name is durable; 0 before the first.
    begun: Arc<AtomicU64>,
}

/// What a cut did.
#[derive(Debug, Default)]
pub struct Cut {
    /// Segments removed.
    pub segments: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Why something that could go is still there, or it is not known whether it could. The next cut tries again.
    pub failed: Option<WalError>,
}

impl Front {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, begun: Arc<AtomicU64>) -> Front {
        Front { disk, dir: dir.to_owned(), begun }
    }

    /// Removes the segments in which nothing above `upto` counts. A power cut may bring some of them back, so a replay must
    /// be given at least `upto` from then on.
    pub fn cut(&self, upto: CommitSeq) -> Cut {
        let mut cut = Cut::default();
        match self.removable(upto, &mut cut) {
            Ok(segments) => segments.iter().for_each(|number| self.remove(*number, &mut cut)),
            Err(error) => cut.failed = Some(error),
        }
        cut
    }

    /// The segments before the last one that begins at or before the sequence after `upto`.
    fn removable(&self, upto: CommitSeq, cut: &mut Cut) -> Result<Vec<u64>, WalError> {
        let begun = self.begun.load(Ordering::Acquire);
        let mut numbers = list(&*self.disk, &self.dir)?.segments;
        numbers.retain(|number| *number <= begun);
        while let Some(number) = numbers.pop() {
            match self.first_seq(number) {
                Ok(first_seq) if first_seq.is_some_and(|first| first <= upto + 1) => break,
                Ok(_) => {}
                Err(error) => cut.failed = Some(error),
            }
        }
        Ok(numbers)
    }

    /// Where a segment begins; None if its header is damaged.
    fn first_seq(&self, number: u64) -> Result<Option<CommitSeq>, WalError> {
        let path = segment::path(&self.dir, number);
        let blob = self.disk.open(&path).map_err(WalError::io("open", &path))?;
        let len = blob.len().min(SEGMENT_HEADER_BYTES as u64) as usize;
        let bytes = blob.bytes(0, len).map_err(WalError::io("read", &path))?;
        Ok(SegmentHeader::decode(&bytes, number).ok().map(|header| header.first_seq))
    }

    fn remove(&self, number: u64, cut: &mut Cut) {
        let path = segment::path(&self.dir, number);
        let removed = self.disk.open(&path).and_then(|blob| {
            self.disk.remove(&path)?;
            Ok(blob.len())
        });
        match removed {
            Ok(bytes) => {
                cut.segments += 1;
                cut.bytes += bytes;
            }
            Err(error) => cut.failed = Some(WalError::io("remove", &path)(error)),
        }
    }
}
