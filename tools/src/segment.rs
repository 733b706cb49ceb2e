//! A segment of the log, frame by frame, whether or not its frames still count.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use silverback::error::Corrupt;
use silverback::wal::frame::FrameHeader;
use silverback::wal::layout::{FRAME_TYPE_DURABLE_MARK, FRAME_TYPE_WRITE, SEGMENT_HEADER_BYTES};
use silverback::wal::segment::SegmentHeader;
use silverback::wal::{Record, Scanner};

use crate::file::{number, read};
use crate::{Failure, finish};

/// All of a segment.
pub struct Segment {
    bytes: Bytes,
    pub header: Result<SegmentHeader, Corrupt>,
    pub frames: Vec<FrameHeader>,
}

/// What frames hold in sum.
#[derive(Debug, Default)]
pub struct Totals {
    pub first_seq: Option<u64>,
    pub last_seq: u64,
    pub samples: u64,
}

impl Segment {
    pub fn open(path: &Path) -> Result<Segment, Failure> {
        let (bytes, number) = (read(path)?, number(path));
        let header = SegmentHeader::decode(&bytes, number).map_err(|c| c.in_file(path, 0));
        let nonce = header.as_ref().ok().map(|header| header.nonce);
        let frames = Scanner::new(bytes.clone(), number, nonce).collect();
        Ok(Segment { bytes, header, frames })
    }

    /// The payload of a frame if it is what was written.
    fn payload(&self, frame: &FrameHeader) -> Option<&[u8]> {
        let start = frame.payload_offset() as usize;
        let payload = self.bytes.get(start..)?.get(..frame.payload_len)?;
        frame.matches(payload).then_some(payload)
    }

    fn record(&self, frame: &FrameHeader) -> Result<Record<'_>, Corrupt> {
        let offset = frame.place.offset;
        let payload = self.payload(frame).ok_or(Corrupt::at(offset, "payload of a frame"))?;
        Record::decode(payload).map_err(|corrupt| corrupt.in_file("", frame.payload_offset()))
    }

    /// What is no header, no frame, or no record. The last of it may be what a crash left of a group.
    pub fn damage(&self, path: &Path) -> Vec<Corrupt> {
        let mut damage: Vec<Corrupt> = self.header.as_ref().err().cloned().into_iter().collect();
        let places = self.frames.iter().map(|frame| frame.place.offset..frame.end());
        let end = self.bytes.len() as u64;
        let mut behind = SEGMENT_HEADER_BYTES as u64;
        let mut gap = |place: Range<u64>| {
            if place.start > behind {
                let what = format!("frame: {} bytes are none", place.start - behind);
                damage.push(Corrupt::at(behind, what).in_file(path, 0));
            }
            behind = place.end;
        };
        places.for_each(&mut gap);
        gap(end..end);
        let writes = self.frames.iter().filter(|frame| frame.head.frame_type == FRAME_TYPE_WRITE);
        damage.extend(writes.filter_map(|f| self.record(f).err()).map(|c| c.in_file(path, 0)));
        damage
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for frame in self.frames.iter().filter(|frame| frame.head.frame_type == FRAME_TYPE_WRITE) {
            totals.first_seq.get_or_insert(frame.head.seq);
            totals.last_seq = frame.head.seq;
            totals.samples += self.record(frame).map_or(0, |record| record.sample_count() as u64);
        }
        totals
    }
}

/// Prints the header, and a line per frame.
pub fn inspect(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let segment = Segment::open(path)?;
    if let Ok(header) = &segment.header {
        finish(writeln!(
            out,
            "segment {} of the log, format version {}, begins with sequence {}, nonce {:016x}",
            header.segment, header.version, header.first_seq, header.nonce
        ))?;
    }
    finish(writeln!(
        out,
        "\n{:>12} {:<14} {:>10} {:>10} {:>11} {:>9} {:>10}",
        "offset", "frame", "sequence", "durable", "definitions", "samples", "bytes"
    ))?;
    for frame in &segment.frames {
        let (kind, counts) = match frame.head.frame_type {
            FRAME_TYPE_WRITE => ("record", segment.record(frame).ok().map(counts)),
            FRAME_TYPE_DURABLE_MARK => ("durable mark", None),
            _ => ("of a newer kind", None),
        };
        let (definitions, samples) = counts.unwrap_or_default();
        let (offset, bytes) = (frame.place.offset, frame.end() - frame.place.offset);
        let (seq, durable_seq) = (frame.head.seq, frame.head.durable_seq);
        finish(writeln!(
            out,
            "{offset:>12} {kind:<14} {seq:>10} {durable_seq:>10} {definitions:>11} {samples:>9} {bytes:>10}"
        ))?;
    }
    Ok(())
}

fn counts(record: Record<'_>) -> (usize, usize) {
    (record.definition_count(), record.sample_count())
}

/// Prints definitions and samples in the order of the file.
pub fn dump(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let segment = Segment::open(path)?;
    for frame in segment.frames.iter().filter(|f| f.head.frame_type == FRAME_TYPE_WRITE) {
        let Ok(record) = segment.record(frame) else { continue };
        finish(writeln!(out, "sequence {}", frame.head.seq))?;
        for (series, labels) in record.definitions() {
            finish(writeln!(out, "ref {} is {labels}", series.0))?;
        }
        for (series, sample) in record.samples() {
            let name = format!("ref {}", series.0);
            crate::dump::sample(&name, sample.timestamp, sample.value, out)?;
        }
    }
    Ok(())
}
