//! Executes the chapter of registry files in `storage-format.md`, and opens the files that earlier
//! programs wrote.

use std::path::{Path, PathBuf};

use silverback::fs::Disk;
use silverback::fs::os::OsDisk;
use silverback::fs::sealed::layout as sealed;
use silverback::fs::sealed::{SealedFile, SealedWriter};
use silverback::fs::sim::SimDisk;
use silverback::head::registry::files::Delta;
use silverback::head::registry::layout::*;
use silverback::head::registry::{Registry, RegistryOptions};
use silverback::index::image::layout::*;
use silverback::index::image::writer::Seeds;
use silverback::model::{Labels, Matcher, SeriesRef};
use silverback::wal::layout::Field;

use crate::storage_format::{assert_example_names, assert_fields, example_bytes, rows, section};

const EXAMPLE: &str = "### Delta example";
const OPTIONS: RegistryOptions = RegistryOptions { series_max: 1000 };
/// Written once and never again: a program that writes differently adds files of its own version.
const BASE: &str = "tests/fixtures/registry-base-v1.sbr";
const DELTA: &str = "tests/fixtures/registry-delta-v1.sbr";

fn field(name: &'static str, offset: usize, size: usize) -> Field {
    Field { name, offset, size }
}

fn trailer_fields() -> [Field; 8] {
    [
        field("data_len", sealed::TRAILER_DATA_LEN_OFFSET, 8),
        field("footer_len", sealed::TRAILER_FOOTER_LEN_OFFSET, 4),
        field("table_crc", sealed::TRAILER_TABLE_CRC_OFFSET, 4),
        field("footer_crc", sealed::TRAILER_FOOTER_CRC_OFFSET, 4),
        field("reserved", sealed::TRAILER_RESERVED_OFFSET, 4),
        field("version", sealed::TRAILER_VERSION_OFFSET, 4),
        field("magic", sealed::TRAILER_MAGIC_OFFSET, 8),
        field("trailer_crc", sealed::TRAILER_CRC_OFFSET, 4),
    ]
}

fn head_fields() -> [Field; 4] {
    [
        field("content", 0, 4),
        field("series_count", 4, 4),
        field("next_ref", 8, 8),
        field("highest_ref", 16, 8),
    ]
}

fn labels(job: &str) -> Labels {
    Labels::from_pairs([("__name__", "up"), ("job", job)])
}

fn registry(definitions: &[(u64, Labels)]) -> Registry {
    let registry = Registry::new(OPTIONS);
    let definitions: Vec<(SeriesRef, Labels)> =
        definitions.iter().map(|(series, labels)| (SeriesRef(*series), labels.clone())).collect();
    registry.restore(&definitions).unwrap();
    registry.finish_replay();
    registry
}

/// The bytes of a file.
fn content(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let blob = disk.open(path).unwrap();
    blob.bytes(0, blob.len() as usize).unwrap().to_vec()
}

fn delta_of(registry: &Registry) -> Vec<u8> {
    let (disk, path) = (SimDisk::new(), Path::new("delta"));
    let out = SealedWriter::create(&disk, path, FILE_KIND).unwrap();
    registry.write_delta(0..registry.len() as u32, out).unwrap();
    content(&disk, path)
}

/// The same each time.
fn base_of(registry: &Registry) -> Vec<u8> {
    let (disk, path) = (SimDisk::new(), Path::new("base"));
    let out = SealedWriter::create(&disk, path, FILE_KIND).unwrap();
    registry.write_base_with(&|_| true, Seeds { pairs: 1, rows: 2 }, out).unwrap();
    content(&disk, path)
}

fn open(bytes: &[u8]) -> SealedFile {
    let (disk, path) = (SimDisk::new(), Path::new("file"));
    disk.create(path).unwrap().append(bytes).unwrap();
    SealedFile::open(&disk, path, FILE_KIND).unwrap()
}

