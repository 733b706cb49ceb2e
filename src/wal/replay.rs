//! Reads the log at start: gives every acknowledged payload to a callback in order of sequence, tells the end
//! of the log from damage, and leaves the files so that the writer can go on. `storage-format.md` tells why
//! it decides as it does.
//!
//! What has a sequence up to `after` is durable elsewhere: here it is neither needed nor missed.
//!
//! 1. Survey: read every segment's header and every frame's header. What any of them says to be durable is:
//!    the highest such sequence is `proven`. What a later segment's `first_seq` makes void is void.
//! 2. Deliver: go through the frames again, with their payloads. Sequences missing up to `proven` are damage,
//!    reported, and the rest goes on. The first sequence missing above it is the end of the log.
//! 3. Trim: cut off what lies behind the end, make durable what was read, and remove segments that are void
//!    as a whole and those never finished. Damage is never cut off.
//!
//! A crash at any moment leaves a log of which a further replay says the same.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::WalError;
use super::frame::{FrameHead, FrameHeader};
use super::layout::*;
use super::record::Record;
use super::scan::Segment;
use super::segment;
use super::writer::Resume;
use crate::error::Corrupt;
use crate::fs::Disk;
use crate::model::CommitSeq;

/// Bytes of payloads not proven durable that are kept for the writer: two full queues, more than a crash
/// leaves. A log with more is only made durable where it lies, which suffices unless a sync of it had failed.
const TAIL_MAX_BYTES: usize = 2 * WAL_QUEUE_MAX_BYTES;

/// Called for each record in order of sequence. An error says that no writer wrote this record: it is damage, as if it
/// could not be decoded, and the rest goes on.
pub type Apply<'a> = &'a mut dyn FnMut(CommitSeq, &Record<'_>) -> Result<(), Corrupt>;

/// What a replay found and did.
#[derive(Debug, Clone, Default)]
pub struct ReplayReport {
    /// The highest sequence that was replayed, is known lost, or is durable elsewhere; 0 for an empty log.
    pub last_seq: CommitSeq,
    /// Segment files there were.
    pub segments: usize,
    /// Records given to the callback.
    pub frames: u64,
    /// Samples in them.
    pub samples: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    pub damages: Vec<Damage>,
    /// Cut off behind the end of the log.
    pub trimmed_bytes: u64,
    pub(super) resume: Resume,
}

impl ReplayReport {
    /// The number of the segment in which the log goes on.
    pub fn next_segment(&self) -> u64 {
        self.resume.next_segment
    }
}

/// Bytes of the log that are not what was written. They stay where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment, where in it, and what is wrong.
    pub corrupt: Corrupt,
    pub len_bytes: u64,
    /// Sequences lost by it; None if none is.
    pub lost: Option<RangeInclusive<CommitSeq>>,
}

/// Replays the log in the data directory `dir` behind sequence `after`: what is up to that need not be there, and the log
/// goes on above it. A log that was never begun is empty.
///
/// # Errors
/// The disk failed, a newer version wrote the log, or it cannot be continued. Trying again is safe in every case.
pub fn replay(
    disk: &dyn Disk,
    dir: &Path,
    after: CommitSeq,
    apply: Apply<'_>,
) -> Result<ReplayReport, WalError> {
    let dir = dir.join(WAL_DIR);
    let listing = list(disk, &dir)?;
    let (mut report, mut segments) = deliver(disk, &dir, &listing, after, apply)?;
    check_room(&dir, &report)?;
    let mut garbage = segments.extract_if(.., |s| s.is_void()).map(|s| s.path).collect::<Vec<_>>();
    garbage.extend(listing.unfinished.iter().map(|n| segment::unfinished_path(&dir, *n)));
    report.trimmed_bytes = trim(disk, segments)?;
    remove(disk, &dir, &garbage)?;
    Ok(report)
}

/// What would be written next must be read again later.
fn check_room(dir: &Path, report: &ReplayReport) -> Result<(), WalError> {
    let what = if report.resume.next_segment > SEGMENT_NUMBER_MAX {
        format!("segment number {} is the last", report.resume.next_segment - 1)
    } else if report.last_seq >= SEQ_MAX {
        format!("sequence {} is the last", report.last_seq)
    } else {
        return Ok(());
    };
    Err(WalError::Exhausted { path: dir.to_owned(), what })
}

/// The same without a change to any file: for looking at a log that another process may be writing.
///
/// # Errors
/// As [`replay`].
pub fn inspect(
    disk: &dyn Disk,
    dir: &Path,
    after: CommitSeq,
    apply: Apply<'_>,
) -> Result<ReplayReport, WalError> {
    let dir = dir.join(WAL_DIR);
    let listing = list(disk, &dir)?;
    Ok(deliver(disk, &dir, &listing, after, apply)?.0)
}

