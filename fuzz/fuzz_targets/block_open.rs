//! A block with some bytes changed and checksums that are right all the same: it is refused, or answers, or says what is
//! wrong.
//!
//! The input: per change three bytes, of which two say where, the third what is there then.

#![no_main]

use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use silverback::block::layout::BLOCK;
use silverback::block::{Block, BlockSource};
use silverback::fs::Disk;
use silverback::fs::sealed::{SealedFile, SealedWriter};
use silverback::fs::sim::SimDisk;
use silverback::model::{MatchOp, Matcher, TimeRange};
use silverback::read::{Columns, Source};

const WHOLE: &[u8] = include_bytes!("../../tests/fixtures/block-v1.sbb");
const PATH: &str = "block";

/// The data and the footer of the whole block.
fn parts() -> Option<(Vec<u8>, Vec<u8>)> {
    let disk = SimDisk::new();
    disk.create(Path::new(PATH)).and_then(|mut file| file.append(WHOLE)).ok()?;
    let file = SealedFile::open(&disk, Path::new(PATH), BLOCK).ok()?;
    let data = file.bytes(0, file.data_len() as usize).ok()?.to_vec();
    Some((data, file.footer().to_vec()))
}

fn forged(changes: &[u8]) -> Option<SimDisk> {
    let (mut data, mut footer) = parts()?;
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        let at = at % (data.len() + footer.len());
        match at.checked_sub(data.len()) {
            None => data[at] = change[2],
            Some(at) => footer[at] = change[2],
        }
    }
    let disk = SimDisk::new();
    let mut writer = SealedWriter::create(&disk, Path::new(PATH), BLOCK).ok()?;
    writer.write(&data).ok()?;
    writer.finish(&footer).ok()?;
    Some(disk)
}

fn ask(block: &Arc<Block>) -> Option<()> {
    let source = BlockSource(block.clone());
    let mut out = Columns::default();
    for (op, value) in [(MatchOp::Regex, "host-.*"), (MatchOp::NotEqual, "host-0:9100")] {
        let matcher = Matcher::new("instance", op, value).ok()?;
        let Ok(set) = source.select(&[matcher], TimeRange::ALL) else { continue };
        for (index, labels) in set.labels().unwrap_or_default().iter().enumerate() {
            let _ = set.read(index, TimeRange::ALL, &mut out);
            let _ = block.lookup(labels, labels.fingerprint(), 1_700_000_600_000);
        }
    }
    let _ = source.label_values("path", &[], TimeRange::ALL);
    let mut cursor = block.cursor(TimeRange::ALL);
    while !matches!(cursor.next(&mut out), Ok(None)) {}
    let _ = block.contents();
    Some(())
}

fuzz_target!(|changes: &[u8]| {
    let Some(disk) = forged(changes) else { panic!("the whole block can be written again") };
    if let Ok(block) = Block::open(&disk, Path::new(PATH)) {
        let block = Arc::new(block);
        ask(&block);
        block.verify();
    }
});
