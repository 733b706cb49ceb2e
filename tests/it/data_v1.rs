//! The data directory that version 1 of all formats left behind: `tests/fixtures/data-v1`. It must open for ever and hold what
//! `tests/fixtures/data-v1.txt` lists. Neither is ever to be changed; a new version adds a directory of its own.
//!
//! It was written by [`make`], which is run again by every test, and into a directory of one's choice with
//! `SILVERBACK_MAKE_FIXTURE=<directory> cargo test --test it data_v1`. Nonces, hash seeds and the names of blocks are random, so
//! what it makes is alike and not the same.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use silverback::db::{Db, Options, Threads, View};
use silverback::fs::os::OsDisk;
use silverback::ingest::remote_write_v1;
use silverback::model::{Labels, STALE_NAN_BITS, TimeRange};
use silverback::read::{Columns, Source};
use silverback::sync::{Arc, AtomicI64, Ordering};

use crate::fixture::body_of;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/data-v1");
const CONTENTS: &str = include_str!("../fixtures/data-v1.txt");
const MAKE_VARIABLE: &str = "SILVERBACK_MAKE_FIXTURE";

/// The start of a window.
const START_MS: i64 = 1_699_999_200_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

type Clock = Arc<AtomicI64>;

fn open(dir: &Path, clock: &Clock) -> Arc<Db> {
    let clock = clock.clone();
    Db::open(Options {
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        threads: Threads::Stepped,
        spill_wal_bytes: 1,
        forgotten_min: 1,
        ..Options::new(dir)
    })
    .unwrap()
}

fn series(name: &str, label: &str, value: &str) -> Labels {
    Labels::from_pairs([("__name__", name), (label, value)])
}

fn write(db: &Db, samples: &[(Labels, i64, f64)]) {
    let batch = remote_write_v1::decode(body_of(samples.iter().cloned())).unwrap();
    db.submit(batch, |outcome| drop(outcome.unwrap()));
    db.step();
}

/// Ten samples of each of four series, from a time on, every 15 s.
fn scrapes(db: &Db, start_ms: i64) {
    for i in 0..10 {
        let (time, step) = (start_ms + i * 15_000, i as f64);
        let odd = match i {
            3 => -0.0,
            5 => f64::INFINITY,
            9 => f64::from_bits(STALE_NAN_BITS),
            _ => 1.0 / (step + 3.0),
        };
        write(
            db,
            &[
                (series("up", "job", "node"), time, 1.0),
                (series("requests_total", "path", "/query?a=\"1\""), time, 40.0 * step),
                (series("temperature_celsius", "room", "küche"), time + i % 2, 20.5 + step / 10.0),
                (series("odd", "job", "node"), time, odd),
            ],
        );
    }
}

/// Writes a directory: a block, a base and a delta of the registry, a spill of a window and one of late samples, a segment
/// of the log, and a manifest with several edits.
fn make(dir: &Path) {
    let clock = Clock::new(AtomicI64::new(START_MS + 30 * MINUTE_MS));
    let db = open(dir, &clock);
    scrapes(&db, START_MS + 10 * MINUTE_MS);
    clock.store(START_MS + 4 * HOUR_MS + 30 * MINUTE_MS, Ordering::SeqCst);
    let now = clock.load(Ordering::SeqCst);
    let up = series("up", "job", "node");
    write(&db, &[(up.clone(), now - 20 * MINUTE_MS, 0.0)]);
    // Two blocks, merged; then the series that stopped are forgotten, which makes a base.
    db.flush().and_then(|()| db.compact()).and_then(|()| db.maintain()).unwrap();
    // A spill of a window, and definitions of series that are new or came back.
    let back = series("requests_total", "path", "/query?a=\"1\"");
    write(&db, &[(up.clone(), now, 1.0), (back.clone(), now, 500.0)]);
    write(&db, &[(up.clone(), now + 15_000, 1.0), (series("new", "n", "1"), now, 1e300)]);
    db.maintain().unwrap();
    // A spill of late samples, one of which is in the block with another value.
    let late = START_MS + 10 * MINUTE_MS;
    write(&db, &[(back.clone(), late, 7.0), (back, late + 5, 7.0)]);
    db.maintain().unwrap();
    // What only the log has.
    write(&db, &[(up, now + 30_000, 0.0), (series("newest", "n", "2"), now + 30_000, -1.5)]);
    write(&db, &[(series("newest", "n", "2"), late, 2.5)]);
    db.close().unwrap();
    drop(db);
    fs::remove_file(dir.join("LOCK")).unwrap();
}

/// Everything a view shows: labels, value, timestamp. Of a NaN all bits.
fn listing(view: &View) -> String {
    let set = view.select(&[], TimeRange::ALL).unwrap();
    let (mut out, mut columns) = (String::new(), Columns::default());
    for (index, labels) in set.labels().unwrap().iter().enumerate() {
        set.read(index, TimeRange::ALL, &mut columns).unwrap();
        for (timestamp, value) in columns.timestamps.iter().zip(&columns.floats) {
            match value.is_nan() {
                true => writeln!(out, "{labels} NaN({:x}) {timestamp}", value.to_bits()).unwrap(),
                false => writeln!(out, "{labels} {value:?} {timestamp}").unwrap(),
            }
        }
    }
    assert_eq!(set.warnings(), Vec::<String>::new());
    out
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to),
            false => assert!(fs::copy(&from, &to).is_ok()),
        }
    }
}

fn count(dir: &Path, folder: &str) -> usize {
    fs::read_dir(dir.join(folder)).unwrap().count()
}

/// It holds what is listed: for those who look, for a server, after all its files were written anew.
fn assert_holds_it(dir: &Path) {
    assert_eq!(
        ["registry", "spill", "blocks", "wal"].map(|folder| count(dir, folder)),
        [2, 2, 1, 1]
    );
    let (view, recovery) = Db::open_read_only(&OsDisk, dir).unwrap();
    assert_eq!(listing(&view), CONTENTS);
    assert_eq!((recovery.records, recovery.damages.len(), recovery.orphaned_samples), (2, 0, 0));
    assert!(recovery.damaged_files.is_empty(), "{:?}", recovery.damaged_files);
    drop(view);
    let db = open(dir, &Clock::new(AtomicI64::new(START_MS + 30 * HOUR_MS)));
    assert_eq!(listing(&db.view()), CONTENTS);
    db.flush().and_then(|()| db.compact()).unwrap();
    assert_eq!(listing(&db.view()), CONTENTS);
    db.close().unwrap();
}

#[test]
fn a_directory_of_version_1_opens_and_holds_what_it_held() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy(Path::new(FIXTURE), &data);
    assert_holds_it(&data);
}

#[test]
fn what_this_version_makes_holds_the_same() {
    let chosen = std::env::var_os(MAKE_VARIABLE).map(PathBuf::from);
    let dir = tempfile::tempdir().unwrap();
    let data = chosen.clone().unwrap_or_else(|| dir.path().join("data"));
    make(&data);
    if chosen.is_some() {
        let listing = listing(&Db::open_read_only(&OsDisk, &data).unwrap().0);
        fs::write(data.with_extension("txt"), listing).unwrap();
        return;
    }
    assert_holds_it(&data);
}