/// The lowest sequence that may be in the log of the data directory `dir`. None if there is no segment that tells.
///
/// # Errors
/// The disk failed, or a newer version wrote the log.
pub fn first_seq(disk: &dyn Disk, dir: &Path) -> Result<Option<CommitSeq>, WalError> {
    let dir = dir.join(WAL_DIR);
    let segments = survey(disk, &dir, &list(disk, &dir)?.segments)?;
    Ok(segments.iter().filter_map(|segment| segment.first_seq).min())
}

/// Surveys the segments and gives their records to `apply`.
fn deliver(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    after: CommitSeq,
    apply: Apply<'_>,
) -> Result<(ReplayReport, Vec<Segment>), WalError> {
    let mut segments = survey(disk, dir, &listing.segments)?;
    let mut replay = Replay::new(&segments, after, apply);
    replay.deliver(&mut segments)?;
    Ok((replay.finish(listing.next_segment), segments))
}

/// What is in the directory of the log. Names that are none of ours are left alone.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) segments: Vec<u64>,
    unfinished: Vec<u64>,
    next_segment: u64,
}

/// Reads the names in the directory `dir` of a log.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Listing, WalError> {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(WalError::io("list", dir)(error)),
    };
    let mut listing = Listing::default();
    for name in &names {
        if let Some(number) = segment::number(name) {
            listing.segments.push(number);
        } else if let Some(number) = name.strip_suffix(UNFINISHED_SUFFIX).and_then(segment::number)
        {
            listing.unfinished.push(number);
        }
    }
    listing.segments.sort_unstable();
    listing.next_segment = listing.segments.last().map_or(1, |last| last.saturating_add(1));
    Ok(listing)
}

/// Opens the segments and lets each make void what it replaces in those before it.
fn survey(disk: &dyn Disk, dir: &Path, numbers: &[u64]) -> Result<Vec<Segment>, WalError> {
    let mut segments = Vec::with_capacity(numbers.len());
    for number in numbers {
        segments.push(Segment::open(disk, segment::path(dir, *number), *number)?);
    }
    let mut void_from = CommitSeq::MAX;
    for segment in segments.iter_mut().rev() {
        segment.void_from = void_from;
        void_from = void_from.min(segment.first_seq.unwrap_or(CommitSeq::MAX));
    }
    Ok(segments)
}

/// The second pass.
struct Replay<'a> {
    /// What is up to here is durable elsewhere.
    after: CommitSeq,
    proven: CommitSeq,
    /// The sequence that comes next.
    expected: CommitSeq,
    /// The end of the log has been met.
    ended: bool,
    /// Payloads delivered but not proven durable.
    tail: Vec<Bytes>,
    report: ReplayReport,
    apply: Apply<'a>,
}

