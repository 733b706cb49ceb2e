//! Damage at rest: every byte of a log changed, every segment cut at every offset, files renamed, removed,
//! unreadable.

use std::ops::Range;

use super::mistaken::{Mistake, Mistaken};
use super::*;
use crate::fs::sim::{Fault, Kind};

/// A log as files, and where its frames are.
struct Written {
    files: Vec<Vec<u8>>,
    frames: Vec<Frame>,
    last_seq: CommitSeq,
}

struct Frame {
    segment: usize,
    /// Without padding.
    range: Range<usize>,
    end: usize,
    /// None for a mark.
    seq: Option<CommitSeq>,
    /// Whether something outside its own group says that it is durable.
    proven: bool,
}

/// Three segments of two groups of two records each. Without the mark of a clean close, the last group is
/// unproven.
fn written(closed: bool) -> Written {
    let disk = SimDisk::new();
    let mut session = Session::open(&disk, Known::default()).unwrap();
    for _ in 0..6 {
        assert!(session.commit(2));
    }
    if closed {
        session.committer.close().unwrap();
    }
    let count = disk.list(Path::new("/wal")).unwrap().len();
    assert_eq!(count, 3);
    let files: Vec<Vec<u8>> =
        (1..=count as u64).map(|number| disk.read_all(&segment_path(number)).unwrap()).collect();
    let mut frames = Vec::new();
    for (segment, file) in files.iter().enumerate() {
        let mut at = layout::SEGMENT_HEADER_BYTES;
        while at < file.len() {
            let header =
                frame::decode_header(&file[at..], segment as u64 + 1, at as u64, None).unwrap();
            let is_write = header.head.frame_type == layout::FRAME_TYPE_WRITE;
            let seq = is_write.then_some(header.head.seq);
            let range = at..header.payload_offset() as usize + header.payload_len;
            at = header.end() as usize;
            let proven = seq.is_some_and(|seq| seq <= 10 || closed);
            frames.push(Frame { segment, range, end: at, seq, proven });
        }
    }
    Written { files, frames, last_seq: 12 }
}

