//! The data directory: whose it is, what of it a power cut may take, when it is free again.

use std::path::Path;

use silverback::db::{Db, OpenError, Options, Threads};
use silverback::fs::Disk;
use silverback::fs::sim::{Fault, Kind, Limits, SimDisk};
use silverback::sync::Arc;

use crate::fixture::{Contents, apply, batch, contents, options, write};

fn deep(disk: &SimDisk) -> Options {
    Options { path: "a/b/data".into(), ..options(disk) }
}

/// Writes, acknowledges, and opens every image of a later power cut.
fn write_and_cut(disk: &SimDisk) -> usize {
    let points = [(1, 1_000, 1.0)];
    let db = Db::open(deep(disk)).unwrap();
    write(&db, &points).unwrap();
    disk.note(1);
    let mut expected = Contents::new();
    apply(&mut expected, &points);
    disk.images(&Limits { per_point_max: 256, seed: 1 }, &mut |image| {
        let db = Db::open(deep(&image.disk)).unwrap();
        let found = contents(&db.view());
        assert!(image.notes.is_empty() || found == expected, "power cut at {}", image.point);
    })
}

#[test]
fn new_directories_above_the_data_survive_a_power_cut() {
    assert!(write_and_cut(&SimDisk::new()) > 20);
}

#[test]
fn they_survive_it_too_when_a_process_died_while_it_made_them() {
    for nth in 0..12 {
        let disk = SimDisk::new();
        disk.fail(Fault::forever(Kind::Mutation, nth, libc::EIO));
        drop(Db::open(deep(&disk)));
        disk.clear_faults();
        write_and_cut(&disk.kill());
    }
}

#[test]
fn an_existing_directory_opens_though_its_parent_cannot_be_opened() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    write(&db, &[(1, 1_000, 1.0)]).unwrap();
    db.close().unwrap();
    disk.fail(Fault::forever(Kind::SyncDir, 0, libc::EACCES));
    let db = Db::open(options(&disk)).unwrap();
    assert_eq!(contents(&db.view()).len(), 1);
}

#[test]
fn a_directory_in_use_names_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let real = || Options { threads: Threads::Stepped, ..Options::new(directory.path()) };
    let db = Db::open(real()).unwrap();
    let error = Db::open(real()).err().unwrap().to_string();
    let holder = format!("process {}", std::process::id());
    assert!(error.contains(&holder) && error.contains("--storage.tsdb.path"), "{error}");
    drop(db);
}

#[test]
fn a_dropped_database_holds_its_directory_until_its_threads_are_done() {
    let disk = SimDisk::new();
    let own = || Options { threads: Threads::Own, ..options(&disk) };
    let db = Db::open(own()).unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    db.submit(batch(&[(1, 1_000, 1.0)]), move |outcome| {
        done.send(outcome.unwrap().written).unwrap();
        let _ = may_go_on.recv();
    });
    assert_eq!(is_done.recv().unwrap(), 1);
    drop(db);
    assert!(matches!(Db::open(own()), Err(OpenError::Locked { .. })), "a thread still runs");
    go_on.send(()).unwrap();
    let db = loop {
        match Db::open(own()) {
            Ok(db) => break db,
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(contents(&db.view()).len(), 1);
    db.close().unwrap();
}

#[test]
fn a_directory_without_a_log_is_new() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("data/lost+found")).unwrap();
    let disk_of = Arc::new(disk.clone());
    let db = Db::open(Options { disk: disk_of, ..options(&disk) }).unwrap();
    assert!(contents(&db.view()).is_empty());
}
