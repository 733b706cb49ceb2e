//! The writing end of the log: makes groups of payloads durable, one append and one sync each. Owned by the
//! [`Committer`](super::Committer), which decides what a group is and who is told.
//!
//! Invariants:
//! 1. Whatever has a sequence up to `durable_seq` survives a power cut.
//! 2. A descriptor whose append or sync failed is never used again: its file is cut back to what was durable,
//!    and the group goes, with the same sequences, into a new file.
//! 3. A segment gets its name only when its header and the frames it was created with are synced, so no crash
//!    leaves half a header under the name of a segment.
//! 4. `first_seq` of a new segment is `durable_seq + 1`. So nothing acknowledged is ever void.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;

use super::WalError;
use super::frame::{self, FrameHead, Place, frame_bytes};
use super::front::Front;
use super::layout::*;
use super::segment::{self, SegmentHeader};
use super::stats::WalStats;
use crate::fs::{Append, Disk};
use crate::model::CommitSeq;
use crate::sync::{Arc, AtomicU64, Ordering};

/// A buffer larger than this is given back after the group that needed it: groups are rarely larger.
const BUFFER_KEPT_MAX_BYTES: usize = 8 << 20;

/// What tests set otherwise.
#[derive(Debug, Clone, Copy)]
pub struct WalOptions {
    /// A segment that has reached this is followed by the next.
    pub segment_bytes: u64,
    /// The random number of a segment, given its number.
    pub nonce: fn(u64) -> u64,
}

impl Default for WalOptions {
    fn default() -> WalOptions {
        WalOptions { segment_bytes: WAL_SEGMENT_BYTES, nonce: |_| rand::random() }
    }
}

/// Where a log goes on after a replay.
#[derive(Debug, Clone, Default)]
pub(super) struct Resume {
    pub(super) next_segment: u64,
    pub(super) durable_seq: CommitSeq,
    /// Payloads of the sequences after `durable_seq`, which were read but may not be durable.
    pub(super) tail: Vec<Bytes>,
}

#[derive(Debug)]
pub(super) struct LogWriter {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    options: WalOptions,
    stats: Arc<WalStats>,
    next_segment: u64,
    durable_seq: CommitSeq,
    /// Goes first into the next segment.
    tail: Vec<Bytes>,
    segment: Option<OpenSegment>,
    /// Number of the segment last begun, for those who cut the log at its front.
    begun: Arc<AtomicU64>,
    dir_is_durable: bool,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct OpenSegment {
    file: Box<dyn Append>,
    path: PathBuf,
    number: u64,
    nonce: u64,
    first_seq: CommitSeq,
}

impl LogWriter {
    /// A writer that will begin with a new segment.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        options: WalOptions,
        resume: Resume,
        stats: Arc<WalStats>,
    ) -> LogWriter {
        LogWriter {
            disk,
            dir: dir.to_owned(),
            options,
            stats,
            next_segment: resume.next_segment,
            durable_seq: resume.durable_seq,
            tail: resume.tail,
            segment: None,
            begun: Arc::default(),
            dir_is_durable: false,
            buffer: Vec::new(),
        }
    }

    /// The sequence that the next payload gets.
    pub(super) fn next_seq(&self) -> CommitSeq {
        self.durable_seq + self.tail.len() as u64 + 1
    }

    /// Makes a group durable and returns the sequence of its first payload; the others follow without holes.
    ///
    /// # Errors
    /// Nothing of the group counts; its sequences go to the next group or attempt, which begins a new file.
    pub(super) fn append_group(&mut self, payloads: &[Vec<u8>]) -> Result<CommitSeq, WalError> {
        let first_seq = self.next_seq();
        self.try_append(payloads)?;
        self.stats.grow_tail(self.buffer.len() as u64);
        self.durable_seq = first_seq + payloads.len() as u64 - 1;
        self.tail.clear();
        if self.buffer.capacity() > BUFFER_KEPT_MAX_BYTES {
            self.buffer = Vec::new();
        }
        Ok(first_seq)
    }

