//! Executes the chapter of the manifest in `storage-format.md`: its tables must be those of `db::manifest::layout`, and its
//! example must decode to what the text says and encode to the same bytes again.

use std::path::Path;

use silverback::db::directory::{LOCK_FILE, QUARANTINE_DIR, SNAPSHOTS_DIR};
use silverback::db::manifest::layout::*;
use silverback::db::manifest::record::{
    ManifestHeader, RecordHead, decode_edit, decode_record_header, encode_edit, encode_record,
};
use silverback::db::manifest::{Edit, FileEntry, FileId, Manifest, State};
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::model::TimeRange;

use crate::storage_format::{
    assert_example_names, assert_fields, example_bytes, rows, section, unquoted,
};

const NONCE: u64 = 0x1122_3344_5566_7788;
const EXAMPLE: &str = "### Manifest example";

/// The only edit of the example.
fn edit() -> Edit {
    let registry = FileEntry {
        id: FileId::RegistryBase(1),
        len_bytes: 65_640,
        min_seq: 1,
        max_seq: 9,
        range: TimeRange::EMPTY,
        window: None,
        checksum: 0xaabb_ccdd,
    };
    let spill = FileEntry {
        id: FileId::Spill(2),
        len_bytes: 70_000,
        range: TimeRange::new(1_700_000_000_000, 1_700_000_015_000),
        window: Some(1_699_999_200_000),
        checksum: 0x1234_5678,
        ..registry.clone()
    };
    Edit { add: vec![registry, spill], wal_seq: Some(9), next_ref: Some(8), ..Edit::default() }
}

/// The file that the text above the example describes.
fn described() -> Vec<u8> {
    let new = State::default();
    let begun = Edit { wal_seq: Some(0), next_ref: Some(1), ..Edit::default() };
    let mut out = ManifestHeader::new(NONCE).encode();
    let mut record = |record_type, seq, durable_seq, payload: &[u8]| {
        let offset = out.len();
        encode_record(
            &mut out,
            NONCE,
            offset,
            RecordHead { record_type, seq, durable_seq },
            payload,
        );
    };
    record(RECORD_TYPE_SNAPSHOT, 0, 0, &encode_edit(&begun, new.next_file));
    record(RECORD_TYPE_EDIT, 1, 0, &encode_edit(&edit(), 3));
    record(RECORD_TYPE_MARK, 1, 1, &[]);
    out
}

#[test]
fn the_header_tables_are_those_of_the_code() {
    assert_fields("### Manifest header", &MANIFEST_HEADER_FIELDS, MANIFEST_HEADER_BYTES);
    assert_fields("### Manifest record", &RECORD_HEADER_FIELDS, RECORD_HEADER_BYTES);
    let version = rows("### Manifest header").find(|row| row[2] == "`version`").unwrap()[4];
    assert_eq!(version, MANIFEST_VERSION.to_string());
    let manifest_magic = String::from_utf8(MANIFEST_MAGIC.to_vec()).unwrap();
    let record_magic = RECORD_MAGIC.map(|byte| format!("{byte:02x}")).join(" ");
    assert_eq!(unquoted(rows("### Manifest header").next().unwrap()[4]), manifest_magic);
    assert_eq!(unquoted(rows("### Manifest record").next().unwrap()[4]), record_magic);
}

