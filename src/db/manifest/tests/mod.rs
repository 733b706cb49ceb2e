//! Tests of the manifest as a whole, on the simulated disk. Here is what they share: edits, and a session that commits them
//! and remembers what was attempted and what was acknowledged.

mod crash;
mod damage;

use super::record::decode_edit;
use super::*;
use crate::fs::sim::{Fault, Kind, SimDisk};
use crate::model::TimeRange;
use proptest::prelude::*;

fn dir() -> &'static Path {
    Path::new("/")
}

fn path() -> PathBuf {
    dir().join(MANIFEST_FILE)
}

/// An entry like no other.
fn entry(id: FileId, n: u64) -> FileEntry {
    let is_registry = matches!(id, FileId::RegistryBase(_) | FileId::RegistryDelta(_));
    let mint = n as i64 * 7_200_000;
    FileEntry {
        id,
        len_bytes: 1000 + n,
        min_seq: 10 * n + 1,
        max_seq: 10 * n + 9,
        range: if is_registry { TimeRange::EMPTY } else { TimeRange::new(mint, mint + 9) },
        window: matches!(id, FileId::Spill(_)).then_some(mint),
        checksum: n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
    }
}

/// A spill added, and from the third on the oldest taken away.
fn edit(manifest: &mut Manifest) -> Edit {
    let number = manifest.next_file();
    let spills = manifest.state().files.keys().filter(|id| matches!(id, FileId::Spill(_)));
    let spills: Vec<FileId> = spills.copied().collect();
    Edit {
        add: vec![entry(FileId::Spill(number), number)],
        remove: spills.first().filter(|_| spills.len() > 2).copied().into_iter().collect(),
        wal_seq: Some(10 * number + 9),
        next_ref: number.is_multiple_of(2).then_some(number * 100),
    }
}

fn after(state: &State, edit: &Edit) -> State {
    let mut state = state.clone();
    state.apply(edit).unwrap();
    state
}

fn open(disk: &SimDisk) -> Manifest {
    let (manifest, report) = Manifest::open(Arc::new(disk.clone()), dir()).unwrap();
    assert!(report.refused.is_none(), "{report:?}");
    manifest
}

fn read_state(disk: &SimDisk) -> State {
    Manifest::read_only(disk, dir()).unwrap().0
}

/// A manifest of so many commits.
fn committed(disk: &SimDisk, count: u64) -> Manifest {
    let mut manifest = open(disk);
    for _ in 0..count {
        let edit = edit(&mut manifest);
        manifest.commit(edit).unwrap();
    }
    manifest
}

fn any_id() -> impl Strategy<Value = FileId> {
    let number = 1..=FILE_NUMBER_MAX;
    prop_oneof![
        number.clone().prop_map(FileId::RegistryBase),
        number.clone().prop_map(FileId::RegistryDelta),
        number.prop_map(FileId::Spill),
        any::<u128>().prop_map(FileId::Block),
    ]
}

fn any_entry() -> impl Strategy<Value = FileEntry> {
    let window = any::<Option<i64>>();
    (any_id(), any::<(u64, u64, u64, i64, i64, u64)>(), window).prop_map(|(id, numbers, window)| {
        let (len_bytes, min_seq, max_seq, mint, maxt, checksum) = numbers;
        let range = TimeRange::new(mint, maxt);
        FileEntry { id, len_bytes, min_seq, max_seq, range, window, checksum }
    })
}