impl<'a> Replay<'a> {
    fn new(segments: &[Segment], after: CommitSeq, apply: Apply<'a>) -> Replay<'a> {
        let proven = segments.iter().map(|segment| segment.proven).max().unwrap_or(0);
        Replay {
            after,
            proven: proven.max(after),
            expected: after + 1,
            ended: false,
            tail: Vec::new(),
            report: ReplayReport { segments: segments.len(), ..ReplayReport::default() },
            apply,
        }
    }

    fn deliver(&mut self, segments: &mut [Segment]) -> Result<(), WalError> {
        // Of what is before these, nothing is needed: it is durable elsewhere or void.
        let needed_from = self.after + 1;
        for segment in segments.iter_mut().filter(|segment| segment.void_from > needed_from) {
            if let Err(corrupt) = segment.header.clone() {
                self.damage(segment, corrupt, SEGMENT_HEADER_BYTES as u64, None);
            }
            if !self.ended {
                self.deliver_segment(segment);
            }
            if segment.void_from != CommitSeq::MAX {
                self.meet(segment, segment.void_from, segment.kept_len);
            }
            if let Err(error) = segment.blob.check() {
                self.unreadable(segment, error)?;
            }
        }
        if let Some(last) = segments.last_mut()
            && !self.ended
        {
            self.meet(last, self.expected.max(self.proven + 1), last.kept_len);
        }
        Ok(())
    }

    fn deliver_segment(&mut self, segment: &mut Segment) {
        for frame in segment.frames() {
            let FrameHead { frame_type, seq, durable_seq } = frame.head;
            if seq <= self.after {
                segment.kept_end = frame.end();
                continue;
            }
            let Some(payload) = segment.payload(&frame) else { continue };
            let is_mark = frame_type == FRAME_TYPE_DURABLE_MARK;
            let present = if is_mark { durable_seq + 1 } else { seq };
            if present < self.expected {
                continue;
            }
            if !is_mark && seq >= segment.void_from {
                segment.kept_len = segment.kept_len.min(frame.place.offset);
                return;
            }
            self.meet(segment, present, frame.place.offset);
            if self.ended {
                return;
            }
            if !is_mark {
                self.deliver_frame(segment, &frame, payload);
            }
            segment.kept_end = frame.end();
        }
    }

    /// The sequence `seq` is present, at `offset` of this segment: everything expected before it is missing.
    fn meet(&mut self, segment: &mut Segment, seq: CommitSeq, offset: u64) {
        let lost_to = seq.min(self.proven + 1);
        if self.expected < lost_to {
            let corrupt = Corrupt::at(segment.kept_end, "frame");
            let len_bytes = offset.saturating_sub(segment.kept_end);
            self.damage(segment, corrupt, len_bytes, Some(self.expected..=lost_to - 1));
            self.expected = lost_to;
        }
        self.ended |= self.expected < seq;
    }

    fn deliver_frame(&mut self, segment: &mut Segment, frame: &FrameHeader, payload: Bytes) {
        let seq = frame.head.seq;
        let taken = Record::decode(&payload).and_then(|record| {
            (self.apply)(seq, &record)?;
            Ok(record.sample_count())
        });
        match taken {
            Ok(samples) => {
                self.report.frames += 1;
                self.report.samples += samples as u64;
                self.report.bytes += payload.len() as u64;
            }
            Err(corrupt) => {
                let corrupt = corrupt.in_file("", frame.payload_offset());
                self.damage(segment, corrupt, payload.len() as u64, Some(seq..=seq));
            }
        }
        self.expected = seq + 1;
        if seq > self.proven {
            segment.unproven = true;
            self.tail.push(payload);
        }
    }

    /// The storage failed under a segment. What is proven is missed by its sequences and may be there another
    /// time. What follows cannot be told from an end of the log, and to go on would make it void.
    fn unreadable(&mut self, segment: &mut Segment, error: io::Error) -> Result<(), WalError> {
        if segment.void_from == CommitSeq::MAX && segment.kept_end < segment.len() {
            return Err(WalError::io("read the end of", &segment.path)(error));
        }
        let what = format!("storage, which could not give some bytes ({error})");
        self.damage(segment, Corrupt::at(0, what), segment.len(), None);
        Ok(())
    }

    fn damage(
        &mut self,
        segment: &mut Segment,
        corrupt: Corrupt,
        len_bytes: u64,
        lost: Option<RangeInclusive<CommitSeq>>,
    ) {
        segment.damaged = true;
        let corrupt = corrupt.in_file(&segment.path, 0);
        self.report.damages.push(Damage { corrupt, len_bytes, lost });
    }

    fn finish(mut self, next_segment: u64) -> ReplayReport {
        self.report.last_seq = self.expected - 1;
        let tail_bytes: usize = self.tail.iter().map(Bytes::len).sum();
        self.report.resume = if tail_bytes <= TAIL_MAX_BYTES {
            // Copies: the files they are in are about to change.
            let tail = self.tail.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
            Resume { next_segment, durable_seq: self.proven, tail }
        } else {
            Resume { next_segment, durable_seq: self.report.last_seq, tail: Vec::new() }
        };
        self.report
    }
}

/// Cuts the last segment behind the end of the log and makes durable what was read. Returns the bytes cut
/// off. Files are let go of before they change.
fn trim(disk: &dyn Disk, mut segments: Vec<Segment>) -> Result<u64, WalError> {
    let mut trimmed_bytes = 0;
    let mut is_last = true;
    while let Some(segment) = segments.pop() {
        let Segment { path, kept_end, unproven, damaged, .. } = segment;
        let len = segment.bytes.len() as u64;
        let end = if is_last && !damaged { kept_end.min(len) } else { len };
        drop((segment.bytes, segment.blob));
        if unproven || end < len {
            disk.truncate(&path, end).map_err(WalError::io("trim", &path))?;
        }
        trimmed_bytes += len - end;
        is_last = false;
    }
    Ok(trimmed_bytes)
}

/// Removes files. The name of a segment that makes others void may be in memory only, if the process that gave it
/// died before it could sync the directory: it is made durable before they go.
fn remove(disk: &dyn Disk, dir: &Path, garbage: &[PathBuf]) -> Result<(), WalError> {
    if garbage.is_empty() {
        return Ok(());
    }
    disk.sync_dir(dir).map_err(WalError::io("sync", dir))?;
    for path in garbage {
        disk.remove(path).map_err(WalError::io("remove", path))?;
    }
    disk.sync_dir(dir).map_err(WalError::io("sync", dir))
}