#[test]
fn the_types_tags_and_limits_are_those_of_the_code() {
    let types: Vec<(String, &str)> = rows("### Manifest record")
        .skip_while(|row| row[0] != "---")
        .skip(1)
        .map(|row| (row[0].to_owned(), unquoted(row[1])))
        .collect();
    let expected = [
        (RECORD_TYPE_SNAPSHOT.to_string(), "RECORD_TYPE_SNAPSHOT"),
        (RECORD_TYPE_EDIT.to_string(), "RECORD_TYPE_EDIT"),
        (RECORD_TYPE_MARK.to_string(), "RECORD_TYPE_MARK"),
    ];
    assert_eq!(types, expected);
    let payload = section("### Manifest payload");
    for (value, name) in [
        (PRESENT_WAL_SEQ, "PRESENT_WAL_SEQ"),
        (PRESENT_NEXT_REF, "PRESENT_NEXT_REF"),
        (KIND_REGISTRY_BASE, "KIND_REGISTRY_BASE"),
        (KIND_REGISTRY_DELTA, "KIND_REGISTRY_DELTA"),
        (KIND_SPILL, "KIND_SPILL"),
        (KIND_BLOCK, "KIND_BLOCK"),
    ] {
        assert!(payload.contains(&format!("{value} `{name}`")), "{name}");
    }
    let limits: Vec<(&str, u64)> = rows("### Manifest limits")
        .map(|row| (unquoted(row[0]), row[1].parse().unwrap()))
        .collect();
    let expected = [
        ("MANIFEST_HEADER_BYTES", MANIFEST_HEADER_BYTES as u64),
        ("RECORD_HEADER_BYTES", RECORD_HEADER_BYTES as u64),
        ("RECORD_ALIGN_BYTES", RECORD_ALIGN_BYTES as u64),
        ("RECORD_PAYLOAD_MAX_BYTES", RECORD_PAYLOAD_MAX_BYTES as u64),
        ("FILE_NUMBER_MAX", FILE_NUMBER_MAX),
        ("MANIFEST_GROWTH_BYTES", MANIFEST_GROWTH_BYTES),
    ];
    assert_eq!(limits, expected);
}

#[test]
fn the_names_are_those_of_the_code() {
    let names = section("## Directory");
    let ulid = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    for (id, base) in [
        (FileId::RegistryBase(1), "a registry file"),
        (FileId::Spill(2), "a spill"),
        (FileId::Block(ulid), "a block"),
    ] {
        let line = names.lines().find(|line| line.ends_with(base)).unwrap();
        let path = id.path(Path::new(""));
        assert_eq!(
            Some(line.split_whitespace().next().unwrap()),
            path.file_name().unwrap().to_str()
        );
        assert!(names.contains(&format!("\n  {}/ ", path.parent().unwrap().display())));
    }
    for name in [MANIFEST_FILE, MANIFEST_UNFINISHED, LOCK_FILE] {
        assert!(names.contains(&format!("\n  {name} ")), "{name}");
    }
    for name in [QUARANTINE_DIR, SNAPSHOTS_DIR] {
        assert!(names.contains(&format!("\n  {name}/ ")), "{name}");
    }
}

#[test]
fn the_example_is_what_the_text_says_and_what_the_code_writes() {
    let bytes = example_bytes(EXAMPLE);
    assert_eq!(ManifestHeader::decode(&bytes).unwrap(), ManifestHeader::new(NONCE));
    let snapshot = decode_record_header(&bytes, NONCE, MANIFEST_HEADER_BYTES).unwrap();
    let record = decode_record_header(&bytes, NONCE, snapshot.end()).unwrap();
    assert_eq!(decode_edit(record.payload(&bytes).unwrap()).unwrap(), (edit(), 3));
    assert_eq!(described(), bytes);
    for (start, fields) in [
        (0, &MANIFEST_HEADER_FIELDS[..]),
        (MANIFEST_HEADER_BYTES, &RECORD_HEADER_FIELDS),
        (snapshot.end(), &RECORD_HEADER_FIELDS),
    ] {
        assert_example_names(EXAMPLE, start, fields);
    }
}

#[test]
fn the_example_is_a_manifest_that_opens() {
    let disk = SimDisk::new();
    disk.create(&Path::new("/").join(MANIFEST_FILE))
        .unwrap()
        .append(&example_bytes(EXAMPLE))
        .unwrap();
    let (state, report) = Manifest::read_only(&disk, Path::new("/")).unwrap();
    assert_eq!((report.edits, report.torn_bytes), (1, 0));
    assert_eq!((state.wal_seq, state.next_ref, state.next_file), (9, 8, 3));
    assert!(state.files.values().eq(&edit().add));
}
