//! Any bytes as the last segment of a log: replay gives records or says what is wrong, and a second replay says the same.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::wal::{ReplayReport, WalError, replay};

fn records(disk: &SimDisk) -> Result<(ReplayReport, Vec<u64>), WalError> {
    let mut seqs = Vec::new();
    let report = replay(disk, Path::new("data"), 0, &mut |seq, record| {
        seqs.push(seq);
        record.definitions().for_each(drop);
        record.samples().for_each(drop);
        Ok(())
    })?;
    Ok((report, seqs))
}

fuzz_target!(|bytes: &[u8]| {
    let disk = SimDisk::new();
    let dir = Path::new("data/wal");
    let written = disk.create_dir(dir).and_then(|()| disk.create(&dir.join("00000001.wal")));
    let Ok(mut file) = written else { panic!("an empty simulated disk takes a file") };
    assert!(file.append(bytes).and_then(|()| file.sync()).is_ok());
    drop(file);
    if let Ok((first, seqs)) = records(&disk) {
        assert!(seqs.is_sorted());
        match records(&disk) {
            Ok((second, again)) => {
                assert_eq!(again, seqs);
                assert_eq!(second.last_seq, first.last_seq);
            }
            Err(error) => panic!("the second replay fails: {error}"),
        }
    }
});
