//! Executes `storage-format.md`: its tables must be those of `wal::layout`, and its example must decode to
//! what the text says and encode to the same bytes again.

use std::path::Path;

use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::model::{Labels, Sample, SeriesRef};
use silverback::wal::frame::{self, FrameHead, Place};
use silverback::wal::layout::{self, Field};
use silverback::wal::segment::{self, SegmentHeader};
use silverback::wal::{Record, RecordBuilder, replay};

const DOCUMENT: &str = include_str!("../../storage-format.md");
const NONCE: u64 = 0x1122_3344_5566_7788;
const EXAMPLE: &str = "### Example";

/// The text between a heading and the next.
pub(crate) fn section(heading: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("\n{heading}\n")).unwrap();
    rest.split("\n#").next().unwrap()
}

/// The cells of a section's tables, without heads.
pub(crate) fn rows(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    let lines = section(heading).lines().filter(|line| line.starts_with('|'));
    lines.map(cells).skip_while(|row: &Vec<&str>| row[0] != "---").skip(1)
}

pub(crate) fn unquoted(cell: &str) -> &str {
    cell.trim_matches('`')
}

pub(crate) fn assert_fields(heading: &str, fields: &[Field], total: usize) {
    let mut end = 0;
    for (row, field) in rows(heading).zip(fields) {
        assert_eq!(
            row[..3],
            [&*field.offset.to_string(), &field.size.to_string(), &format!("`{}`", field.name)]
        );
        assert_eq!(field.offset, end, "{}", field.name);
        end += field.size;
    }
    assert_eq!(end, total, "{heading}");
}

/// One line of the example: where, what bytes, what the remark calls them.
struct Line {
    offset: usize,
    bytes: Vec<u8>,
    remark: &'static str,
}

fn example(heading: &str) -> Vec<Line> {
    let (_, rest) = section(heading).split_once("```hex\n").unwrap();
    let (lines, _) = rest.split_once("```").unwrap();
    lines
        .lines()
        .map(|line| {
            let (data, remark) = line.split_once(';').unwrap();
            let mut words = data.split_whitespace();
            let offset = usize::from_str_radix(words.next().unwrap(), 16).unwrap();
            let bytes = words.map(|word| u8::from_str_radix(word, 16).unwrap()).collect();
            Line { offset, bytes, remark: remark.trim() }
        })
        .collect()
}

pub(crate) fn example_bytes(heading: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in example(heading) {
        assert_eq!(line.offset, bytes.len(), "{}", line.remark);
        bytes.extend(line.bytes);
    }
    bytes
}

/// An example has a line for each of these fields of a header at `start`.
pub(crate) fn assert_example_names(heading: &str, start: usize, fields: &[Field]) {
    let lines = example(heading);
    for field in fields {
        let line = lines.iter().find(|line| line.offset == start + field.offset).unwrap();
        assert_eq!(line.bytes.len(), field.size, "{}", field.name);
        assert!(line.remark.starts_with(field.name), "{} is not {}", line.remark, field.name);
    }
}

fn labels() -> Labels {
    Labels::from_pairs([("__name__", "up"), ("job", "node")])
}

fn samples() -> [Sample; 2] {
    [Sample::new(1_700_000_000_000, 1.0), Sample::new(1_700_000_015_000, 0.0)]
}

/// The segment that the text above the example describes.
fn described() -> Vec<u8> {
    let (mut builder, mut payload) = (RecordBuilder::new(), Vec::new());
    builder.define(SeriesRef(1), &labels());
    samples().into_iter().for_each(|sample| builder.push(SeriesRef(1), sample));
    builder.finish(&mut payload);
    let mut out = SegmentHeader::new(1, NONCE, 1).encode();
    let head = FrameHead { frame_type: layout::FRAME_TYPE_WRITE, seq: 1, durable_seq: 0 };
    let place = Place { nonce: NONCE, segment: 1, offset: out.len() as u64 };
    frame::encode(&mut out, head, place, &payload);
    out
}

#[test]
fn the_header_tables_are_those_of_the_code() {
    assert_fields(
        "### Segment header",
        &layout::SEGMENT_HEADER_FIELDS,
        layout::SEGMENT_HEADER_BYTES,
    );
    assert_fields("### Frame header", &layout::FRAME_HEADER_FIELDS, layout::FRAME_HEADER_BYTES);
}

