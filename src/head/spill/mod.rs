//! Spill files: samples that left memory before their window is over, by series ref. Written from sealed generations and from
//! smaller spills, read by queries and by whoever makes a block of them. The labels are in the registry files, not here.

pub mod layout;
mod reader;
mod verify;
mod writer;

pub use reader::{Spill, SpillCursor};
pub use writer::SpillWriter;

use super::run::Part;
use crate::model::{CommitSeq, TimeRange, Timestamp};

/// What the footer of a spill says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpillMeta {
    pub part: Part,
    /// Sequences of the first and the last request that may have samples in it.
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    /// First and last timestamp.
    pub range: TimeRange,
    pub series: u64,
    pub samples: u64,
    /// How often its samples were merged into a larger spill.
    pub tier: u8,
    /// The wall clock when its oldest part was written.
    pub created_ms: Timestamp,
}

/// What a writer is told that it cannot know.
#[derive(Debug, Clone, Copy)]
pub struct SpillOptions {
    pub part: Part,
    pub min_seq: CommitSeq,
    pub max_seq: CommitSeq,
    pub tier: u8,
    pub created_ms: Timestamp,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::fs::Disk;
    use crate::fs::sealed::FileError;
    use crate::fs::sim::SimDisk;
    use crate::head::chunk_list::put_chunk;
    use crate::head::chunks::ChunkEncoder;
    use crate::model::SeriesRef;

    const PATH: &str = "spill/1";
    const OPTIONS: SpillOptions = SpillOptions {
        part: Part::Window(7_200_000),
        min_seq: 3,
        max_seq: 9,
        tier: 1,
        created_ms: 12_345,
    };

    fn list(first: i64, samples: i64) -> Vec<u8> {
        let timestamps: Vec<i64> = (0..samples).map(|i| first + i * 1000).collect();
        let floats: Vec<f64> = timestamps.iter().map(|t| *t as f64).collect();
        let mut list = Vec::new();
        let put = |_, count, bytes: &[u8]| put_chunk(&mut list, count, bytes);
        ChunkEncoder::default().encode(&timestamps, &floats, put);
        list
    }

    fn write(series: &[(u64, Vec<u8>)]) -> (SimDisk, Result<Spill, FileError>) {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("spill")).unwrap();
        let mut writer = SpillWriter::create(&disk, Path::new(PATH)).unwrap();
        for (series, list) in series {
            writer.push(SeriesRef(*series), TimeRange::new(5, 5_000), 5, list).unwrap();
        }
        let (meta, summary) = writer.finish(OPTIONS).unwrap();
        let spill = Spill::open(&disk, Path::new(PATH), 1);
        if let Ok(spill) = &spill {
            assert_eq!((spill.meta(), spill.file().checksum()), (meta, summary.checksum));
        }
        (disk, spill)
    }

    proptest! {
        #[test]
        fn every_series_is_found_and_no_other(
            refs in prop::collection::btree_set(
                prop_oneof![1u64..300, 1000u64..1100, (1u64 << 40)..(1 << 40) + 70, 1u64..1 << 62], 0..200),
            others in prop::collection::vec(1u64..400, 20),
        ) {
            let series: Vec<(u64, Vec<u8>)> =
                refs.iter().map(|r| (*r, list((*r % 1000) as i64, 1 + (*r % 5) as i64))).collect();
            let (_, spill) = write(&series);
            let spill = spill.unwrap();
            prop_assert_eq!(spill.meta().series, series.len() as u64);
            prop_assert_eq!(spill.meta().samples, 5 * series.len() as u64);
            for (series, list) in &series {
                prop_assert_eq!(spill.chunks(SeriesRef(*series)).unwrap(), Some(list.as_slice()));
            }
            for other in others.into_iter().filter(|other| !refs.contains(other)) {
                prop_assert_eq!(spill.chunks(SeriesRef(other)).unwrap(), None);
            }
            let mut cursor = spill.cursor();
            for (series, list) in &series {
                prop_assert_eq!(cursor.next().unwrap(), Some((SeriesRef(*series), list.as_slice())));
            }
            prop_assert_eq!(cursor.next().unwrap(), None);
        }
    }

    #[test]
    fn damage_is_found() {
        let series: Vec<(u64, Vec<u8>)> = (1..200).map(|r| (r, list(r as i64, 9))).collect();
        let len = write(&series).1.unwrap().file().len_bytes();
        for offset in (0..len).step_by(37) {
            let (disk, _) = write(&series);
            disk.corrupt(Path::new(PATH), offset, 0x40).unwrap();
            let Ok(spill) = Spill::open(&disk, Path::new(PATH), 1) else { continue };
            assert!(spill.chunks(SeriesRef(7)).is_err(), "all data is in one page: {offset}");
        }
    }
}
