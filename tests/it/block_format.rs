//! Executes the chapter of blocks in `storage-format.md`, and opens the block that version 1 of the format
//! left behind (`tests/fixtures/block-v1.sbb`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use silverback::block::footer::Footer;
use silverback::block::layout::*;
use silverback::block::{Block, BlockOptions, BlockWriter};
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::model::{Labels, STALE_NAN_BITS, TimeRange};
use silverback::read::Columns;

use crate::storage_format::{example_bytes, rows, section, unquoted};

const EXAMPLE: &str = "### Block example";
const PATH: &str = "blocks/block.sbb";

type Series = BTreeMap<Labels, Columns>;

fn columns(samples: impl IntoIterator<Item = (i64, f64)>) -> Columns {
    let mut columns = Columns::default();
    samples.into_iter().for_each(|(timestamp, value)| columns.push(timestamp, value));
    columns
}

/// The two series that the text above the example tells of.
fn example_series() -> Series {
    let up = |job: &str| Labels::from_pairs([("__name__", "up"), ("job", job)]);
    let times = [1_700_000_000_000, 1_700_000_015_000, 1_700_000_030_000];
    Series::from([
        (up("api"), columns(times.map(|t| (t, 1.0)))),
        (up("node"), columns([(times[0], 1.0), (times[2], 0.0)])),
    ])
}

/// What is in the fixture: series of two targets, some with gaps, one of two chunks, one of its own timestamps, values of
/// every codec. Never to be changed.
fn fixture_series() -> Series {
    let mut all = Series::new();
    for number in 0..70i64 {
        let labels = Labels::from_pairs([
            ("__name__", format!("metric_{:02}", number / 8).as_str()),
            ("instance", &format!("host-{}:9100", number % 2)),
            ("path", &format!("/data/{:x}/é", number * 7919 % 97)),
        ]);
        let value = |i: i64| match number % 5 {
            0 => 1.0,
            1 => (i * i % 1000) as f64,
            2 => (i * 37 % 1000) as f64 / 100.0,
            3 => f64::from_bits((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            _ if i % 40 == 39 => f64::from_bits(STALE_NAN_BITS),
            _ => -(i as f64) / 8.0,
        };
        let time = |i: i64| 1_700_000_000_000 + number % 2 * 700 + i * 15_000 + i * i % 3;
        let is_there = |i: &i64| number % 3 > 0 || i % 50 != number % 50;
        let present = (0..120).filter(is_there);
        all.insert(labels, columns(present.map(|i| (time(i), value(i)))));
    }
    let long = (0..5000).map(|i| (1_700_000_000_000 + i * 300, i as f64));
    all.insert(Labels::from_pairs([("__name__", "two_chunks")]), columns(long));
    all.insert(Labels::empty(), columns([(1_700_000_000_001, -0.0)]));
    all
}

fn options(range: TimeRange) -> BlockOptions {
    BlockOptions { id: 0x0102, range, level: 1, min_seq: 3, max_seq: 9, parents: vec![0x0101] }
}

fn write(series: &Series, range: TimeRange) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("blocks")).unwrap();
    let mut writer = BlockWriter::create(&disk, Path::new(PATH), options(range)).unwrap();
    series.iter().for_each(|(labels, columns)| writer.add(labels, columns).unwrap());
    writer.finish().unwrap();
    disk
}

/// The example's bounds: a window of two hours.
fn window() -> TimeRange {
    TimeRange::new(1_699_999_200_000, 1_700_006_399_999)
}

fn put(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("blocks")).unwrap();
    disk.create(Path::new(PATH)).unwrap().append(bytes).unwrap();
    disk
}

fn open(disk: &SimDisk) -> Arc<Block> {
    let block = Block::open(disk, Path::new(PATH)).unwrap();
    assert_eq!(block.verify(), []);
    Arc::new(block)
}

fn assert_holds(block: &Arc<Block>, series: &Series) {
    let mut cursor = block.cursor(TimeRange::ALL);
    let mut out = Columns::default();
    let bits = |columns: &Columns| columns.floats.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    for (labels, columns) in series {
        assert_eq!(cursor.next(&mut out).unwrap().as_ref(), Some(labels));
        assert_eq!(out.timestamps, columns.timestamps, "{labels}");
        assert_eq!(bits(&out), bits(columns), "{labels}");
    }
    assert!(cursor.next(&mut out).unwrap().is_none());
}

fn whole(disk: &SimDisk) -> Vec<u8> {
    let blob = disk.open(Path::new(PATH)).unwrap();
    blob.bytes(0, blob.len() as usize).unwrap().to_vec()
}

#[test]
fn the_example_is_what_the_text_says_and_what_the_code_writes() {
    let bytes = example_bytes(EXAMPLE);
    assert_holds(&open(&put(&bytes)), &example_series());
    assert_eq!(whole(&write(&example_series(), window())), bytes);
}

#[test]
fn the_footer_table_is_that_of_the_code() {
    let mut end = 0;
    let table: Vec<Vec<&str>> = rows("### Block footer").collect();
    assert_eq!(table.len(), FOOTER_FIELDS.len() + 1, "the fields and the parents");
    for (row, (name, size)) in table.iter().zip(FOOTER_FIELDS) {
        let expected = [end.to_string(), size.to_string(), format!("`{name}`")];
        assert_eq!(row[..3], expected.each_ref().map(String::as_str));
        end += size;
    }
    let footer = open(&put(&example_bytes(EXAMPLE))).footer().clone();
    let encoded = footer.encode();
    assert_eq!(encoded.len(), end + footer.parents.len() * PARENT_BYTES);
    assert_eq!(Footer::decode(&encoded, footer.names_offset + 100).unwrap(), footer);
}

#[test]
fn the_limits_are_those_of_the_code() {
    let told: BTreeMap<&str, &str> =
        rows("### Block limits").map(|row| (unquoted(row[0]), row[1])).collect();
    let limits = [
        ("VALUES_PER_GROUP", VALUES_PER_GROUP),
        ("SERIES_PER_GROUP", SERIES_PER_GROUP),
        ("SERIES_PER_PAGE", SERIES_PER_PAGE),
        ("SERIES_MAX", SERIES_MAX),
        ("EXTENT_UNITS_MAX", EXTENT_UNITS_MAX as usize),
        ("RICE_QUOTIENT_MAX", RICE_QUOTIENT_MAX as usize),
        ("RICE_BITS_MAX", RICE_BITS_MAX as usize),
        ("SHARED_VALUES_BYTES_MIN", SHARED_VALUES_BYTES_MIN),
    ];
    assert_eq!(told.len(), limits.len());
    for (name, value) in limits {
        assert_eq!(told.get(name), Some(&&*value.to_string()), "{name}");
    }
    let magic = String::from_utf8(BLOCK.magic.to_vec()).unwrap();
    assert!(section("## Block").contains(&format!("magic `{magic}`, version {}", BLOCK.version)));
}

#[test]
fn a_block_of_version_1_opens_and_holds_what_it_held() {
    let bytes = include_bytes!("../fixtures/block-v1.sbb");
    let block = open(&put(bytes));
    assert_holds(&block, &fixture_series());
    assert_eq!((block.meta().id, &block.meta().parents[..]), (0x0102, &[0x0101][..]));
    assert_holds(&open(&write(&fixture_series(), window())), &fixture_series());
}