#[test]
fn the_magics_types_tags_and_limits_are_those_of_the_code() {
    let segment_magic = String::from_utf8(layout::SEGMENT_MAGIC.to_vec()).unwrap();
    let frame_magic = layout::FRAME_MAGIC.map(|byte| format!("{byte:02x}")).join(" ");
    assert_eq!(unquoted(rows("### Segment header").next().unwrap()[4]), segment_magic);
    assert_eq!(unquoted(rows("### Frame header").next().unwrap()[4]), frame_magic);
    let version = rows("### Segment header").find(|row| row[2] == "`version`").unwrap()[4];
    assert_eq!(version, layout::SEGMENT_VERSION.to_string());
    let types: Vec<(&str, &str)> = rows("### Frame header")
        .skip_while(|row| row[0] != "---")
        .skip(1)
        .map(|row| (row[0], unquoted(row[1])))
        .collect();
    let write = layout::FRAME_TYPE_WRITE.to_string();
    let mark = layout::FRAME_TYPE_DURABLE_MARK.to_string();
    assert_eq!(types, [(&*write, "FRAME_TYPE_WRITE"), (&mark, "FRAME_TYPE_DURABLE_MARK")]);
    let tags = format!(
        "u8: {} `TIMESTAMPS_EQUAL`, {} `TIMESTAMPS_DELTAS`",
        layout::TIMESTAMPS_EQUAL,
        layout::TIMESTAMPS_DELTAS
    );
    assert!(rows("### Record").any(|row| row[1] == tags));
    let limits: Vec<(&str, u64)> =
        rows("### Limits").map(|row| (unquoted(row[0]), row[1].parse().unwrap())).collect();
    let expected = [
        ("SEGMENT_HEADER_BYTES", layout::SEGMENT_HEADER_BYTES as u64),
        ("FRAME_HEADER_BYTES", layout::FRAME_HEADER_BYTES as u64),
        ("FRAME_ALIGN_BYTES", layout::FRAME_ALIGN_BYTES as u64),
        ("PAYLOAD_MAX_BYTES", layout::PAYLOAD_MAX_BYTES as u64),
        ("SEQ_MAX", layout::SEQ_MAX),
        ("SEGMENT_NUMBER_MAX", layout::SEGMENT_NUMBER_MAX),
        ("WAL_SEGMENT_BYTES", layout::WAL_SEGMENT_BYTES),
    ];
    assert_eq!(limits, expected);
}

#[test]
fn the_names_are_those_of_the_code() {
    let names = section("## Directory");
    for (path, base) in [
        (segment::path(Path::new(""), 1), "a segment"),
        (segment::unfinished_path(Path::new(""), 2), "a segment that was being created"),
    ] {
        let line = names.lines().find(|line| line.contains(base)).unwrap();
        assert_eq!(line.split_whitespace().next().unwrap(), path.to_str().unwrap());
    }
    assert!(names.contains(&format!("\n  {}/ ", layout::WAL_DIR)));
}

#[test]
fn the_example_is_what_the_text_says_and_what_the_code_writes() {
    let bytes = example_bytes(EXAMPLE);
    let header = SegmentHeader::decode(&bytes, 1).unwrap();
    assert_eq!(header, SegmentHeader::new(1, NONCE, 1));
    let offset = layout::SEGMENT_HEADER_BYTES;
    let frame =
        frame::decode_header(&bytes[offset..], 1, offset as u64, Some(header.nonce)).unwrap();
    assert_eq!((frame.head.seq, frame.head.durable_seq), (1, 0));
    let payload = &bytes[frame.payload_offset() as usize..][..frame.payload_len];
    assert!(frame.matches(payload));
    assert_eq!(frame.end(), bytes.len() as u64);
    let record = Record::decode(payload).unwrap();
    assert_eq!(record.definitions().collect::<Vec<_>>(), [(SeriesRef(1), labels())]);
    let read: Vec<_> = record.samples().collect();
    assert_eq!(read.len(), 2);
    for ((series, sample), expected) in read.into_iter().zip(samples()) {
        assert_eq!((series, sample.timestamp), (SeriesRef(1), expected.timestamp));
        assert_eq!(sample.value.to_bits(), expected.value.to_bits());
    }
    assert_eq!(described(), bytes);
}

#[test]
fn the_example_names_every_field_of_both_headers() {
    assert_example_names(EXAMPLE, 0, &layout::SEGMENT_HEADER_FIELDS);
    assert_example_names(EXAMPLE, layout::SEGMENT_HEADER_BYTES, &layout::FRAME_HEADER_FIELDS);
}

#[test]
fn the_example_is_a_log_that_opens() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/wal")).unwrap();
    disk.create(&segment::path(Path::new("/wal"), 1))
        .unwrap()
        .append(&example_bytes(EXAMPLE))
        .unwrap();
    let mut count = 0;
    let report = replay(&disk, Path::new("/"), 0, &mut |_, record| {
        count += record.sample_count();
        Ok(())
    })
    .unwrap();
    assert_eq!((report.last_seq, report.damages.len(), count), (1, 0, 2));
}

mod columns {
    //! The chapter "Columns": its numbers are those of `encoding::column::layout`, and its examples are what the code writes
    //! and reads.

    use std::fmt::Debug;
    use std::str::FromStr;

    use silverback::encoding::column::{self, COLUMN_VALUES_MAX, layout};
    use silverback::model::STALE_NAN_BITS;

    use super::{rows, section};

    /// The row that names a constant is the one with its value.
    #[track_caller]
    fn assert_row(heading: &str, first: &str, name: &str) {
        let name = format!("`{name}`");
        assert!(
            rows(heading).any(|row| row[0] == first && row[1] == name),
            "{heading}: {first} {name}"
        );
    }