    /// Begins a new segment with nothing in it but what replay could not prove durable, which is proven then.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn begin_segment(&mut self) -> Result<(), WalError> {
        let has_tail = !self.tail.is_empty();
        self.append_group(&[])?;
        if has_tail { self.append_mark() } else { Ok(()) }
    }

    /// Ends the segment, if there is any sequence in it: the next group begins the next one, whose `first_seq` proves what is
    /// before it.
    pub(super) fn rotate(&mut self) {
        let durable_seq = self.durable_seq;
        self.segment.take_if(|segment| segment.first_seq <= durable_seq);
        self.stats.begin_tail();
    }

    /// Begins a new segment if none is open.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn begin_if_none(&mut self) -> Result<(), WalError> {
        if self.segment.is_some() { Ok(()) } else { self.begin_segment() }
    }

    pub(super) fn front(&self) -> Front {
        Front::new(self.disk.clone(), &self.dir, self.begun.clone())
    }

    /// Marks what is there as durable, which makes a later loss of the last group known as damage.
    ///
    /// # Errors
    /// The mark may be missing. Nothing acknowledged is lost.
    pub(super) fn append_mark(&mut self) -> Result<(), WalError> {
        let Some(segment) = self.segment.take() else { return self.begin_segment() };
        self.buffer.clear();
        let head = FrameHead {
            frame_type: FRAME_TYPE_DURABLE_MARK,
            seq: self.durable_seq,
            durable_seq: self.durable_seq,
        };
        frame::encode(&mut self.buffer, head, segment.end(), &[]);
        self.extend(segment)
    }

    fn try_append(&mut self, payloads: &[Vec<u8>]) -> Result<(), WalError> {
        match self.segment.take() {
            Some(segment) if segment.file.len() < self.options.segment_bytes => {
                self.buffer.clear();
                self.encode_group(segment.end(), payloads);
                self.extend(segment)
            }
            _ => self.publish(payloads),
        }
    }

    /// Appends the frames of what replay could not prove durable, if any, and of a group.
    fn encode_group(&mut self, mut place: Place, payloads: &[Vec<u8>]) {
        let tail = self.tail.iter().map(|payload| &payload[..]);
        let group = tail.chain(payloads.iter().map(|payload| &payload[..]));
        self.buffer.reserve(group.clone().map(|payload| frame_bytes(payload.len())).sum());
        let durable_seq = self.durable_seq;
        for (seq, payload) in (durable_seq + 1..).zip(group) {
            let head = FrameHead { frame_type: FRAME_TYPE_WRITE, seq, durable_seq };
            frame::encode(&mut self.buffer, head, place, payload);
            place.offset += frame_bytes(payload.len()) as u64;
        }
    }

    /// Writes the buffer at the end of a segment and syncs.
    fn extend(&mut self, mut segment: OpenSegment) -> Result<(), WalError> {
        let durable_len = segment.file.len();
        let written = self.write(&mut *segment.file, &segment.path);
        if written.is_ok() {
            self.segment = Some(segment);
        } else {
            drop(segment.file);
            // That later segments make the rest void does not depend on this; it gives back the space of a
            // disk that is full.
            let _ = self.disk.truncate(&segment.path, durable_len);
        }
        written
    }

    /// Creates the next segment with a group in it.
    fn publish(&mut self, payloads: &[Vec<u8>]) -> Result<(), WalError> {
        let number = self.next_segment;
        self.next_segment += 1;
        let nonce = (self.options.nonce)(number);
        self.buffer.clear();
        let first_seq = self.durable_seq + 1;
        let header = SegmentHeader::new(number, nonce, first_seq).encode();
        self.buffer.extend_from_slice(&header);
        let offset = header.len() as u64;
        self.encode_group(Place { nonce, segment: number, offset }, payloads);
        let path = segment::path(&self.dir, number);
        let unfinished = segment::unfinished_path(&self.dir, number);
        match self.publish_file(&unfinished, &path) {
            Ok(file) => {
                self.segment = Some(OpenSegment { file, path, number, nonce, first_seq });
                self.begun.store(number, Ordering::Release);
                self.stats.count_segment();
                Ok(())
            }
            Err(error) => {
                // Either name may be there or not. Left behind, the one is garbage and the other is void.
                let _ = self.disk.remove(&unfinished);
                let _ = self.disk.remove(&path);
                Err(error)
            }
        }
    }

    fn publish_file(
        &mut self,
        unfinished: &Path,
        path: &Path,
    ) -> Result<Box<dyn Append>, WalError> {
        self.make_dir()?;
        let mut file = self.disk.create(unfinished).map_err(WalError::io("create", unfinished))?;
        self.write(&mut *file, unfinished)?;
        self.disk.rename(unfinished, path).map_err(WalError::io("create", path))?;
        self.disk.sync_dir(&self.dir).map_err(WalError::io("sync", &self.dir))?;
        Ok(file)
    }

    fn make_dir(&mut self) -> Result<(), WalError> {
        if !self.dir_is_durable {
            self.disk.create_dir(&self.dir).map_err(WalError::io("create", &self.dir))?;
            let parent = self.dir.parent().unwrap_or(Path::new(""));
            self.disk.sync_dir(parent).map_err(WalError::io("sync", parent))?;
            self.dir_is_durable = true;
        }
        Ok(())
    }

    /// One append and one sync of the buffer.
    fn write(&self, file: &mut dyn Append, path: &Path) -> Result<(), WalError> {
        self.stats.count_bytes(self.buffer.len());
        if let Err(error) = file.append(&self.buffer) {
            self.stats.count_failed_append();
            return Err(WalError::io("append to", path)(error));
        }
        let begun = Instant::now();
        let synced: io::Result<()> = file.sync();
        self.stats.count_sync(begun.elapsed().as_nanos() as u64, synced.is_ok());
        synced.map_err(WalError::io("sync", path))
    }
}

impl OpenSegment {
    /// Where the next frame goes.
    fn end(&self) -> Place {
        Place { nonce: self.nonce, segment: self.number, offset: self.file.len() }
    }
}
