//! One suite over the real and the simulated disk: what both must do alike.

use std::io::ErrorKind;
use std::path::Path;

use super::os::OsDisk;
use super::sim::SimDisk;
use super::{Append, Disk};

/// Runs a check in a fresh directory of each disk.
fn on_both(check: fn(&dyn Disk, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    check(&OsDisk, dir.path());
    let sim = SimDisk::new();
    sim.create_dir(Path::new("data")).unwrap();
    check(&sim, Path::new("data"));
    sim.create_dir(Path::new("/var/data")).unwrap();
    check(&sim, Path::new("/var/data"));
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Box<dyn Append> {
    let mut file = disk.create(path).unwrap();
    file.append(bytes).unwrap();
    file
}

fn read(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let blob = disk.open(path).unwrap();
    let bytes = blob.bytes(0, blob.len() as usize).unwrap();
    blob.check().unwrap();
    bytes.to_vec()
}

#[test]
fn a_file_reads_back_what_was_appended() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        let mut file = write(disk, &path, b"hello ");
        file.append(b"").unwrap();
        file.append(b"world").unwrap();
        assert_eq!(file.len(), 11);
        file.sync().unwrap();
        assert_eq!(read(disk, &path), b"hello world");
        let blob = disk.open(&path).unwrap();
        assert_eq!(&blob.bytes(6, 3).unwrap()[..], b"wor");
        assert_eq!(&blob.bytes(11, 0).unwrap()[..], b"");
    });
}

#[test]
fn a_name_is_created_once() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        drop(disk.create(&path).unwrap());
        assert_eq!(disk.create(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(disk.create(dir).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let orphan = dir.join("missing").join("file");
        assert_eq!(disk.create(&orphan).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn an_empty_file_is_read() {
    on_both(|disk, dir| {
        let path = dir.join("empty");
        assert!(disk.create(&path).unwrap().is_empty());
        let blob = disk.open(&path).unwrap();
        assert!(blob.is_empty());
        assert!(blob.bytes(0, 0).unwrap().is_empty());
        assert_eq!(blob.bytes(0, 1).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn reads_beyond_the_end_are_refused() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        drop(write(disk, &path, b"12345"));
        let blob = disk.open(&path).unwrap();
        for (offset, len) in [(0, 6), (5, 1), (6, 0), (u64::MAX, 1), (1, usize::MAX)] {
            let error = blob.bytes(offset, len).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{offset} {len}");
        }
    });
}

#[test]
fn bytes_outlive_their_blob_and_their_file() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        drop(write(disk, &path, b"12345"));
        let bytes = disk.open(&path).unwrap().bytes(1, 3).unwrap();
        disk.remove(&path).unwrap();
        assert_eq!(&bytes[..], b"234");
    });
}

#[test]
fn the_length_of_a_blob_is_that_at_opening() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        let mut file = write(disk, &path, b"12345");
        let blob = disk.open(&path).unwrap();
        file.append(b"6").unwrap();
        assert_eq!(blob.len(), 5);
        assert_eq!(read(disk, &path), b"123456");
    });
}

#[test]
fn truncate_cuts_and_never_extends() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        drop(write(disk, &path, b"12345"));
        disk.truncate(&path, 2).unwrap();
        assert_eq!(read(disk, &path), b"12");
        assert_eq!(disk.truncate(&path, 3).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(disk.truncate(&dir.join("no"), 0).unwrap_err().kind(), ErrorKind::NotFound);
        disk.truncate(&path, 0).unwrap();
        assert!(disk.open(&path).unwrap().is_empty());
    });
}

#[test]
fn rename_replaces_its_target() {
    on_both(|disk, dir| {
        let (from, to) = (dir.join("from"), dir.join("to"));
        drop(write(disk, &from, b"new"));
        drop(write(disk, &to, b"old"));
        disk.rename(&from, &to).unwrap();
        assert_eq!(read(disk, &to), b"new");
        assert_eq!(disk.open(&from).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(disk.rename(&from, &to).unwrap_err().kind(), ErrorKind::NotFound);
        let orphan = dir.join("missing").join("to");
        assert_eq!(disk.rename(&to, &orphan).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read(disk, &to), b"new");
    });
}

#[test]
fn names_are_listed_in_order() {
    on_both(|disk, dir| {
        let sub = dir.join("b-dir").join("below");
        disk.create_dir(&sub).unwrap();
        disk.create_dir(&sub).unwrap();
        for name in ["c", "a", "a0"] {
            drop(disk.create(&dir.join(name)).unwrap());
        }
        assert_eq!(disk.list(dir).unwrap(), ["a", "a0", "b-dir", "c"]);
        assert_eq!(disk.list(&dir.join("b-dir")).unwrap(), ["below"]);
        assert!(disk.list(&sub).unwrap().is_empty());
        assert_eq!(disk.list(&dir.join("no")).unwrap_err().kind(), ErrorKind::NotFound);
        disk.sync_dir(dir).unwrap();
        assert_eq!(disk.sync_dir(&dir.join("no")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn the_empty_path_is_the_working_directory() {
    for disk in [&OsDisk as &dyn Disk, &SimDisk::new()] {
        disk.list(Path::new("")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
    }
}

#[test]
fn a_removed_name_is_gone() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        drop(write(disk, &path, b"1"));
        disk.remove(&path).unwrap();
        assert_eq!(disk.remove(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(disk.open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(
            read(disk, &{
                drop(write(disk, &path, b"2"));
                path
            }),
            b"2"
        );
    });
}

#[test]
fn a_lock_has_one_holder() {
    on_both(|disk, dir| {
        let path = dir.join("LOCK");
        let held = disk.lock(&path).unwrap();
        let error = disk.lock(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(error.to_string().contains("LOCK") && error.to_string().contains("process"));
        drop(held);
        drop(disk.lock(&path).unwrap());
        assert_eq!(disk.list(dir).unwrap(), ["LOCK"]);
    });
}

#[test]
fn there_is_room_where_there_is_a_path() {
    on_both(|disk, dir| {
        let path = dir.join("file");
        write(disk, &path, b"hello");
        for path in [dir, &path] {
            let space = disk.space(path).unwrap();
            assert!(space.total_bytes > 0 && space.available_bytes <= space.total_bytes);
        }
        assert_eq!(disk.space(&dir.join("missing")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}