#[test]
fn the_tables_are_those_of_the_code() {
    assert_fields("### Registry footer", &head_fields(), HEAD_BYTES);
    let mut end = HEAD_BYTES;
    let footer = base_of(&registry(&[(1, labels("a"))]));
    let footer_len = open(&footer).footer().len();
    for row in rows("### Base footer") {
        assert_eq!(row[0], end.to_string(), "{}", row[2]);
        end += row[1].parse::<usize>().unwrap();
    }
    assert_eq!((end, end), (footer_len, HEAD_BYTES + IMAGE_LAYOUT_BYTES + 2 * 16));
    let names = Sections::default().named().map(|(name, _)| format!("`{name}`"));
    let of_footer: Vec<&str> = rows("### Base footer").map(|row| row[2]).skip(5).collect();
    let of_sections: Vec<&str> = rows("### Base sections").map(|row| row[0]).collect();
    assert_eq!(of_footer, of_sections);
    assert_eq!(of_sections[..SECTION_COUNT], names);
    let text = section("## Registry files");
    let magic = String::from_utf8(FILE_KIND.magic.to_vec()).unwrap();
    assert!(text.contains(&format!("the magic `{magic}`, version {},", FILE_KIND.version)));
    let contents = format!("{CONTENT_BASE} a base, {CONTENT_DELTA} a delta");
    assert!(rows("### Registry footer").any(|row| row[4].contains(&contents)));
    assert!(section("### Registry footer").contains(&format!("up to {PORTIONS_MAX} of them")));
    assert!(section("### Base sections").contains(&format!("up to {LINE_IDS_MAX} ids")));
}

#[test]
fn the_example_is_what_the_text_says_and_what_the_code_writes() {
    let bytes = example_bytes(EXAMPLE);
    let definitions = [(7, labels("node")), (8, labels("api"))];
    assert_eq!(delta_of(&registry(&definitions)), bytes);
    let delta = Delta::open(open(&bytes)).unwrap();
    let read: Vec<(SeriesRef, Labels)> =
        delta.portions().flat_map(|portion| portion.unwrap()).collect();
    let expected = definitions.map(|(series, labels)| (SeriesRef(series), labels));
    assert_eq!(read, expected);
    let trailer = bytes.len() - sealed::TRAILER_BYTES;
    assert_example_names(EXAMPLE, trailer, &trailer_fields());
    let footer = trailer - open(&bytes).footer().len();
    assert_example_names(EXAMPLE, footer, &head_fields());
}

/// What the fixtures hold.
fn fixture() -> Vec<(u64, Labels)> {
    let odd = Labels::from_pairs([("", "empty name"), ("é", "ü"), ("job", "node")]);
    let mut definitions = vec![(3, Labels::empty()), (7, labels("node")), (8, odd)];
    definitions.extend((0..40).map(|i| (100 + 2 * i, labels(&format!("job-{i}")))));
    // Of a ref beside its own.
    definitions.push((1000, labels("node")));
    definitions
}

fn fixture_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn open_fixture(path: &str) -> SealedFile {
    SealedFile::open(&OsDisk, &fixture_file(path), FILE_KIND).unwrap()
}

#[test]
fn a_base_of_version_1_opens() {
    let registry = Registry::open(OPTIONS, Some(open_fixture(BASE))).unwrap();
    for (series, labels) in fixture() {
        let slot = registry.slot_of(SeriesRef(series)).unwrap();
        assert_eq!(registry.labels_of(&[slot]), [labels]);
    }
    let all = registry.select(&[]);
    assert_eq!(all.len(), fixture().len() - 1);
    let sorted = registry.labels_of(&registry.sort(all));
    assert!(sorted.is_sorted_by(|a, b| a < b));
    let node = registry.select(&[Matcher::equal("job", "node")]);
    assert_eq!(registry.refs_of(&node), [7, 8].map(SeriesRef));
}

#[test]
fn a_delta_of_version_1_opens() {
    let delta = Delta::open(open_fixture(DELTA)).unwrap();
    let read: Vec<(SeriesRef, Labels)> =
        delta.portions().flat_map(|portion| portion.unwrap()).collect();
    let mut expected = fixture();
    expected.pop();
    let expected: Vec<_> =
        expected.into_iter().map(|(series, labels)| (SeriesRef(series), labels)).collect();
    assert_eq!(read, expected);
    assert_eq!(delta.head().next_ref, 1001);
}

#[test]
fn what_is_written_now_is_version_1() {
    let registry = registry(&fixture());
    for (path, bytes) in [(BASE, base_of(&registry)), (DELTA, delta_of(&registry))] {
        let path = fixture_file(path);
        if std::env::var_os("SILVERBACK_WRITE_FIXTURES").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{path:?} is not what is written now");
    }
}
