//! What the simulated disk does beyond what the suite over both disks checks: power cuts, kills, faults, damage.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::{Fault, Kind, Limits, SimDisk};
use crate::fs::{Append, Disk};

const FILE: &str = "file";
const OTHER: &str = "other";

fn path(name: &str) -> &Path {
    Path::new(name)
}

/// A disk that durably has an empty file, and that file.
fn with_file() -> (SimDisk, Box<dyn Append>) {
    let disk = SimDisk::new();
    let file = disk.create(path(FILE)).unwrap();
    disk.settle();
    (disk, file)
}

/// All contents of a file in images after everything logged; None where it is absent.
fn contents(disk: &SimDisk, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    let mut contents = BTreeSet::new();
    disk.images_at(disk.crash_points() - 1, &Limits::default(), &mut |image| {
        contents.insert(image.disk.read_all(path(name)).ok());
    });
    contents
}

fn some<const N: usize>(contents: [&[u8]; N]) -> BTreeSet<Option<Vec<u8>>> {
    contents.into_iter().map(|content| Some(content.to_vec())).collect()
}

#[test]
fn unsynced_writes_land_in_every_torn_way() {
    let (disk, mut file) = with_file();
    file.append(b"abcd").unwrap();
    file.sync().unwrap();
    file.append(b"efg").unwrap();
    let expected = some([
        b"abcd",
        b"abcde",
        b"abcdef",
        b"abcdefg",
        b"abcde\0\0",
        b"abcdef\0",
        b"abcd\0fg",
        b"abcd\0\0g",
        b"abcd\0\0\0",
    ]);
    assert_eq!(contents(&disk, FILE), expected);
    drop(file);
    assert_eq!(contents(&disk, FILE), expected, "dropping a file syncs nothing");
}

#[test]
fn large_writes_tear_at_sectors_and_pages_of_the_file() {
    let (disk, mut file) = with_file();
    file.append(&[1; 100]).unwrap();
    file.sync().unwrap();
    file.append(&[2; 10_000]).unwrap();
    let all = contents(&disk, FILE);
    let lens: BTreeSet<usize> = all.iter().map(|content| content.as_ref().unwrap().len()).collect();
    let tears = [512, 4096, 8192, 9728].into_iter().chain([101, 5100, 10_099]);
    assert_eq!(lens, tears.clone().chain([100, 10_100]).collect());
    for tear in tears {
        let mut content = vec![0; 10_100];
        content[..100].fill(1);
        content[tear..].fill(2);
        assert!(all.contains(&Some(content)), "zeros before {tear}");
    }
}

#[test]
fn a_later_write_may_land_without_an_earlier_one() {
    let (disk, mut file) = with_file();
    file.append(b"a").unwrap();
    file.append(b"b").unwrap();
    assert_eq!(contents(&disk, FILE), some([b"", b"a", b"\0", b"ab", b"a\0", b"\0b", b"\0\0"]));
}

#[test]
fn a_synced_write_is_durable_but_its_name_may_not_be() {
    let disk = SimDisk::new();
    let mut file = disk.create(path(FILE)).unwrap();
    file.append(b"a").unwrap();
    file.sync().unwrap();
    assert_eq!(contents(&disk, FILE), [None, Some(b"a".to_vec())].into());
    disk.sync_dir(path("")).unwrap();
    assert_eq!(contents(&disk, FILE), some([b"a"]));
}

#[test]
fn a_failed_sync_is_not_mended_by_another() {
    let (disk, mut file) = with_file();
    file.append(b"a").unwrap();
    disk.fail(Fault::once(Kind::Sync, 0, libc::EIO));
    assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(libc::EIO));
    file.sync().unwrap();
    assert_eq!(contents(&disk, FILE), some([b"", b"a", b"\0"]));
    file.append(b"b").unwrap();
    file.sync().unwrap();
    assert_eq!(contents(&disk, FILE), some([b"ab", b"\0b"]));
    disk.truncate(path(FILE), 0).unwrap();
    assert_eq!(contents(&disk, FILE), some([b""]));
}

#[test]
fn truncation_keeps_suspect_bytes_suspect_and_their_length_durable() {
    let (disk, mut file) = with_file();
    file.append(b"ab").unwrap();
    disk.fail(Fault::once(Kind::Sync, 0, libc::EIO));
    file.sync().unwrap_err();
    disk.truncate(path(FILE), 1).unwrap();
    assert_eq!(contents(&disk, FILE), some([b"a", b"\0"]));
}

