//! Which kind a file is of, and its bytes. A name tells the kind, in a data directory or anywhere else.

use std::path::Path;

use silverback::db::manifest::layout::{
    BLOCK_SUFFIX, MANIFEST_FILE, REGISTRY_SUFFIX, SPILL_SUFFIX,
};
use silverback::error;
use silverback::fs::Disk;
use silverback::fs::os::OsDisk;
use silverback::wal::layout::SEGMENT_SUFFIX;

use crate::Failure;

/// What a file of a data directory can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Manifest,
    Segment,
    Registry,
    Spill,
    Block,
}

impl Kind {
    /// The kind that the name of a file tells; a failure that lists the names there are.
    pub fn of(path: &Path) -> Result<Kind, Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let kinds = [
            (SEGMENT_SUFFIX, Kind::Segment),
            (REGISTRY_SUFFIX, Kind::Registry),
            (SPILL_SUFFIX, Kind::Spill),
            (BLOCK_SUFFIX, Kind::Block),
        ];
        match kinds.iter().find(|(suffix, _)| name.ends_with(suffix)) {
            Some((_, kind)) => Ok(*kind),
            None if name.starts_with(MANIFEST_FILE) => Ok(Kind::Manifest),
            None => Err(format!(
                "{path:?} is no file of a data directory: give it {MANIFEST_FILE}, a segment of the log \
                 (*{SEGMENT_SUFFIX}), a registry file (*{REGISTRY_SUFFIX}), a spill (*{SPILL_SUFFIX}) or a block \
                 (*{BLOCK_SUFFIX})"
            )),
        }
    }
}

/// The number at the front of a file's name; 0 if there is none.
pub fn number(path: &Path) -> u64 {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.parse().ok()).unwrap_or(0)
}

/// All of a file.
pub fn read(path: &Path) -> Result<bytes::Bytes, Failure> {
    let read = || {
        let blob = OsDisk.open(path)?;
        let bytes = blob.bytes(0, usize::try_from(blob.len()).unwrap_or(usize::MAX))?;
        let bytes = bytes::Bytes::copy_from_slice(&bytes);
        blob.check().map(|()| bytes)
    };
    read().map_err(|error: std::io::Error| format!("cannot read {path:?}: {error}"))
}

/// An error with its causes, as a failure.
pub fn failure(error: impl std::error::Error) -> Failure {
    error::chain(&error)
}