    #[test]
    fn the_numbers_are_those_of_the_code() {
        let tag = "### Tag of a value column";
        assert_row(tag, "0-4", "TAG_SCALE_MASK");
        assert_row(tag, "5-6", "TAG_ORDER_SHIFT");
        assert_row(tag, "7", "TAG_PATCHED");
        let tag_bits = (layout::TAG_SCALE_MASK, layout::TAG_ORDER_SHIFT, layout::TAG_PATCHED);
        assert_eq!(tag_bits, (0x1f, 5, 1 << 7));
        let orders = [
            layout::ORDER_RAW,
            layout::ORDER_DELTA,
            layout::ORDER_DELTA_OF_DELTA,
            layout::ORDER_CONSTANT,
        ];
        assert_eq!(orders, [0, 1, 2, 3]);
        assert_row(tag, &format!("0-{}", layout::SCALE_TENS_MAX), "SCALE_TENS_MAX");
        for (scale, name) in [
            (layout::SCALE_MILLI, "SCALE_MILLI"),
            (layout::SCALE_MILLI_MILLI, "SCALE_MILLI_MILLI"),
            (layout::SCALE_BITS, "SCALE_BITS"),
            (layout::TAG_CONSTANT, "TAG_CONSTANT"),
            (layout::TAG_XOR, "TAG_XOR"),
        ] {
            assert_row(tag, &scale.to_string(), name);
        }
        let frames = "### Frames";
        assert_row(frames, &layout::FRAME_WIDTH_BITS.to_string(), "FRAME_WIDTH_BITS");
        assert_row(frames, &layout::EXCEPTION_WIDTH_BITS.to_string(), "EXCEPTION_WIDTH_BITS");
        assert_eq!(layout::FRAME_NEW_BASE, 1 << layout::FRAME_WIDTH_BITS);
        assert_eq!(layout::FRAME_EXCEPTIONS, 2 << layout::FRAME_WIDTH_BITS);
        assert_eq!((layout::SHAPE_LEN_MASK, layout::SHAPE_DIVISOR), (7, 1 << 3));
        for (heading, text) in [
            ("## Columns", format!("1 to {COLUMN_VALUES_MAX} of them (`COLUMN_VALUES_MAX`)")),
            ("### Integers", format!("{} (`FRAME_VALUES_MIN`)", layout::FRAME_VALUES_MIN)),
            (frames, format!("at most {} (`FRAME_WIDTH_MAX`)", layout::FRAME_WIDTH_MAX)),
            (frames, format!("or {} (`FRAME_RUN`)", layout::FRAME_RUN)),
            (frames, format!("widths up to {} (`FRAME_BASE_BITS`)", layout::FRAME_BASE_BITS)),
            (frames, "three bits (`GROUP_BITS`)".to_string()),
        ] {
            assert!(section(heading).contains(&text), "{heading}: {text}");
        }
        assert_eq!(layout::GROUP_BITS, 3);
    }

    /// What the left side of an example says; `parse` is that of one value.
    fn listed<T: Clone>(list: &str, parse: impl Fn(&str) -> T) -> Vec<T> {
        let mut values = Vec::new();
        for item in list.split_whitespace() {
            if let Some((range, step)) = item.split_once('/') {
                let (first, last) = range.split_once("..").unwrap();
                let number = |text| i64::from_str(text).unwrap();
                let integers = (number(first)..=number(last)).step_by(step.parse().unwrap());
                values.extend(integers.map(|integer| parse(&integer.to_string())));
            } else {
                let (times, value) = item.split_once('*').unwrap_or(("1", item));
                values.extend(vec![parse(value); times.parse().unwrap()]);
            }
        }
        values
    }

    #[track_caller]
    fn assert_same<T: Debug + PartialEq>(expected: &[T], decoded: &[T], bytes: [&[u8]; 2]) {
        assert_eq!(decoded, expected);
        assert_eq!(bytes[0], bytes[1], "{expected:?}");
    }

    fn float(text: &str) -> f64 {
        if text == "stale" { f64::from_bits(STALE_NAN_BITS) } else { text.parse().unwrap() }
    }

    #[test]
    fn the_examples_are_what_the_code_reads_and_writes() {
        let (_, rest) = section("### Columns by example").split_once("```columns\n").unwrap();
        let (lines, _) = rest.split_once("```").unwrap();
        assert_eq!(lines.lines().count(), 10);
        for line in lines.lines() {
            let (list, hex) = line.split_once(" = ").unwrap();
            let (kind, list) = list.split_once(' ').unwrap();
            let bytes: Vec<u8> =
                hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let mut written = Vec::new();
            if kind == "values" {
                let values = listed(list, float);
                column::encode_floats(&values, &mut written);
                let mut decoded = Vec::new();
                column::decode_floats(&bytes, values.len(), &mut decoded).unwrap();
                let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_same(&bits(&values), &bits(&decoded), [&bytes, &written]);
            } else {
                let timestamps = listed(list, |text| text.parse::<i64>().unwrap());
                column::encode_timestamps(&timestamps, &mut written);
                let mut decoded = Vec::new();
                column::decode_timestamps(&bytes, timestamps.len(), &mut decoded).unwrap();
                assert_same(&timestamps, &decoded, [&bytes, &written]);
            }
        }
    }
}
