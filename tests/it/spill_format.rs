//! Executes the chapter of spills in `storage-format.md`: its tables must be those of the code, and its examples must be what
//! the code reads and writes.

use std::path::Path;

use silverback::encoding::column::Effort;
use silverback::encoding::{chunk, gorilla, timestamps};
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::head::chunk_list::{decode, put_chunk};
use silverback::head::chunks::{CHUNK_SAMPLES_MAX, ChunkEncoder};
use silverback::head::run::Part;
use silverback::head::spill::layout::*;
use silverback::head::spill::{Spill, SpillOptions, SpillWriter};
use silverback::model::{SeriesRef, TimeRange};
use silverback::read::Columns;

use crate::storage_format::{assert_fields, example_bytes, rows, section, unquoted};

const EXAMPLE: &str = "### Spill example";
const PATH: &str = "spill/00000001.sbs";
const TIME: i64 = 1_700_000_000_000;

fn columns(samples: &[(f64, i64)]) -> Columns {
    let mut columns = Columns::default();
    samples.iter().for_each(|(value, timestamp)| columns.push(*timestamp, *value));
    columns
}

/// The series that the text above the example tells of.
fn example_series() -> [(SeriesRef, Columns); 2] {
    let first = columns(&[(1.0, TIME), (1.0, TIME + 15_000), (2.0, TIME + 30_001)]);
    [(SeriesRef(1), first), (SeriesRef(70), columns(&[(0.5, TIME)]))]
}

fn options() -> SpillOptions {
    let part = Part::Window(1_699_999_200_000);
    SpillOptions { part, min_seq: 3, max_seq: 9, tier: 1, created_ms: 1_700_000_060_000 }
}

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("spill")).unwrap();
    disk
}

/// The file that the text above the example describes.
fn described() -> Vec<u8> {
    let disk = disk();
    let mut writer = SpillWriter::create(&disk, Path::new(PATH)).unwrap();
    for (series, columns) in example_series() {
        let (mut list, mut whole) = (Vec::new(), TimeRange::EMPTY);
        let Columns { timestamps, floats, .. } = &columns;
        ChunkEncoder::default().encode(timestamps, floats, |range, count, bytes| {
            whole.include(range.mint);
            whole.include(range.maxt);
            put_chunk(&mut list, count, bytes);
        });
        writer.push(series, whole, columns.len() as u64, &list).unwrap();
    }
    writer.finish(options()).unwrap();
    disk.read_all(Path::new(PATH)).unwrap()
}

#[test]
fn the_example_is_what_the_text_says_and_what_the_code_writes() {
    let (disk, bytes) = (disk(), example_bytes(EXAMPLE));
    disk.create(Path::new(PATH)).unwrap().append(&bytes).unwrap();
    let spill = Spill::open(&disk, Path::new(PATH), 1).unwrap();
    assert_eq!(spill.verify(), []);
    let (meta, expected) = (spill.meta(), options());
    assert_eq!((meta.part, meta.min_seq, meta.max_seq), (expected.part, 3, 9));
    assert_eq!((meta.tier, meta.created_ms), (expected.tier, expected.created_ms));
    assert_eq!((meta.series, meta.samples), (2, 4));
    assert_eq!(meta.range, TimeRange::new(TIME, TIME + 30_001));
    assert_eq!(spill.highest_ref(), Some(SeriesRef(70)));
    for (series, columns) in example_series() {
        let mut read = Columns::default();
        decode(spill.chunks(series).unwrap().unwrap(), &mut read).unwrap();
        assert_eq!((read.timestamps, read.floats), (columns.timestamps, columns.floats));
    }
    assert_eq!(described(), bytes);
}

#[test]
fn the_directory_and_the_limits_are_those_of_the_code() {
    assert_fields("### Spill page directory", &PAGE_ENTRY_FIELDS, PAGE_ENTRY_BYTES);
    let limits: Vec<(&str, u64)> =
        rows("### Spill limits").map(|row| (unquoted(row[0]), row[1].parse().unwrap())).collect();
    let expected = [
        ("REFS_PER_PAGE", REFS_PER_PAGE),
        ("PAGE_ENTRY_BYTES", PAGE_ENTRY_BYTES as u64),
        ("END_BYTES", END_BYTES as u64),
        ("PAGE_CHUNKS_MAX_BYTES", PAGE_CHUNKS_MAX_BYTES),
        ("CHUNK_SAMPLES_MAX", CHUNK_SAMPLES_MAX as u64),
    ];
    assert_eq!(limits, expected);
    let parts = format!("u8: {PART_LATE} `PART_LATE`, {PART_WINDOW} `PART_WINDOW`");
    assert!(rows("### Spill footer").any(|row| row[1] == parts));
    assert_eq!(SPILL_KIND.magic, *b"SBSPILL\0");
    let kind = format!("magic `SBSPILL` and a zero byte, version {}", SPILL_KIND.version);
    assert!(section("## Spill").contains(&kind));
}

#[test]
fn the_sizes_of_chunks_are_those_of_the_code() {
    let heading = "### Chunk";
    let classes: Vec<(usize, u32)> = rows(heading)
        .take_while(|row| row[0] != "first bits")
        .map(|row| (row[0].parse().unwrap(), row[1].parse().unwrap()))
        .collect();
    let bits = timestamps::PAYLOAD_BITS.into_iter().chain([64]);
    assert!(classes.into_iter().eq(bits.enumerate()));
    for text in [
        format!("A flag byte: {} (`STREAM`) or {} (`COLUMNS`)", chunk::STREAM, chunk::COLUMNS),
        format!("{} bits (`LEADING_BITS`)", gorilla::LEADING_BITS),
        format!("{} bits (`SIGNIFICANT_BITS`)", gorilla::SIGNIFICANT_BITS),
    ] {
        assert!(section(heading).contains(&text), "{text}");
    }
    let list = format!("at most {CHUNK_SAMPLES_MAX} samples (`CHUNK_SAMPLES_MAX`)");
    assert!(section("### Chunk list").contains(&list));
}

#[test]
fn the_chunks_are_what_the_code_reads_and_writes() {
    let (_, rest) = section("### Chunks by example").split_once("```chunks\n").unwrap();
    let (lines, _) = rest.split_once("```").unwrap();
    assert_eq!(lines.lines().count(), 5);
    for line in lines.lines() {
        let (samples, hex) = line.split_once(" = ").unwrap();
        let sample = |text: &str| {
            let (value, timestamp) = text.split_once('@').unwrap();
            (value.parse().unwrap(), timestamp.parse().unwrap())
        };
        let samples: Vec<(f64, i64)> = samples.split(' ').map(sample).collect();
        let bytes: Vec<u8> =
            hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        let expected = columns(&samples);
        let mut read = Columns::default();
        chunk::decode_into(&bytes, samples.len(), &mut read.timestamps, &mut read.floats).unwrap();
        assert_eq!((&read.timestamps, &read.floats), (&expected.timestamps, &expected.floats));
        let mut written = Vec::new();
        let mut encoder = match bytes[0] {
            chunk::COLUMNS => ChunkEncoder::of_columns(Effort::Short),
            _ => ChunkEncoder::default(),
        };
        encoder.encode(&read.timestamps, &read.floats, |_, _, chunk| {
            written.extend_from_slice(chunk);
        });
        assert_eq!(written, bytes, "{line}");
    }
}
