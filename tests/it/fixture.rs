//! What the tests of the database share: batches from plain numbers, databases on a simulated disk that are stepped by
//! hand, and everything a database holds as a map.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use silverback::db::{Db, Options, SubmitError, Threads};
use silverback::fs::sim::SimDisk;
use silverback::ingest::remote_write_v1;
use silverback::model::{Batch, Labels, Matcher, Outcome, TimeRange};
use silverback::read::{Columns, SeriesSet, Source};
use silverback::sync::{Arc, Mutex};

/// The clock of these databases, far ahead of the samples.
pub const NOW_MS: i64 = 1_700_000_000_000;

/// A sample: number of its series, timestamp, value.
pub type Point = (u32, i64, f64);

/// All samples by series and timestamp, values as bits.
pub type Contents = BTreeMap<(String, i64), u64>;

/// The name a series has in [`Contents`].
pub fn series_name(number: u32) -> String {
    format!("m{{series=\"{number}\"}}")
}

fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    silverback::encoding::cursor::put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A remote-write body with one time series per point.
pub fn body(points: &[Point]) -> Bytes {
    let labels = |number: &u32| {
        Labels::from_pairs([("__name__", "m"), ("series", number.to_string().as_str())])
    };
    body_of(points.iter().map(|(number, timestamp, value)| (labels(number), *timestamp, *value)))
}

/// A remote-write body with one time series per sample.
pub fn body_of(samples: impl IntoIterator<Item = (Labels, i64, f64)>) -> Bytes {
    let mut request = Vec::new();
    for (labels, timestamp, value) in samples {
        let mut series = Vec::new();
        for (name, text) in labels.iter() {
            let mut label = Vec::new();
            field(&mut label, 1, name.as_bytes());
            field(&mut label, 2, text.as_bytes());
            field(&mut series, 1, &label);
        }
        let mut sample = vec![0x09];
        sample.extend_from_slice(&value.to_bits().to_le_bytes());
        sample.push(0x10);
        silverback::encoding::cursor::put_varint(&mut sample, timestamp as u64);
        field(&mut series, 2, &sample);
        field(&mut request, 1, &series);
    }
    Bytes::from(request)
}

pub fn batch(points: &[Point]) -> Batch {
    remote_write_v1::decode(body(points)).unwrap()
}

/// Options for a stepped database on a simulated disk.
pub fn options(disk: &SimDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(|| NOW_MS),
        threads: Threads::Stepped,
        ..Options::new("data")
    }
}

/// Where the answer of a request arrives.
pub type Answer = Arc<Mutex<Option<Result<Outcome, SubmitError>>>>;

pub fn submit(db: &Db, points: &[Point]) -> Answer {
    let answer = Answer::default();
    let to = answer.clone();
    db.submit(batch(points), move |outcome| *to.lock() = Some(outcome));
    answer
}

/// Submits, steps, and gives the answer.
pub fn write(db: &Db, points: &[Point]) -> Result<Outcome, SubmitError> {
    let answer = submit(db, points);
    db.step();
    answer.lock().take().expect("a stepped request is answered")
}

/// Everything a view, or another source, shows.
pub fn contents(source: &dyn Source) -> Contents {
    let all = [Matcher::equal("__name__", "m")];
    let set = source.select(&all, TimeRange::ALL).unwrap();
    let mut contents = Contents::new();
    let mut columns = Columns::default();
    for (index, labels) in set.labels().unwrap().iter().enumerate() {
        set.read(index, TimeRange::ALL, &mut columns).unwrap();
        for (timestamp, value) in columns.timestamps.iter().zip(&columns.floats) {
            contents.insert((labels.to_string(), *timestamp), value.to_bits());
        }
        assert_newest(&*set, index, &columns);
    }
    contents
}

/// Asking a series, all of which is given, for the newest sample up to some times gives what reading everything does.
fn assert_newest(set: &dyn SeriesSet, index: usize, all: &Columns) {
    let times = &all.timestamps;
    let ends = [times.len() / 2, times.len().saturating_sub(1)].map(|at| times.get(at));
    let ends = ends.into_iter().flatten().flat_map(|time| [time - 1, *time]);
    for maxt in ends.chain([i64::MAX]) {
        let mut newest = Columns::default();
        set.read_newest(index, TimeRange::new(i64::MIN, maxt), &mut newest).unwrap();
        let expected = times.partition_point(|time| *time <= maxt).checked_sub(1);
        let expected = expected.map(|at| (times[at], all.floats[at].to_bits()));
        let found =
            newest.timestamps.last().copied().zip(newest.floats.last().map(|v| v.to_bits()));
        assert_eq!(found, expected, "newest up to {maxt}");
    }
}

/// What contents become by these points: the first value of a series at a time stays.
pub fn apply(contents: &mut Contents, points: &[Point]) {
    for (number, timestamp, value) in points {
        contents.entry((series_name(*number), *timestamp)).or_insert(value.to_bits());
    }
}

/// Some of what is in one and not, or with another value, in the other: for the message of a failed test.
pub fn difference(found: &Contents, expected: &Contents) -> String {
    let only = |these: &Contents, those: &Contents| {
        let only = these.iter().filter(|(key, bits)| those.get(*key) != Some(*bits));
        let all: Vec<_> = only.map(|(key, bits)| (key.clone(), f64::from_bits(*bits))).collect();
        format!("{} such as {:?}", all.len(), &all[..all.len().min(4)])
    };
    format!("unexpected: {}; missing: {}", only(found, expected), only(expected, found))
}

/// Is all of `part` in `whole`, with the same values?
pub fn is_within(part: &Contents, whole: &Contents) -> bool {
    part.iter().all(|(key, bits)| whole.get(key) == Some(bits))
}

/// The path of the data directory of [`options`].
pub fn data_path() -> &'static Path {
    Path::new("data")
}
