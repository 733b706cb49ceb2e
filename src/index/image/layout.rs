//! Sizes and fields of an index image; their meaning is told in `storage-format.md`.

use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;

/// Every section begins at a multiple of this, so that a line of a table is a cache line.
pub const SECTION_ALIGN_BYTES: usize = 64;

/// Bytes of an end in an array of ends. Text and rows of some 10 billion series stay below 2^40 bytes.
pub const END_BYTES: usize = 5;

/// Bytes of an id in an array of ids.
pub const ID_BYTES: usize = 4;

/// A line of a hash table: ids, then their tags, then how many there are.
pub const LINE_BYTES: usize = 64;
pub const LINE_IDS_MAX: usize = 12;
pub const LINE_TAGS_OFFSET: usize = LINE_IDS_MAX * ID_BYTES;
pub const LINE_COUNT_OFFSET: usize = LINE_TAGS_OFFSET + LINE_IDS_MAX;

/// A table has so many lines that this many ids would fill each: beyond four fifths, searches run over several lines.
pub const LINE_IDS_MEAN: f64 = 9.6;

/// A part of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Section {
    pub offset: u64,
    pub len_bytes: u64,
}

/// The sections of an image, in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sections {
    pub names: Section,
    pub name_ends: Section,
    pub name_pairs: Section,
    pub pairs: Section,
    pub pair_ends: Section,
    pub pair_table: Section,
    pub rows: Section,
    pub row_ends: Section,
    pub row_table: Section,
    pub ranks: Section,
}

/// Sections of an image.
pub const SECTION_COUNT: usize = 10;

/// Bytes of an encoded [`ImageLayout`].
pub const IMAGE_LAYOUT_BYTES: usize = 3 * 4 + 2 * 8 + SECTION_COUNT * 16;

/// What a reader must know of an image: part of the footer of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImageLayout {
    pub name_count: u32,
    pub pair_count: u32,
    pub slot_count: u32,
    /// Of the hashes in the table of pairs.
    pub pair_seed: u64,
    /// Of the hashes in the table of rows.
    pub row_seed: u64,
    pub sections: Sections,
}

impl Sections {
    /// Names and sections in order.
    pub fn named(&self) -> [(&'static str, Section); SECTION_COUNT] {
        [
            ("names", self.names),
            ("name_ends", self.name_ends),
            ("name_pairs", self.name_pairs),
            ("pairs", self.pairs),
            ("pair_ends", self.pair_ends),
            ("pair_table", self.pair_table),
            ("rows", self.rows),
            ("row_ends", self.row_ends),
            ("row_table", self.row_table),
            ("ranks", self.ranks),
        ]
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Sections, Corrupt> {
        Ok(Sections {
            names: Section::decode(cursor)?,
            name_ends: Section::decode(cursor)?,
            name_pairs: Section::decode(cursor)?,
            pairs: Section::decode(cursor)?,
            pair_ends: Section::decode(cursor)?,
            pair_table: Section::decode(cursor)?,
            rows: Section::decode(cursor)?,
            row_ends: Section::decode(cursor)?,
            row_table: Section::decode(cursor)?,
            ranks: Section::decode(cursor)?,
        })
    }
}

impl Section {
    pub fn encode(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.len_bytes.to_le_bytes());
    }

    /// # Errors
    /// The bytes end before.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<Section, Corrupt> {
        let offset = cursor.u64("section offset")?;
        Ok(Section { offset, len_bytes: cursor.u64("section length")? })
    }

    /// Does it lie within so many bytes of data?
    pub fn is_within(self, data_len: u64) -> bool {
        self.offset.checked_add(self.len_bytes).is_some_and(|end| end <= data_len)
    }

    /// Does it hold exactly so many elements of this size?
    pub fn holds(self, count: u64, each_bytes: usize) -> bool {
        count.checked_mul(each_bytes as u64) == Some(self.len_bytes)
    }
}

impl ImageLayout {
    pub fn encode(&self, out: &mut Vec<u8>) {
        for count in [self.name_count, self.pair_count, self.slot_count] {
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&self.pair_seed.to_le_bytes());
        out.extend_from_slice(&self.row_seed.to_le_bytes());
        self.sections.named().into_iter().for_each(|(_, section)| section.encode(out));
    }

    /// # Errors
    /// The bytes end before.
    pub fn decode(cursor: &mut Cursor<'_>) -> Result<ImageLayout, Corrupt> {
        Ok(ImageLayout {
            name_count: cursor.u32("label name count")?,
            pair_count: cursor.u32("label pair count")?,
            slot_count: cursor.u32("series count")?,
            pair_seed: cursor.u64("seed of the pair table")?,
            row_seed: cursor.u64("seed of the row table")?,
            sections: Sections::decode(cursor)?,
        })
    }

    /// Do the sections lie in a file with so much data, and have the lengths that go with the counts? After this, an
    /// id below its count has its place in every array.
    ///
    /// # Errors
    /// What does not fit.
    pub fn check(&self, data_len: u64) -> Result<(), &'static str> {
        let sections = &self.sections;
        let (names, pairs) = (u64::from(self.name_count), u64::from(self.pair_count));
        let slots = u64::from(self.slot_count);
        if sections.named().iter().any(|(_, section)| !section.is_within(data_len)) {
            return Err("section beyond the data");
        }
        let has_lengths = sections.name_ends.holds(names, END_BYTES)
            && sections.name_pairs.holds(names, ID_BYTES)
            && sections.pair_ends.holds(pairs, END_BYTES)
            && sections.row_ends.holds(slots, END_BYTES)
            && sections.ranks.holds(slots, ID_BYTES)
            && sections.pair_table.len_bytes.is_multiple_of(LINE_BYTES as u64)
            && sections.row_table.len_bytes.is_multiple_of(LINE_BYTES as u64);
        if !has_lengths {
            return Err("section length");
        }
        match (names, pairs) {
            (0, 1..) => Err("label name count"),
            _ => Ok(()),
        }
    }
}