impl Written {
    /// A disk with these files, all durable. `change` sees them before.
    fn disk(&self, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> SimDisk {
        let mut files = self.files.clone();
        change(&mut files);
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/wal")).unwrap();
        for (number, file) in (1..).zip(files) {
            disk.create(&segment_path(number)).unwrap().append(&file).unwrap();
        }
        disk.settle();
        disk
    }

    fn log_without(&self, lost: impl Fn(CommitSeq) -> bool) -> Log {
        (1..=self.last_seq).filter(|s| !lost(*s)).map(|seq| (seq, record(seq - 1))).collect()
    }
}

/// Replays twice: the second time must say the same. Then the log goes on.
fn replayed(disk: &SimDisk) -> (ReplayReport, Log) {
    let (report, log) = replay_all(disk).unwrap();
    let (again, log_again) = replay_all(disk).unwrap();
    assert_eq!(
        (&again.damages, again.last_seq, again.trimmed_bytes),
        (&report.damages, report.last_seq, 0)
    );
    assert_eq!(log_again, log);
    let queue = Arc::new(CommitQueue::default());
    let now = Instant::now();
    let mut committer =
        Committer::start(Arc::new(disk.clone()), dir(), options(), &again, queue.clone(), now);
    queue.push(record(999), 999).unwrap();
    assert_eq!(committer.commit_once(now).outcome.unwrap(), report.last_seq + 1);
    let (after, log_after) = replay_all(disk).unwrap();
    assert_eq!(after.damages, report.damages);
    assert_eq!(log_after[..log.len()], log);
    assert_eq!(log_after[log.len()..], [(report.last_seq + 1, record(999))]);
    (report, log)
}

fn flip(written: &Written, segment: usize, at: usize, xor: u8) {
    let (report, log) = replayed(&written.disk(|files| files[segment][at] ^= xor));
    let hit = written.frames.iter().find(|f| f.segment == segment && f.range.contains(&at));
    let context = format!("segment {segment} byte {at}");
    match hit {
        Some(Frame { seq: Some(seq), range, end, proven: true, .. }) => {
            assert_eq!(log, written.log_without(|s| s == *seq), "{context}");
            let [damage] = &report.damages[..] else { panic!("{context}: {:?}", report.damages) };
            assert_eq!(damage.lost, Some(*seq..=*seq), "{context}");
            assert_eq!(damage.corrupt.path, segment_path(segment as u64 + 1), "{context}");
            assert_eq!(damage.corrupt.offset, range.start as u64, "{context}");
            assert_eq!(damage.len_bytes, (end - range.start) as u64, "{context}");
            assert_eq!((report.last_seq, report.trimmed_bytes), (written.last_seq, 0), "{context}");
        }
        Some(Frame { seq: Some(seq), range, .. }) => {
            assert_eq!(log, written.log_without(|s| s >= *seq), "{context}");
            assert_eq!((&report.damages[..], report.last_seq), (&[][..], seq - 1), "{context}");
            let trimmed = written.files[segment].len() - range.start;
            assert_eq!(report.trimmed_bytes, trimmed as u64, "{context}");
        }
        Some(Frame { seq: None, .. }) => {
            assert_eq!(log, written.log_without(|_| false), "{context}");
            assert_eq!((report.damages.len(), report.trimmed_bytes), (0, 40), "{context}");
        }
        None => {
            assert_eq!(log, written.log_without(|_| false), "{context}");
            let in_header = at < layout::SEGMENT_HEADER_BYTES;
            assert_eq!(report.damages.len(), usize::from(in_header), "{context}");
            assert!(report.damages.iter().all(|damage| damage.lost.is_none()), "{context}");
        }
    }
}

#[test]
fn any_byte_of_a_closed_log_costs_the_frame_it_is_in() {
    let written = written(true);
    for segment in 0..3 {
        for at in 0..written.files[segment].len() {
            flip(&written, segment, at, 0xff);
            flip(&written, segment, at, 1 << (at % 8));
        }
    }
}

#[test]
fn any_byte_of_an_open_log_costs_its_frame_or_ends_the_last_group() {
    let written = written(false);
    for segment in 0..3 {
        for at in 0..written.files[segment].len() {
            flip(&written, segment, at, 0x40);
        }
    }
}

#[test]
fn the_last_segment_may_be_cut_at_any_offset() {
    for closed in [false, true] {
        let written = written(closed);
        for len in 0..written.files[2].len() {
            let (report, log) = replayed(&written.disk(|files| files[2].truncate(len)));
            let gone = |f: &&Frame| f.segment == 2 && f.range.end > len;
            let first_gone = written.frames.iter().find(gone).and_then(|frame| frame.seq);
            let lost_from = first_gone.unwrap_or(written.last_seq + 1);
            assert_eq!(log, written.log_without(|seq| seq >= lost_from), "{len} bytes");
            let header_lost = len < layout::SEGMENT_HEADER_BYTES;
            assert_eq!(report.damages.len(), usize::from(header_lost), "{len} bytes");
        }
    }
}

#[test]
fn a_segment_in_the_middle_may_be_cut_at_any_offset() {
    let written = written(true);
    for len in 0..written.files[1].len() {
        let (report, log) = replayed(&written.disk(|files| files[1].truncate(len)));
        let gone = |f: &&Frame| f.segment == 1 && f.range.end > len;
        let lost: Vec<u64> = written.frames.iter().filter(gone).filter_map(|f| f.seq).collect();
        assert_eq!(log, written.log_without(|seq| lost.contains(&seq)), "{len} bytes");
        let reported: Vec<u64> =
            report.damages.iter().filter_map(|damage| damage.lost.clone()).flatten().collect();
        assert_eq!(reported, lost, "{len} bytes");
    }
}

#[test]
fn a_segment_that_is_gone_is_reported() {
    let written = written(true);
    let disk = written.disk(|_| ());
    disk.remove(&segment_path(2)).unwrap();
    let (report, log) = replayed(&disk);
    assert_eq!(log, written.log_without(|seq| (5..=8).contains(&seq)));
    assert_eq!(report.damages[0].lost, Some(5..=8));
}

#[test]
fn a_segment_under_the_name_of_another_is_not_believed() {
    let written = written(true);
    let disk = written.disk(|files| files.push(files[0].clone()));
    let (report, log) = replayed(&disk);
    assert_eq!(log, written.log_without(|_| false));
    assert!(report.damages[0].corrupt.what.contains("segment number"), "{:?}", report.damages);
}

#[test]
fn a_log_of_anything_else_is_damage_and_goes_on() {
    let written = written(true);
    for fill in [0x00, 0xff, layout::FRAME_MAGIC[0]] {
        let (report, log) = replayed(&written.disk(|files| files[1].fill(fill)));
        assert_eq!(log, written.log_without(|seq| (5..=8).contains(&seq)));
        assert!(report.damages.iter().any(|damage| damage.lost == Some(5..=8)));
    }
}

#[test]
fn damage_before_the_end_of_the_log_is_not_cut_off() {
    let written = written(false);
    let seq_10 = written.frames.iter().find(|frame| frame.seq == Some(10)).unwrap();
    let seq_11 = written.frames.iter().find(|frame| frame.seq == Some(11)).unwrap();
    let disk = written.disk(|files| {
        files[2][seq_10.range.start] ^= 1;
        files[2][seq_11.range.start] ^= 1;
    });
    let (report, log) = replayed(&disk);
    assert_eq!(log, written.log_without(|seq| seq >= 10));
    assert_eq!((report.last_seq, report.trimmed_bytes), (10, 0));
    assert_eq!(report.damages[0].lost, Some(10..=10));
    assert_eq!(disk.read_all(&segment_path(3)).unwrap().len(), written.files[2].len());
}

#[test]
fn a_new_segment_proves_what_is_before_it() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(2));
    sim.fail(Fault::forever(Kind::Append, 0, libc::EIO));
    assert!(!session.commit(1));
    sim.clear_faults();
    session.pass(Duration::from_secs(1));
    assert!(session.commit(0));
    let len = sim.read_all(&segment_path(1)).unwrap().len() as u64;
    sim.corrupt(&segment_path(1), len - 16, 1).unwrap();
    let (report, log) = replay_all(&sim.kill()).unwrap();
    assert_eq!(log, [(1, record(0))]);
    assert_eq!((report.last_seq, report.damages[0].lost.clone()), (2, Some(2..=2)));
}

