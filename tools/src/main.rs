//! `sbtool`: looks into a Silverback data directory without changing it, also while a server runs on it.

#![allow(clippy::disallowed_methods, reason = "listing file names and sizes is no access to data")]

mod dump;
mod inspect;
mod inspect_registry;
mod list;
mod number;

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use silverback::db::{Db, Recovery, View};
use silverback::error;
use silverback::fs::os::OsDisk;

/// Looks into a Silverback data directory. Reads only, and may run beside the server.
#[derive(Parser)]
#[command(name = "sbtool", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the files, and sum up what they hold
    Ls {
        /// The data directory (--storage.tsdb.path of the server)
        dir: PathBuf,
    },
    /// Print every sample, one per line: {__name__="up", job="x"} value timestamp_ms, as `promtool tsdb dump` does
    Dump(DumpArguments),
    /// Print what a file consists of: where it belongs, sections with their sizes, codecs. Fails if it is damaged
    Inspect {
        /// A block (*.sbb) or a registry file (*.sbr)
        file: PathBuf,
        /// Also list this many series, from the first on
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        series: u64,
    },
}

#[derive(Args)]
struct DumpArguments {
    /// The data directory (--storage.tsdb.path of the server)
    dir: PathBuf,
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
        Command::Ls { dir } => {
            let (view, recovery) = open(dir)?;
            list::files(dir, out)?;
            list::contents(&view, &recovery, out)
        }
        Command::Inspect { file, series } => match file.extension().and_then(OsStr::to_str) {
            Some("sbr") => inspect_registry::inspect(file, out),
            _ => inspect::inspect(file, *series, out),
        },
        Command::Dump(arguments) => {
            let selection = dump::Selection::parse(
                &arguments.selectors,
                arguments.min_time,
                arguments.max_time,
            )?;
            let (view, recovery) = open(&arguments.dir)?;
            dump::dump(&view, &selection, out)?;
            damage(&recovery)
        }
    }
}

fn open(dir: &Path) -> Result<(View, Recovery), Failure> {
    Db::open_read_only(&OsDisk, dir).map_err(|error| error::chain(&error))
}

/// An error if not everything could be read: a script must not take the rest for the whole.
fn damage(recovery: &Recovery) -> Result<(), Failure> {
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