#[test]
fn changes_of_names_survive_in_any_subset() {
    let (disk, _) = with_file();
    disk.rename(path(FILE), path(OTHER)).unwrap();
    drop(disk.create(path("new")).unwrap());
    disk.create_dir(path("dir")).unwrap();
    let mut seen = BTreeSet::new();
    disk.images_at(disk.crash_points() - 1, &Limits::default(), &mut |image| {
        seen.insert(image.disk.list(path("")).unwrap());
    });
    assert_eq!(seen.len(), 8);
    assert!(seen.iter().all(|names| names.contains(&FILE.into()) != names.contains(&OTHER.into())));
    disk.sync_dir(path("")).unwrap();
    let mut images = 0;
    disk.images_at(disk.crash_points() - 1, &Limits::default(), &mut |_| images += 1);
    assert_eq!(images, 1);
}

#[test]
fn a_removal_may_survive_without_the_rename_before_it() {
    let (disk, mut file) = with_file();
    file.append(b"old").unwrap();
    drop(disk.create(path(OTHER)).unwrap());
    disk.settle();
    disk.rename(path(OTHER), path(FILE)).unwrap();
    disk.remove(path(FILE)).unwrap();
    let mut seen = BTreeSet::new();
    disk.images_at(disk.crash_points() - 1, &Limits::default(), &mut |image| {
        let content = image.disk.read_all(path(FILE)).ok();
        seen.insert((image.disk.list(path("")).unwrap().join(" "), content));
    });
    let state = |names: &str, content: Option<&[u8]>| (names.into(), content.map(<[u8]>::to_vec));
    let expected = [
        state("file other", Some(b"old")),
        state("file", Some(b"")),
        state("other", None),
        state("", None),
    ];
    assert_eq!(seen, expected.into());
}

#[test]
fn a_directory_is_lost_with_all_below_until_the_one_above_is_synced() {
    let disk = SimDisk::new();
    let deep = path("/a/b");
    disk.create_dir(deep).unwrap();
    let mut file = disk.create(&deep.join(FILE)).unwrap();
    file.append(b"a").unwrap();
    file.sync().unwrap();
    disk.sync_dir(deep).unwrap();
    disk.sync_dir(path("/")).unwrap();
    assert_eq!(contents(&disk, "/a/b/file"), [None, Some(b"a".to_vec())].into());
    disk.sync_dir(path("/a")).unwrap();
    assert_eq!(contents(&disk, "/a/b/file"), some([b"a"]));
}

#[test]
fn a_move_between_directories_needs_both_synced() {
    let (disk, _) = with_file();
    disk.create_dir(path("dir")).unwrap();
    disk.settle();
    disk.rename(path(FILE), path("dir/file")).unwrap();
    disk.sync_dir(path("dir")).unwrap();
    assert_eq!(contents(&disk, FILE).len(), 2);
    disk.sync_dir(path("")).unwrap();
    assert_eq!(contents(&disk, FILE), [None].into());
    assert_eq!(contents(&disk, "dir/file"), some([b""]));
}

#[test]
fn files_vary_independently_and_beyond_the_limit_by_sample() {
    let disk = SimDisk::new();
    let names = ["a", "b", "c", "d"];
    let mut files: Vec<_> = names.iter().map(|name| disk.create(path(name)).unwrap()).collect();
    disk.settle();
    files.iter_mut().for_each(|file| file.append(b"x").unwrap());
    let point = disk.crash_points() - 1;
    let images = |per_point_max, seed| {
        let mut hashes = Vec::new();
        let limits = Limits { per_point_max, seed };
        disk.images_at(point, &limits, &mut |image| hashes.push(image.hash));
        hashes
    };
    assert_eq!(images(81, 0).len(), 81, "absent, zero or there, for each of four files");
    let sampled = images(40, 0);
    assert!(sampled.len() > 15 && sampled.len() <= 40, "{}", sampled.len());
    assert_eq!(sampled, images(40, 0));
    assert_ne!(sampled, images(40, 7));
}

#[test]
fn images_carry_the_notes_before_the_cut_and_start_afresh() {
    let (disk, mut file) = with_file();
    disk.note(7);
    file.append(b"a").unwrap();
    file.sync().unwrap();
    disk.note(8);
    let mut notes = Vec::new();
    let count = disk.images(&Limits::default(), &mut |image| {
        notes.push((image.notes.to_vec(), image.disk.read_all(path(FILE)).unwrap()));
        assert_eq!(image.disk.crash_points(), 1);
        drop(image.disk.create(path(OTHER)).unwrap());
        assert_eq!(image.disk.read_all(path(OTHER)).unwrap(), b"");
    });
    assert_eq!(count, notes.len());
    let expected =
        [(vec![], &b""[..]), (vec![7], b""), (vec![7], b"\0"), (vec![7], b"a"), (vec![7, 8], b"a")];
    assert_eq!(notes.len(), expected.len());
    assert!(expected.iter().all(|(n, c)| notes.contains(&(n.clone(), c.to_vec()))), "{notes:?}");
    assert!(disk.open(path(OTHER)).is_err(), "images do not share with the disk they come from");
}

