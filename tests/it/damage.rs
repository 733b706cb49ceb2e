//! One byte of one file changes while no process runs. Whatever file it is of all but the manifest, the database opens, shows no
//! other values than were written, misses only what that file may have held, says so, and goes on from there.

use std::path::PathBuf;

use proptest::prelude::*;
use silverback::block::{Block, BlockSource};
use silverback::db::manifest::{FileEntry, FileId, Manifest};
use silverback::db::{Db, Recovery};
use silverback::fs::Disk;
use silverback::fs::sim::SimDisk;
use silverback::head::spill::Spill;
use silverback::model::{Matcher, TimeRange};
use silverback::read::{Columns, Source};
use silverback::sync::Arc;

use crate::fixture::{Contents, Point, apply, contents, data_path, difference, is_within, write};
use crate::history::History;
use crate::model::{Step, healthy_step, run, settings};

/// Which byte of which file changes how.
#[derive(Debug, Clone, Copy)]
struct Damage {
    folder: &'static str,
    file: u64,
    offset: u64,
    xor: u8,
    /// The process was killed before; else it was closed.
    is_killed: bool,
}

fn damage() -> impl Strategy<Value = Damage> {
    let folder = proptest::sample::select(vec!["wal", "registry", "spill", "blocks"]);
    (folder, any::<u64>(), any::<u64>(), 1u8..=255, any::<bool>()).prop_map(
        |(folder, file, offset, xor, is_killed)| Damage { folder, file, offset, xor, is_killed },
    )
}

/// What the files of a directory hold, before one is damaged.
struct Files {
    entries: Vec<FileEntry>,
    blocks: Vec<(FileId, Contents)>,
}

impl Files {
    fn of(disk: &SimDisk) -> Files {
        let (state, _) = Manifest::read_only(disk, data_path()).unwrap();
        let mut entries: Vec<FileEntry> = state.files.into_values().collect();
        // Of samples with the same timestamp the first counts, in this order.
        entries.sort_by_key(|entry| (entry.max_seq, entry.min_seq));
        let blocks = entries.iter().filter(|entry| matches!(entry.id, FileId::Block(_)));
        let blocks = blocks.map(|entry| {
            let block = Block::open(disk, &entry.id.path(data_path())).unwrap();
            (entry.id, contents(&BlockSource(Arc::new(block))))
        });
        Files { blocks: blocks.collect(), entries }
    }

    /// What blocks hold that are not at this path.
    fn of_other_blocks(&self, path: &PathBuf) -> Contents {
        let others = self.blocks.iter().filter(|(id, _)| id.path(data_path()) != *path);
        let mut all = Contents::new();
        for (key, bits) in others.flat_map(|(_, contents)| contents) {
            all.entry(key.clone()).or_insert(*bits);
        }
        all
    }

    /// Most samples that a spill or block at this path can cost, and where they are.
    fn share(&self, disk: &SimDisk, path: &PathBuf) -> Option<(u64, TimeRange)> {
        let entry = self.entries.iter().find(|entry| entry.id.path(data_path()) == *path)?;
        let samples = match entry.id {
            FileId::Spill(number) => Spill::open(disk, path, number).unwrap().meta().samples,
            id => self.blocks.iter().find(|(other, _)| *other == id)?.1.len() as u64,
        };
        Some((samples, entry.range))
    }
}

/// The file to damage; none if the folder has none.
fn pick(disk: &SimDisk, damage: Damage) -> Option<PathBuf> {
    let folder = data_path().join(damage.folder);
    let mut names = disk.list(&folder).unwrap_or_default();
    names.retain(|name| disk.read_all(&folder.join(name)).is_ok_and(|bytes| !bytes.is_empty()));
    let count = names.len() as u64;
    (count > 0).then(|| folder.join(&names[(damage.file % count) as usize]))
}

/// Does anything say that samples are missing?
fn is_reported(db: &Db) -> bool {
    let Recovery { damages, damaged_files, .. } = db.recovery();
    let set = db.view().select(&[Matcher::equal("__name__", "m")], TimeRange::ALL).unwrap();
    let mut columns = Columns::default();
    for index in 0..set.labels().unwrap().len() {
        set.read(index, TimeRange::ALL, &mut columns).unwrap();
    }
    !damages.is_empty() || !damaged_files.is_empty() || !set.warnings().is_empty()
}

fn check(mut history: History, damage: Damage) {
    match damage.is_killed {
        true => history.disk = history.disk.kill(),
        false => history.db.close().unwrap(),
    }
    let disk = history.disk.clone();
    let Some(path) = pick(&disk, damage) else { return };
    let files = Files::of(&disk);
    let (kept, share) = (files.of_other_blocks(&path), files.share(&disk, &path));
    let len = disk.read_all(&path).unwrap().len() as u64;
    disk.corrupt(&path, damage.offset % len, damage.xor).unwrap();

    let db = Db::open(history.options()).unwrap();
    let found = contents(&db.view());
    history.assert_sent(&found);
    assert!(is_within(&kept, &found), "{path:?}: {}", difference(&found, &kept));
    let missing: Vec<_> =
        history.expected().keys().filter(|key| !found.contains_key(*key)).collect();
    if let Some((samples, range)) = share {
        assert!(missing.len() as u64 <= samples, "{path:?}: {missing:?}");
        assert!(missing.iter().all(|(_, time)| range.contains(*time)), "{path:?}: {missing:?}");
    }
    let is_like_a_torn_end = damage.folder == "wal" && damage.is_killed;
    assert!(missing.is_empty() || is_like_a_torn_end || is_reported(&db), "{path:?}: {missing:?}");
    go_on(&history, db, &kept);
}

/// New samples are taken and stay, and so does what was in other blocks.
fn go_on(history: &History, db: Arc<Db>, kept: &Contents) {
    let now = history.now() + 1_000;
    let fresh: Vec<Point> = [0, 3, 77].map(|number| (number, now, 0.25)).to_vec();
    assert_eq!(write(&db, &fresh).unwrap().written, 3);
    let mut least = kept.clone();
    apply(&mut least, &fresh);
    let check = |db: &Db| {
        let found = contents(&db.view());
        assert!(is_within(&least, &found), "{}", difference(&found, &least));
    };
    check(&db);
    db.flush().unwrap();
    db.compact().unwrap();
    db.maintain().unwrap();
    check(&db);
    db.close().unwrap();
    check(&Db::open(history.options()).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_byte_costs_what_its_file_held(
        mut settings in settings(),
        steps in prop::collection::vec(healthy_step(), 5..40),
        damage in damage(),
    ) {
        (settings.retention_ms, settings.retention_bytes) = (None, None);
        let mut history = History::new(settings);
        steps.iter().for_each(|step: &Step| run(&mut history, step));
        check(history, damage);
    }
}
