//! Executes the chapter of sealed files in `storage-format.md`: its tables must be those of `fs::sealed::layout`. Whole files
//! are in the examples of the kinds.

use silverback::fs::sealed::layout::*;

use crate::storage_format::{rows, unquoted};

#[test]
fn the_trailer_table_is_that_of_the_code() {
    let offsets = [
        ("data_len", TRAILER_DATA_LEN_OFFSET),
        ("footer_len", TRAILER_FOOTER_LEN_OFFSET),
        ("table_crc", TRAILER_TABLE_CRC_OFFSET),
        ("footer_crc", TRAILER_FOOTER_CRC_OFFSET),
        ("reserved", TRAILER_RESERVED_OFFSET),
        ("version", TRAILER_VERSION_OFFSET),
        ("magic", TRAILER_MAGIC_OFFSET),
        ("trailer_crc", TRAILER_CRC_OFFSET),
    ];
    let told: Vec<(&str, usize)> =
        rows("### Sealed trailer").map(|row| (unquoted(row[2]), row[0].parse().unwrap())).collect();
    assert_eq!(told, offsets);
    let ends = offsets[1..].iter().map(|(_, offset)| *offset).chain([TRAILER_BYTES]);
    for (row, ((_, start), end)) in rows("### Sealed trailer").zip(offsets.into_iter().zip(ends)) {
        assert_eq!(row[1], (end - start).to_string(), "{row:?}");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let told: Vec<(&str, usize)> =
        rows("### Sealed limits").map(|row| (unquoted(row[0]), row[1].parse().unwrap())).collect();
    let limits = [
        ("PAGE_BYTES", PAGE_BYTES),
        ("PAGE_CRC_BYTES", PAGE_CRC_BYTES),
        ("FOOTER_MAX_BYTES", FOOTER_MAX_BYTES),
        ("TRAILER_BYTES", TRAILER_BYTES),
    ];
    assert_eq!(told, limits);
}