#[test]
fn a_killed_process_leaves_its_writes_but_not_their_durability() {
    let (disk, mut file) = with_file();
    let lock = disk.lock(path("LOCK")).unwrap();
    file.append(b"a").unwrap();
    let next = disk.kill();
    assert!(file.append(b"b").is_err() && file.sync().is_err() && disk.open(path(FILE)).is_err());
    let held = next.lock(path("LOCK")).unwrap();
    drop(lock);
    assert_eq!(next.lock(path("LOCK")).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(held);
    assert_eq!(next.read_all(path(FILE)).unwrap(), b"a");
    assert!(contents(&next, FILE).contains(&Some(Vec::new())));
    next.truncate(path(FILE), 1).unwrap();
    assert_eq!(contents(&next, FILE), some([b"a"]));
}

#[test]
fn a_failing_append_leaves_a_part_and_ends_the_file() {
    let (disk, mut file) = with_file();
    disk.fail(Fault::once(Kind::Append, 1, libc::ENOSPC));
    file.append(b"ab").unwrap();
    assert_eq!(file.append(b"cdef").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.len(), 2);
    assert!(file.append(b"g").is_err());
    assert_eq!(disk.read_all(path(FILE)).unwrap(), b"abcd");
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers_when_space_is_freed() {
    let (disk, mut file) = with_file();
    disk.set_capacity(Some(3));
    file.append(b"ab").unwrap();
    assert_eq!(file.append(b"cd").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.read_all(path(FILE)).unwrap(), b"abc");
    disk.remove(path(FILE)).unwrap();
    disk.create(path(FILE)).unwrap().append(b"xyz").unwrap();
}

#[test]
fn the_room_told_is_the_room_there_is() {
    let (disk, mut file) = with_file();
    disk.set_capacity(Some(100));
    file.append(&[7; 30]).unwrap();
    let before = disk.space(path("")).unwrap();
    assert_eq!(before.total_bytes, 100);
    file.append(&[7; 10]).unwrap();
    assert_eq!(disk.space(path("")).unwrap().available_bytes, before.available_bytes - 10);
    assert!(file.append(&vec![7; before.available_bytes as usize]).is_err());
    assert_eq!(disk.space(path("")).unwrap().available_bytes, 0);
}

#[test]
fn faults_hit_the_operation_they_name() {
    let (disk, mut file) = with_file();
    let create = |name: &str| disk.create(path(name)).map(drop);
    disk.fail(Fault::once(Kind::Create, 1, libc::EMFILE));
    create("1").unwrap();
    file.append(b"a").unwrap();
    assert_eq!(create("2").unwrap_err().raw_os_error(), Some(libc::EMFILE));
    create("2").unwrap();
    disk.fail(Fault::forever(Kind::Mutation, 1, libc::EIO));
    let blob = disk.open(path(FILE)).unwrap();
    disk.rename(path("1"), path("3")).unwrap();
    assert!(disk.remove(path("3")).is_err() && disk.sync_dir(path("")).is_err());
    blob.bytes(0, 1).unwrap();
    disk.clear_faults();
    disk.fail(Fault::once(Kind::Read, 0, libc::EIO));
    assert!(blob.bytes(0, 1).is_err());
    blob.bytes(0, 1).unwrap();
    assert_eq!((disk.calls(Kind::Create), disk.calls(Kind::Rename)), (4, 1));
}

#[test]
fn damage_at_rest_is_durable() {
    let (disk, mut file) = with_file();
    file.append(b"abc").unwrap();
    disk.corrupt(path(FILE), 1, 0x20).unwrap();
    disk.write_at(path(FILE), 2, b"x").unwrap();
    assert_eq!(contents(&disk, FILE), some([b"aBx"]));
    assert_eq!(disk.corrupt(path(FILE), 3, 1).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(disk.write_at(path(OTHER), 0, b"x").unwrap_err().kind(), ErrorKind::NotFound);
    file.append(b"d").unwrap();
    assert_eq!(disk.read_all(path(FILE)).unwrap(), b"aBxd");
}