#[test]
fn the_next_start_proves_the_last_group() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(2));
    let session = session.kill().unwrap();
    let mark_bytes = frame::frame_bytes(0) as u64;
    let len = sim.read_all(&segment_path(2)).unwrap().len() as u64;
    session.sim.corrupt(&segment_path(2), len - mark_bytes - 16, 1).unwrap();
    let (report, log) = replay_all(&sim.kill()).unwrap();
    assert_eq!(log, [(1, record(0))]);
    assert_eq!((report.last_seq, report.damages[0].lost.clone()), (2, Some(2..=2)));
}

#[test]
fn a_damaged_beginning_does_not_bring_back_what_it_made_void() {
    let sim = SimDisk::new();
    let mut session = Session::open(&sim, Known::default()).unwrap();
    assert!(session.commit(1));
    for kind in [Kind::Sync, Kind::Truncate] {
        sim.fail(Fault::forever(kind, 0, libc::EIO));
    }
    assert!(!session.commit(2));
    sim.clear_faults();
    session.pass(Duration::from_secs(1));
    assert!(session.commit(2));
    assert!(session.commit(1));
    let path = segment_path(3);
    for at in [0, layout::SEGMENT_HEADER_BYTES as u64] {
        sim.corrupt(&path, at, 1).unwrap();
    }
    let (report, log) = replay_all(&sim.kill()).unwrap();
    assert_eq!(log, [(1, record(0)), (3, record(4)), (4, record(5))]);
    assert!(report.damages.iter().any(|d| d.lost == Some(2..=2)), "{:?}", report.damages);
}

#[test]
fn what_a_newer_version_wrote_is_refused_and_left_alone() {
    let written = written(true);
    let newer_header =
        segment::SegmentHeader { version: 2, ..segment::SegmentHeader::new(3, 7, 9) };
    let newer_segment = written.disk(|files| files[2] = newer_header.encode());
    let newer_frame = written.disk(|files| {
        let nonce = (options().nonce)(3);
        let place = frame::Place { nonce, segment: 3, offset: files[2].len() as u64 };
        let head = frame::FrameHead { frame_type: 9, seq: 13, durable_seq: 12 };
        frame::encode(&mut files[2], head, place, b"what?");
    });
    for (disk, what) in [(newer_segment, "version 2"), (newer_frame, "frame type 9")] {
        let mutations = disk.calls(Kind::Mutation);
        let error = replay_all(&disk).unwrap_err();
        assert!(error.to_string().contains(what) && error.to_string().contains("newer"), "{error}");
        assert_eq!(disk.calls(Kind::Mutation), mutations);
    }
}

#[test]
fn a_replay_that_cannot_read_says_so_and_can_be_repeated() {
    let written = written(false);
    let disk = written.disk(|files| files[2].truncate(400));
    for kind in [Kind::List, Kind::Open, Kind::Read, Kind::Truncate] {
        disk.fail(Fault::once(kind, 0, libc::EIO));
        let error = replay_all(&disk).unwrap_err().to_string();
        assert!(error.starts_with("cannot ") && error.contains("/wal"), "{error}");
    }
    replayed(&disk);
}

/// The storage fails under the last page read, which then reads as zeros.
fn unreadable_tail(written: &Written, number: u64) -> (SimDisk, Mistaken) {
    let disk = written.disk(|_| ());
    (disk.clone(), Mistaken(disk, Mistake::UnreadableTail(segment_path(number))))
}

#[test]
fn an_unreadable_part_is_damage_where_later_segments_tell_what_was_in_it() {
    let written = written(true);
    let (_, failing) = unreadable_tail(&written, 2);
    let (report, log) = replay_all(&failing).unwrap();
    assert_eq!(log, written.log_without(|seq| seq == 8));
    assert_eq!(report.damages[0].lost, Some(8..=8));
    assert!(report.damages[1].corrupt.what.contains("storage"), "{:?}", report.damages);
}

#[test]
fn an_unreadable_end_is_not_taken_for_the_end() {
    let written = written(false);
    let (disk, failing) = unreadable_tail(&written, 3);
    let mutations = disk.calls(Kind::Mutation);
    let error = replay_all(&failing).unwrap_err().to_string();
    assert!(error.contains("cannot read the end of \"/wal/00000003.wal\""), "{error}");
    assert_eq!(disk.calls(Kind::Mutation), mutations);
    let (report, log) = replayed(&disk);
    assert_eq!((report.last_seq, log), (12, written.log_without(|_| false)));
}
