//! Proof that the images are not blind: a small log with checkpoints, which is right, and the same with one mistake at a
//! time. The right one must survive every image, and every mistake must show in some image.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::{Fault, Kind, Limits, SimDisk};
use crate::fs::{Append, Disk};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    NoDirSyncAfterCreate,
    NoFileSyncBeforeRename,
    AckBeforeSync,
    TailNotTruncated,
    UnlinkBeforeDirSync,
    RetriedSync,
    NoChecksum,
    ReplayedNotSynced,
}

const DIR: &str = "db";
const CHECKPOINT: &str = "db/checkpoint";
const TEMPORARY: &str = "db/checkpoint.tmp";
const RECORD_BYTES: usize = 12;

/// A set of numbers: `db/checkpoint` and numbered segments of records after it.
struct Toy {
    disk: SimDisk,
    mistake: Mistake,
    values: BTreeSet<u64>,
    old_segments: Vec<PathBuf>,
    next_segment: u64,
    path: PathBuf,
    segment: Box<dyn Append>,
    durable_len: u64,
}

impl Toy {
    fn open(disk: &SimDisk, mistake: Mistake) -> io::Result<Toy> {
        disk.create_dir(Path::new(DIR))?;
        disk.sync_dir(Path::new(""))?;
        let mut values = BTreeSet::new();
        let mut old_segments = Vec::new();
        let mut next_segment = 0;
        for name in disk.list(Path::new(DIR))? {
            let path = Path::new(DIR).join(&name);
            if let Some(number) = name.strip_suffix(".log") {
                next_segment = number.parse::<u64>().map_err(io::Error::other)? + 1;
                old_segments.push(path);
            } else if name == "checkpoint" {
                if replay(&disk.read_all(&path)?, mistake, &mut values).is_some() {
                    return Err(io::Error::other("damaged checkpoint"));
                }
            } else {
                disk.remove(&path)?;
            }
        }
        for path in &old_segments {
            let content = disk.read_all(path)?;
            let valid_len = replay(&content, mistake, &mut values);
            match valid_len {
                Some(_) if mistake == Mistake::TailNotTruncated => break,
                None if mistake == Mistake::ReplayedNotSynced => {}
                _ => disk.truncate(path, valid_len.unwrap_or(content.len() as u64))?,
            }
        }
        let (path, segment) = start_segment(disk, next_segment, mistake)?;
        Ok(Toy {
            disk: disk.clone(),
            mistake,
            values,
            old_segments,
            next_segment: next_segment + 1,
            path,
            segment,
            durable_len: 0,
        })
    }

    fn put(&mut self, value: u64) -> io::Result<()> {
        self.values.insert(value);
        self.segment.append(&record(value))?;
        if self.mistake == Mistake::AckBeforeSync {
            self.disk.note(value);
        }
        if self.segment.sync().is_err() {
            if self.mistake == Mistake::RetriedSync {
                self.segment.sync()?;
            } else {
                self.disk.truncate(&self.path, self.durable_len)?;
                self.rotate()?;
                self.segment.append(&record(value))?;
                self.segment.sync()?;
            }
        }
        self.durable_len = self.segment.len();
        self.disk.note(value);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        let (path, segment) = start_segment(&self.disk, self.next_segment, self.mistake)?;
        self.next_segment += 1;
        self.old_segments.push(std::mem::replace(&mut self.path, path));
        self.segment = segment;
        self.durable_len = 0;
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let mut file = self.disk.create(Path::new(TEMPORARY))?;
        for value in &self.values {
            file.append(&record(*value))?;
        }
        if self.mistake != Mistake::NoFileSyncBeforeRename && file.sync().is_err() {
            return self.disk.remove(Path::new(TEMPORARY));
        }
        self.rotate()?;
        self.disk.rename(Path::new(TEMPORARY), Path::new(CHECKPOINT))?;
        if self.mistake != Mistake::UnlinkBeforeDirSync {
            self.disk.sync_dir(Path::new(DIR))?;
        }
        for path in std::mem::take(&mut self.old_segments) {
            self.disk.remove(&path)?;
        }
        Ok(())
    }
}

fn start_segment(
    disk: &SimDisk,
    number: u64,
    mistake: Mistake,
) -> io::Result<(PathBuf, Box<dyn Append>)> {
    let path = Path::new(DIR).join(format!("{number:04}.log"));
    let segment = disk.create(&path)?;
    if mistake != Mistake::NoDirSyncAfterCreate {
        disk.sync_dir(Path::new(DIR))?;
    }
    Ok((path, segment))
}

fn record(value: u64) -> [u8; RECORD_BYTES] {
    let value = value.to_le_bytes();
    let mut record = [0; RECORD_BYTES];
    record[..8].copy_from_slice(&value);
    record[8..].copy_from_slice(&crc32fast::hash(&value).to_le_bytes());
    record
}

