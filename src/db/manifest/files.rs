//! The files that a manifest lists: what identifies one, where it lies, what is known of it without opening it. Nothing
//! here touches a disk.

use std::path::{Path, PathBuf};

use super::layout::*;
use crate::model::{CommitSeq, TimeRange, Timestamp};

/// Characters of a ULID as text.
const ULID_CHARS: usize = 26;
/// Crockford's base 32: no I, L, O and U.
const ULID_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One file. Registry files and spills are numbered from one counter; blocks are named by a ULID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FileId {
    RegistryBase(u64),
    RegistryDelta(u64),
    Spill(u64),
    Block(u128),
}

impl FileId {
    /// Its path in the data directory `dir`.
    pub fn path(self, dir: &Path) -> PathBuf {
        self.name().path(dir)
    }

    pub fn name(self) -> FileName {
        match self {
            FileId::RegistryBase(number) | FileId::RegistryDelta(number) => {
                FileName::Registry(number)
            }
            FileId::Spill(number) => FileName::Spill(number),
            FileId::Block(ulid) => FileName::Block(ulid),
        }
    }

    /// Is it a base or a delta?
    pub fn is_registry(self) -> bool {
        matches!(self, FileId::RegistryBase(_) | FileId::RegistryDelta(_))
    }

    /// Its number in the one counter; None for a block.
    pub fn number(self) -> Option<u64> {
        self.name().number()
    }
}

/// What the name of a file tells of it: not whether a registry file is a base or a delta.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FileName {
    Registry(u64),
    Spill(u64),
    Block(u128),
}

impl FileName {
    /// Its path in the data directory `dir`.
    pub fn path(self, dir: &Path) -> PathBuf {
        let (folder, name) = match self {
            FileName::Registry(number) => (REGISTRY_DIR, numbered(number, REGISTRY_SUFFIX)),
            FileName::Spill(number) => (SPILL_DIR, numbered(number, SPILL_SUFFIX)),
            FileName::Block(ulid) => (BLOCKS_DIR, ulid_text(ulid) + BLOCK_SUFFIX),
        };
        dir.join(folder).join(name)
    }

    /// Reads the name of a file in one of the folders; None for any that this program does not give.
    pub fn parse(folder: &str, name: &str) -> Option<FileName> {
        match folder {
            REGISTRY_DIR => number(name, REGISTRY_SUFFIX).map(FileName::Registry),
            SPILL_DIR => number(name, SPILL_SUFFIX).map(FileName::Spill),
            BLOCKS_DIR => name.strip_suffix(BLOCK_SUFFIX).and_then(ulid).map(FileName::Block),
            _ => None,
        }
    }

    /// Its number in the one counter; None for a block.
    pub fn number(self) -> Option<u64> {
        match self {
            FileName::Registry(number) | FileName::Spill(number) => Some(number),
            FileName::Block(_) => None,
        }
    }
}

/// What is known of a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    pub id: FileId,
    pub len_bytes: u64,
    /// Commit sequences of what is in it, both inclusive.
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    /// Of its samples; empty for registry files.
    pub range: TimeRange,
    /// Start of the window in which all its samples lie, for a spill that has one.
    pub window: Option<Timestamp>,
    /// Tells this file from any other under its name: for now the CRC of its trailer.
    pub checksum: u64,
}

fn numbered(number: u64, suffix: &str) -> String {
    format!("{number:0width$}{suffix}", width = NUMBER_NAME_DIGITS)
}

fn number(name: &str, suffix: &str) -> Option<u64> {
    let number = name.strip_suffix(suffix)?.parse().ok()?;
    let is_ours = (1..=FILE_NUMBER_MAX).contains(&number) && numbered(number, suffix) == name;
    is_ours.then_some(number)
}

/// A ULID as text: 26 digits of five bits, the most significant first.
fn ulid_text(ulid: u128) -> String {
    let digit = |at: usize| {
        let value = ulid >> (5 * (ULID_CHARS - 1 - at)) & 0x1f;
        char::from(ULID_DIGITS[value as usize])
    };
    (0..ULID_CHARS).map(digit).collect()
}

/// Reads a ULID in the one spelling that [`ulid_text`] gives.
fn ulid(text: &str) -> Option<u128> {
    let mut ulid = 0u128;
    for byte in text.bytes() {
        let value = ULID_DIGITS.iter().position(|digit| *digit == byte)?;
        ulid = ulid.checked_mul(32)?.checked_add(value as u128)?;
    }
    (text.len() == ULID_CHARS).then_some(ulid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(name: FileName) -> Option<FileName> {
        let path = name.path(Path::new("d"));
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        FileName::parse(folder, path.file_name().unwrap().to_str().unwrap())
    }

    #[test]
    fn names_are_canonical() {
        let ulid = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        for (id, path) in [
            (FileId::RegistryBase(1), "d/registry/00000001.sbr"),
            (FileId::RegistryDelta(123_456_789), "d/registry/123456789.sbr"),
            (FileId::Spill(7), "d/spill/00000007.sbs"),
            (FileId::Block(ulid), "d/blocks/014D2PF2DBSQQG28T5CY4TQKFF.sbb"),
            (FileId::Block(u128::MAX), "d/blocks/7ZZZZZZZZZZZZZZZZZZZZZZZZZ.sbb"),
        ] {
            assert_eq!(id.path(Path::new("d")), Path::new(path));
            assert_eq!(parsed(id.name()), Some(id.name()));
        }
        for (folder, name) in [
            ("registry", "00000001.sbs"),
            ("registry", "1.sbr"),
            ("spill", "00000000.sbs"),
            ("spill", "+0000001.sbs"),
            ("spill", "00000001.sbs.tmp"),
            ("spill", "99999999999999999999.sbs"),
            ("blocks", "00000001.sbb"),
            ("blocks", "014d2pf2dbsqqg28t5cy4tqkff.sbb"),
            ("blocks", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ.sbb"),
            ("wal", "00000001.wal"),
        ] {
            assert_eq!(FileName::parse(folder, name), None, "{folder}/{name}");
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(number in 1..=FILE_NUMBER_MAX, ulid: u128) {
            for name in
                [FileName::Registry(number), FileName::Spill(number), FileName::Block(ulid)]
            {
                prop_assert_eq!(parsed(name), Some(name));
            }
        }
    }
}