proptest! {
    #[test]
    fn edits_round_trip(
        add in prop::collection::vec(any_entry(), 0..5),
        remove in prop::collection::vec(any_id(), 0..5),
        wal_seq: Option<u64>,
        next_ref: Option<u64>,
        next_file in 1..=FILE_NUMBER_MAX + 1,
    ) {
        let edit = Edit { add, remove, wal_seq, next_ref };
        let bytes = encode_edit(&edit, next_file);
        prop_assert_eq!(decode_edit(&bytes).unwrap(), (edit, next_file));
        for len in 0..bytes.len() {
            prop_assert!(decode_edit(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_an_edit_with_one_encoding_or_refused(bytes: Vec<u8>) {
        if let Ok((edit, next_file)) = decode_edit(&bytes) {
            prop_assert_eq!(decode_edit(&encode_edit(&edit, next_file)).unwrap(), (edit, next_file));
        }
    }
}

#[test]
fn a_new_directory_begins_one() {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/wal")).unwrap();
    let (manifest, report) = Manifest::open(Arc::new(disk.clone()), dir()).unwrap();
    assert!(report.begun && manifest.is_durable());
    assert_eq!(*manifest.state(), State::default());
    assert!(!Manifest::open(Arc::new(disk.clone()), dir()).unwrap().1.begun);
    assert_eq!(disk.list(dir()).unwrap(), ["MANIFEST", "wal"]);
}

#[test]
fn looking_changes_nothing() {
    let disk = SimDisk::new();
    assert!(Manifest::read_only(&disk, dir()).unwrap().1.begun);
    let manifest = committed(&disk, 3);
    let mutations = disk.calls(Kind::Mutation);
    assert_eq!(read_state(&disk), *manifest.state());
    assert_eq!(disk.calls(Kind::Mutation), mutations);
}

#[test]
fn what_is_committed_is_read_back() {
    let disk = SimDisk::new();
    let manifest = committed(&disk, 5);
    assert_eq!(manifest.state().files.len(), 3);
    assert_eq!((manifest.state().wal_seq, manifest.state().next_ref), (59, 400));
    let (again, report) = Manifest::open(Arc::new(disk.kill()), dir()).unwrap();
    assert_eq!(again.state(), manifest.state());
    assert_eq!((report.edits, report.torn_bytes), (5, 0));
}

#[test]
fn a_commit_is_one_sync() {
    let disk = SimDisk::new();
    let mut manifest = committed(&disk, 1);
    let before = (disk.calls(Kind::Sync), disk.calls(Kind::SyncDir));
    let edit = edit(&mut manifest);
    manifest.commit(edit).unwrap();
    assert_eq!((disk.calls(Kind::Sync), disk.calls(Kind::SyncDir)), (before.0 + 1, before.1));
}

#[test]
fn a_log_that_has_grown_is_written_anew() {
    let disk = SimDisk::new();
    let mut manifest = open(&disk);
    let mut largest = 0;
    for _ in 0..5000 {
        let edit = edit(&mut manifest);
        manifest.commit(edit).unwrap();
        largest = largest.max(disk.read_all(&path()).unwrap().len() as u64);
        disk.settle();
    }
    assert!(largest > MANIFEST_GROWTH_BYTES && largest < MANIFEST_GROWTH_BYTES + 2000, "{largest}");
    assert_eq!(read_state(&disk), *manifest.state());
}

#[test]
fn numbers_are_not_given_twice() {
    let disk = SimDisk::new();
    let mut manifest = open(&disk);
    assert_eq!((manifest.next_file(), manifest.next_file()), (1, 2));
    manifest.commit(Edit::default()).unwrap();
    let disk = disk.kill();
    assert_eq!(open(&disk).next_file(), 3, "recorded by any commit");
    disk.create_dir(Path::new("/spill")).unwrap();
    disk.create(&FileId::Spill(17).path(dir())).unwrap();
    assert_eq!(open(&disk).next_file(), 18, "shown by a file that is not listed");
}

#[test]
fn an_edit_that_does_not_fit_is_refused() {
    let disk = SimDisk::new();
    let state = committed(&disk, 1).state().clone();
    let add = |id| Edit { add: vec![entry(id, 1)], ..Edit::default() };
    for edit in [
        add(FileId::Spill(1)),
        add(FileId::RegistryDelta(1)),
        add(FileId::Spill(0)),
        add(FileId::Spill(u64::MAX)),
        Edit { remove: vec![FileId::Block(1)], ..Edit::default() },
        Edit { wal_seq: Some(18), ..Edit::default() },
        Edit { wal_seq: Some(u64::MAX), ..Edit::default() },
        Edit { next_ref: Some(0), ..Edit::default() },
    ] {
        assert!(state.clone().apply(&edit).is_err(), "{edit:?}");
    }
    let replaced = Edit { remove: vec![FileId::Spill(1)], ..add(FileId::Spill(1)) };
    assert_eq!(after(&state, &replaced), state);
}

#[test]
fn a_rebuilt_manifest_lists_what_it_was_given() {
    let disk = SimDisk::new();
    let manifest = committed(&disk, 4);
    disk.corrupt(&path(), 3, 1).unwrap();
    let entries = manifest.state().files.values().cloned().collect();
    let state = rebuild(entries, manifest.state().next_ref, manifest.state().wal_seq).unwrap();
    Manifest::write_fresh(&disk, dir(), &state).unwrap();
    assert_eq!(open(&disk).state(), manifest.state());
}
