//! `sbtool ls`: every file of a data directory, what its footer says, and whether it counts. No samples are read but those of
//! the log.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use silverback::api::calendar::format_rfc3339;
use silverback::db::directory::{LOCK_FILE, QUARANTINE_DIR};
use silverback::db::manifest::layout::{MANIFEST_FILE, UNFINISHED_SUFFIX};
use silverback::db::manifest::{Manifest, State};
use silverback::fs::os::OsDisk;
use silverback::model::TimeRange;
use silverback::wal;

use crate::file::{Kind, failure};
use crate::segment::Segment;
use crate::{Failure, block, finish, manifest, registry, spill};

/// A line of the listing.
struct Row {
    path: PathBuf,
    bytes: u64,
    facts: Facts,
    /// Whether it counts, and what is wrong with it.
    state: String,
}

/// What a file says of itself.
#[derive(Default)]
struct Facts {
    kind: String,
    sequences: Option<(u64, u64)>,
    series: Option<u64>,
    samples: Option<u64>,
    range: Option<TimeRange>,
}

/// Prints the files and what they come to. A manifest that cannot be read is a failure, after everything else.
pub fn list(dir: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let state = Manifest::read_only(&OsDisk, dir).map(|(state, _)| state).map_err(failure);
    let rows = rows(dir, state.as_ref().ok())?;
    finish(writeln!(
        out,
        "{:<40} {:>12} {:<22} {:>17} {:>9} {:>12}  times",
        "file", "bytes", "kind", "sequences", "series", "samples"
    ))?;
    rows.iter().try_for_each(|row| finish(writeln!(out, "{}", row.text())))?;
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    finish(writeln!(out, "\n{bytes} bytes in {} files", rows.len()))?;
    log(dir, &state?, out)
}

/// Says what the next start replays.
fn log(dir: &Path, state: &State, out: &mut impl Write) -> Result<(), Failure> {
    let after = state.wal_seq;
    let report = wal::inspect(&OsDisk, dir, after, &mut |_, _| Ok(())).map_err(failure)?;
    let (frames, samples, damages) = (report.frames, report.samples, report.damages);
    finish(writeln!(
        out,
        "{samples} samples in {frames} requests of the log behind sequence {after}"
    ))?;
    for damage in damages {
        finish(writeln!(out, "damaged: {}, {} bytes", damage.corrupt, damage.len_bytes))?;
    }
    Ok(())
}

fn rows(dir: &Path, state: Option<&State>) -> Result<Vec<Row>, Failure> {
    let mut found = Vec::new();
    collect(dir, &mut found).map_err(|error| format!("cannot list {dir:?}: {error}"))?;
    let listed: BTreeSet<PathBuf> =
        state.into_iter().flat_map(|state| state.files.keys().map(|id| id.path(dir))).collect();
    let missing = listed.iter().filter(|path| !found.iter().any(|(other, _)| other == *path));
    let missing: Vec<(PathBuf, u64)> = missing.map(|path| (path.clone(), 0)).collect();
    let lost = missing.len();
    found.splice(0..0, missing);
    let mut rows: Vec<Row> = Vec::new();
    for (number, (path, bytes)) in found.into_iter().enumerate() {
        let (facts, state) = match number < lost {
            true => (Facts::default(), "missing, though the manifest lists it".to_string()),
            false => told(dir, &path, state.is_none() || listed.contains(&path)),
        };
        let path = path.strip_prefix(dir).unwrap_or(&path).to_owned();
        rows.push(Row { path, bytes, facts, state });
    }
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rows)
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push((entry.path(), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// What there is to say of a file.
fn told(dir: &Path, path: &Path, is_listed: bool) -> (Facts, String) {
    let of_kind = |kind: &str| Facts { kind: kind.to_string(), ..Facts::default() };
    if path.starts_with(dir.join(QUARANTINE_DIR)) {
        return (of_kind("set aside"), String::new());
    }
    if path == dir.join(LOCK_FILE) {
        return (of_kind("lock"), String::new());
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    if name.ends_with(UNFINISHED_SUFFIX) {
        return (of_kind("unfinished"), "removed by the next start".to_string());
    }
    let Ok(kind) = Kind::of(path) else { return (of_kind("unknown"), String::new()) };
    let is_file_of_manifest = !matches!(kind, Kind::Manifest | Kind::Segment);
    match facts(path, kind) {
        Err(damage) => (of_kind("damaged"), damage),
        Ok(facts) if is_file_of_manifest && !is_listed => {
            (facts, "not listed: removed by the next start".to_string())
        }
        Ok(facts) => (facts, String::new()),
    }
}

fn facts(path: &Path, kind: Kind) -> Result<Facts, Failure> {
    Ok(match kind {
        Kind::Manifest => {
            manifest::state(path)?;
            Facts { kind: MANIFEST_FILE.to_lowercase(), ..Facts::default() }
        }
        Kind::Segment => {
            let segment = Segment::open(path)?;
            segment.header.as_ref().map_err(ToString::to_string)?;
            let totals = segment.totals();
            Facts {
                kind: "log".to_string(),
                sequences: totals.first_seq.map(|first_seq| (first_seq, totals.last_seq)),
                samples: Some(totals.samples),
                ..Facts::default()
            }
        }
        Kind::Registry => {
            let (_, footer) = registry::open(path)?;
            Facts {
                kind: registry::kind(&footer).to_string(),
                series: Some(u64::from(footer.head.series_count)),
                ..Facts::default()
            }
        }
        Kind::Spill => {
            let meta = spill::open(path)?.meta();
            Facts {
                kind: format!("{}, tier {}", spill::short(meta.part), meta.tier),
                sequences: Some((meta.min_seq, meta.max_seq)),
                series: Some(meta.series),
                samples: Some(meta.samples),
                range: Some(meta.range),
            }
        }
        Kind::Block => {
            let block = block::open(path)?;
            let meta = block.meta();
            Facts {
                kind: format!("block, level {}", meta.level),
                sequences: Some((meta.min_seq, meta.max_seq)),
                series: Some(meta.series_count),
                samples: Some(meta.sample_count),
                range: Some(meta.range),
            }
        }
    })
}

impl Row {
    fn text(&self) -> String {
        let Facts { kind, sequences, series, samples, range } = &self.facts;
        let number = |number: &Option<u64>| number.map_or(String::new(), |n| n.to_string());
        let sequences = sequences.map_or(String::new(), |(first, last)| format!("{first}..{last}"));
        let times = range.map_or(String::new(), |range| {
            format!("{} to {}", format_rfc3339(range.mint), format_rfc3339(range.maxt))
        });
        let separator = if times.is_empty() || self.state.is_empty() { "" } else { "  " };
        let text = format!(
            "{:<40} {:>12} {kind:<22} {sequences:>17} {:>9} {:>12}  {times}{separator}{}",
            self.path.display(),
            self.bytes,
            number(series),
            number(samples),
            self.state
        );
        text.trim_end().to_string()
    }
}
