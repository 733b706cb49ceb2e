//! `sbtool`: looks into a Silverback data directory without changing it, also while a server runs on it. One command changes
//! something: `manifest rebuild`, which wants the directory for itself. `test promql` needs none: it runs scripts.

#![allow(clippy::disallowed_methods, reason = "listing file names and sizes is no access to data")]

mod block;
mod dump;
mod file;
mod list;
mod manifest;
mod number;
mod rebuild;
mod registry;
mod scripts;
mod segment;
mod spill;
#[cfg(test)]
mod tests;
mod verify;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use silverback::db::{Db, Recovery, View};
use silverback::fs::os::OsDisk;

use file::{Kind, failure};

/// Looks into a Silverback data directory, and tests queries. Reads only, and may run beside the server; only `manifest
/// rebuild` writes.
#[derive(Parser)]
#[command(name = "sbtool", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List all files: kind, commit sequences, series, samples, times, and whether the file counts
    Ls {
        /// The data directory (--storage.tsdb.path of the server)
        dir: PathBuf,
    },
    /// Print every sample, one per line: {__name__="up", job="x"} value timestamp_ms, as `promtool tsdb dump` does
    Dump(DumpArguments),
    /// Print what a file consists of: where it belongs, sections with their sizes, codecs. Fails if it is damaged
    Inspect {
        /// MANIFEST, a segment of the log (*.wal), a registry file (*.sbr), a spill (*.sbs) or a block (*.sbb)
        file: PathBuf,
        /// Also list this many series, from the first on
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        series: u64,
    },
    /// Check every page and structure. Lists the damage with file and offset, and fails if there is any
    Verify {
        /// The data directory, or one of its files
        path: PathBuf,
    },
    /// Care for the list of the files that count
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// Test what the query engine answers
    #[command(subcommand)]
    Test(TestCommand),
}

#[derive(Subcommand)]
enum TestCommand {
    /// Run PromQL test scripts in the language of Prometheus' promqltest: load, eval, expect. Fails if an evaluation does
    Promql {
        /// Scripts, run one after the other, each with nothing loaded at first
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum ManifestCommand {
    /// Write a lost or damaged MANIFEST anew, from the footers of the files
    ///
    /// Wants the server stopped. Lists every block, spill and registry file that opens, but for blocks that another block
    /// names as its parents and that is whole. Inputs of other merges, which a crash may have left, stay listed: what is there
    /// twice is read once. All that the log still has is replayed by the next start. Files that do not open are moved to
    /// quarantine/, and so is the old MANIFEST, as MANIFEST.damaged-<number>.
    Rebuild {
        /// The data directory (--storage.tsdb.path of the server)
        dir: PathBuf,
    },
}

#[derive(Args)]
struct DumpArguments {
    /// The data directory (--storage.tsdb.path of the server), or one of its files. Spills and the log name series by their
    /// ref; of a registry file the definitions are printed, of MANIFEST the files that count
    path: PathBuf,
    /// Only series that this selector selects, e.g. 'up{job="x"}'; may be repeated, then any of them
    #[arg(long = "match", value_name = "SELECTOR")]
    selectors: Vec<String>,
    /// First timestamp, milliseconds since the epoch
    #[arg(long, value_name = "MS", default_value_t = i64::MIN, hide_default_value = true)]
    #[arg(allow_negative_numbers = true)]
    min_time: i64,
    /// Last timestamp, milliseconds since the epoch
    #[arg(long, value_name = "MS", default_value_t = i64::MAX, hide_default_value = true)]
    #[arg(allow_negative_numbers = true)]
    max_time: i64,
}

/// One line for the user: what failed, and what to do about it.
type Failure = String;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    match run(&arguments.command, &mut out).and_then(|()| finish(out.flush())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sbtool: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        Command::Ls { dir } => list::list(dir, out),
        Command::Dump(arguments) => dump(arguments, out),
        Command::Inspect { file, series } => {
            inspect(file, *series, out)?;
            verify::refuse_damaged(file)
        }
        Command::Verify { path } => verify::verify(path, out),
        Command::Manifest(ManifestCommand::Rebuild { dir }) => rebuild::run(dir, out),
        Command::Test(TestCommand::Promql { files }) => scripts::run(files, out),
    }
}

fn inspect(path: &Path, series: u64, out: &mut impl Write) -> Result<(), Failure> {
    match Kind::of(path)? {
        Kind::Manifest => manifest::inspect(path, out),
        Kind::Segment => segment::inspect(path, out),
        Kind::Registry => registry::inspect(path, series, out),
        Kind::Spill => spill::inspect(path, series, out),
        Kind::Block => block::inspect(path, series, out),
    }
}

fn dump(arguments: &DumpArguments, out: &mut impl Write) -> Result<(), Failure> {
    let DumpArguments { path, selectors, min_time, max_time } = arguments;
    let selection = dump::Selection::parse(selectors, *min_time, *max_time)?;
    if path.is_dir() {
        let (view, recovery) = open(path)?;
        dump::dump(&view, &selection, out)?;
        return damage(&recovery);
    }
    let kind = Kind::of(path)?;
    if kind != Kind::Block && !selection.is_everything() {
        return Err(format!(
            "{path:?} has no labels to select by: give a block or a data directory"
        ));
    }
    match kind {
        Kind::Manifest => manifest::dump(path, out),
        Kind::Segment => segment::dump(path, out),
        Kind::Registry => registry::dump(path, out),
        Kind::Spill => spill::dump(path, out),
        Kind::Block => block::dump(path, &selection, out),
    }
}

fn open(dir: &Path) -> Result<(View, Recovery), Failure> {
    Db::open_read_only(&OsDisk, dir).map_err(failure)
}

/// An error if not everything could be read: a script must not take the rest for the whole.
fn damage(recovery: &Recovery) -> Result<(), Failure> {
    if let Some(first) = recovery.damaged_files.first() {
        let files = recovery.damaged_files.len();
        return Err(format!(
            "{files} files are damaged, what they held is missing; first: {first}"
        ));
    }
    match recovery.damages.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "the log is damaged in {} places, what they held is missing; first: {}",
            recovery.damages.len(),
            first.corrupt
        )),
    }
}

/// A reader that has seen enough (`head`) is no failure.
fn finish(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write the output: {error}"))
        }
        _ => Ok(()),
    }
}
