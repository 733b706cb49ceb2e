//! What the log of events says of a disk that refuses.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use silverback::db::{Db, Options};
use silverback::fs::sim::{Fault, Kind, SimDisk};
use silverback::sync::{Arc, AtomicU64, Mutex, Ordering};
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{options, write};

/// What was logged by this thread, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

impl Lines {
    /// Runs `body` and gives what it logged.
    fn of(body: impl FnOnce()) -> Vec<String> {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false);
        tracing::subscriber::with_default(subscriber.finish(), body);
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        text.lines().map(str::to_string).collect()
    }
}

fn assert_lines(lines: &[String], expected: &[&[&str]]) {
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(expected) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line} without all of {parts:?}");
    }
}

#[test]
fn refusing_and_taking_writes_again_is_said_once_each() {
    let disk = SimDisk::new();
    let (begun, passed_s) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let passed = passed_s.clone();
    let monotonic = Arc::new(move || begun + Duration::from_secs(passed.load(Ordering::Relaxed)));
    let db = Db::open(Options { monotonic, ..options(&disk) }).unwrap();
    let lines = Lines::of(|| {
        write(&db, &[(1, 1_000, 1.0)]).unwrap();
        disk.set_capacity(Some(0));
        for second in 0..3 {
            passed_s.store(second, Ordering::Relaxed);
            assert!(write(&db, &[(1, 2_000, 1.0)]).is_err());
        }
        disk.set_capacity(None);
        passed_s.store(9, Ordering::Relaxed);
        db.step();
        write(&db, &[(1, 2_000, 1.0)]).unwrap();
    });
    assert_lines(&lines, &[&["ERROR", "No space left", ".wal"], &["INFO", "takes writes again"]]);
}

#[test]
fn a_disk_that_refuses_at_the_start_is_said() {
    let disk = SimDisk::new();
    disk.fail(Fault::forever(Kind::Create, 0, libc::EROFS));
    let lines = Lines::of(|| drop(Db::open(options(&disk)).unwrap()));
    assert_lines(&lines, &[&["ERROR", "Read-only file system"]]);
}

#[test]
fn a_write_that_had_to_be_repeated_is_said_with_its_cause() {
    let disk = SimDisk::new();
    let db = Db::open(options(&disk)).unwrap();
    for (kind, doing) in [(Kind::Sync, "cannot sync"), (Kind::Append, "cannot append to")] {
        disk.fail(Fault::once(kind, 0, libc::EIO));
        let lines = Lines::of(|| drop(write(&db, &[(1, 1_000, 1.0)]).unwrap()));
        assert_lines(&lines, &[&["WARN", doing, "00000", "new one"]]);
    }
    let wal = db.stats().wal;
    assert_eq!((wal.failed_syncs, wal.failed_appends, wal.failed_groups), (1, 1, 0));
}
