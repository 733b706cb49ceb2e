//! Registry files: what is in their footers. Their meaning is told in `storage-format.md`.

use crate::encoding::cursor::Cursor;
use crate::error::Corrupt;
use crate::fs::sealed::Kind;
use crate::fs::sealed::layout::FOOTER_MAX_BYTES;
use crate::head::base_refs::RefSections;
use crate::index::image::layout::{ImageLayout, Section};

/// Of registry files.
pub const FILE_KIND: Kind = Kind { magic: *b"SBREGIST", version: 1 };

/// The content of a registry file, as the first number of its footer tells it.
pub const CONTENT_BASE: u32 = 0;
pub const CONTENT_DELTA: u32 = 1;

/// Bytes of the fields that both contents have.
pub const HEAD_BYTES: usize = 24;

/// Bytes of the end of a portion of a delta.
pub const PORTION_END_BYTES: usize = 8;

/// Portions of a delta: their ends leave half of a footer's greatest size free.
pub const PORTIONS_MAX: usize = FOOTER_MAX_BYTES / 2 / PORTION_END_BYTES;

/// What both contents say of the series in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FooterHead {
    pub series_count: u32,
    /// When the file was written all refs below had been given, and none from it on.
    pub next_ref: u64,
    /// The highest ref in the file, 0 if there is none.
    pub highest_ref: u64,
}

/// A footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    pub head: FooterHead,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Base {
        image: ImageLayout,
        refs: RefSections,
    },
    /// The ends of the portions.
    Delta {
        portion_ends: Vec<u64>,
    },
}

impl Footer {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let content = match self.content {
            Content::Base { .. } => CONTENT_BASE,
            Content::Delta { .. } => CONTENT_DELTA,
        };
        out.extend_from_slice(&content.to_le_bytes());
        out.extend_from_slice(&self.head.series_count.to_le_bytes());
        out.extend_from_slice(&self.head.next_ref.to_le_bytes());
        out.extend_from_slice(&self.head.highest_ref.to_le_bytes());
        match &self.content {
            Content::Base { image, refs } => {
                image.encode(&mut out);
                refs.ref_runs.encode(&mut out);
                refs.other_refs.encode(&mut out);
            }
            Content::Delta { portion_ends } => {
                portion_ends.iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
            }
        }
        out
    }

    /// # Errors
    /// It is not a footer. Whether its sections fit the file is not looked at.
    pub fn decode(bytes: &[u8]) -> Result<Footer, Corrupt> {
        let mut cursor = Cursor::new(bytes);
        let content = cursor.u32("content of the registry file")?;
        let head = FooterHead {
            series_count: cursor.u32("series count")?,
            next_ref: cursor.u64("next ref")?,
            highest_ref: cursor.u64("highest ref")?,
        };
        if head.highest_ref > 0 && head.highest_ref >= head.next_ref {
            return Err(cursor.corrupt("highest ref"));
        }
        let content = match content {
            CONTENT_BASE => {
                let image = ImageLayout::decode(&mut cursor)?;
                let ref_runs = Section::decode(&mut cursor)?;
                let refs = RefSections { ref_runs, other_refs: Section::decode(&mut cursor)? };
                Content::Base { image, refs }
            }
            CONTENT_DELTA => {
                let mut portion_ends = Vec::new();
                while !cursor.is_empty() {
                    portion_ends.push(cursor.u64("portion end")?);
                }
                Content::Delta { portion_ends }
            }
            _ => return Err(Corrupt::at(0, "content of the registry file")),
        };
        match cursor.is_empty() {
            true => Ok(Footer { head, content }),
            false => Err(cursor.corrupt("end of the footer")),
        }
    }
}