/// Adds the values of all valid records from the front; the length of those if something else follows.
fn replay(content: &[u8], mistake: Mistake, values: &mut BTreeSet<u64>) -> Option<u64> {
    for (i, chunk) in content.chunks(RECORD_BYTES).enumerate() {
        let value = chunk.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let valid = value.filter(|value| chunk == record(*value));
        let value = if mistake == Mistake::NoChecksum { value } else { valid };
        let Some(value) = value else { return Some((i * RECORD_BYTES) as u64) };
        values.insert(value);
    }
    None
}

/// Every byte of a value is the same and none is zero, so that a torn value is no value.
fn value(n: u8) -> u64 {
    u64::from_le_bytes([n; 8])
}

fn work(disk: &SimDisk, mistake: Mistake) -> io::Result<()> {
    let mut toy = Toy::open(disk, mistake)?;
    toy.put(value(1))?;
    toy.put(value(2))?;
    toy.checkpoint()?;
    toy.put(value(3))?;
    toy.checkpoint()?;
    toy.put(value(4))
}

fn more_work(disk: &SimDisk, mistake: Mistake) -> io::Result<()> {
    Toy::open(disk, mistake)?.put(value(5))
}

/// Images in which something acknowledged is missing or something never written is there, after the work and after the
/// recovery from each of its images.
fn losses(mistake: Mistake, fault: Option<Fault>) -> (usize, usize) {
    let disk = SimDisk::new();
    if let Some(fault) = fault {
        disk.fail(fault);
    }
    // Work cut short by a fault acknowledged nothing after it.
    let _ = work(&disk, mistake);
    let mut images = 0;
    let mut losses = 0;
    disk.images(&Limits { per_point_max: 200, seed: 1 }, &mut |image| {
        let before = image.notes.to_vec();
        let recovered = more_work(&image.disk, mistake);
        losses += usize::from(recovered.is_err());
        image.disk.images(&Limits { per_point_max: 20, seed: 2 }, &mut |second| {
            images += 1;
            let acknowledged = before.iter().chain(second.notes).copied().collect();
            losses += usize::from(!holds(&second.disk, mistake, &acknowledged));
        });
    });
    (images, losses)
}

fn holds(disk: &SimDisk, mistake: Mistake, acknowledged: &BTreeSet<u64>) -> bool {
    let attempted: BTreeSet<u64> = (1..=5).map(value).collect();
    match Toy::open(disk, mistake) {
        Ok(toy) => acknowledged.is_subset(&toy.values) && toy.values.is_subset(&attempted),
        Err(_) => false,
    }
}

fn syncs() -> u64 {
    let disk = SimDisk::new();
    work(&disk, Mistake::None).unwrap();
    disk.calls(Kind::Sync)
}

#[test]
fn the_right_protocol_survives_every_image() {
    let (images, losses) = losses(Mistake::None, None);
    assert_eq!(losses, 0);
    assert!(images > 1_000, "{images} images");
}

#[test]
fn the_right_protocol_survives_failed_syncs() {
    for after in 0..syncs() {
        let (_, losses) = losses(Mistake::None, Some(Fault::once(Kind::Sync, after, libc::EIO)));
        assert_eq!(losses, 0, "sync {after} failed");
    }
}

#[test]
fn every_mistake_is_caught() {
    for mistake in [
        Mistake::NoDirSyncAfterCreate,
        Mistake::NoFileSyncBeforeRename,
        Mistake::AckBeforeSync,
        Mistake::TailNotTruncated,
        Mistake::UnlinkBeforeDirSync,
        Mistake::NoChecksum,
    ] {
        assert!(losses(mistake, None).1 > 0, "{mistake:?} was not caught");
    }
}

/// Images that lack something the process after a killed one has read and shown.
fn losses_after_kill(mistake: Mistake) -> usize {
    let disk = SimDisk::new();
    let mut toy = Toy::open(&disk, mistake).unwrap();
    toy.put(value(1)).unwrap();
    toy.segment.append(&record(value(2))).unwrap();
    let disk = disk.kill();
    let toy = Toy::open(&disk, mistake).unwrap();
    assert_eq!(toy.values, [value(1), value(2)].into());
    toy.values.iter().for_each(|value| disk.note(*value));
    let mut losses = 0;
    disk.images(&Limits::default(), &mut |image| {
        let shown = image.notes.iter().copied().collect();
        losses += usize::from(!holds(&image.disk, mistake, &shown));
    });
    losses
}

#[test]
fn what_a_killed_process_did_not_sync_is_not_durable_by_being_read() {
    assert_eq!(losses_after_kill(Mistake::None), 0);
    assert!(losses_after_kill(Mistake::ReplayedNotSynced) > 0);
}

#[test]
fn a_retried_sync_is_caught() {
    let (_, losses) = losses(Mistake::RetriedSync, Some(Fault::once(Kind::Sync, 0, libc::EIO)));
    assert!(losses > 0);
}
