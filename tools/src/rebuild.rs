//! `sbtool manifest rebuild`: the one command that changes a data directory.

use std::io::Write;
use std::path::Path;

use silverback::db::rebuild::{Rebuilt, rebuild};
use silverback::fs::os::OsDisk;

use crate::file::failure;
use crate::{Failure, finish};

/// Writes the manifest anew and prints what became of every file.
pub fn run(dir: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let Rebuilt { state, damaged, superseded, kept } = rebuild(&OsDisk, dir).map_err(failure)?;
    for id in state.files.keys() {
        finish(writeln!(out, "listed       {}", id.path(Path::new("")).display()))?;
    }
    for id in superseded {
        let path = id.path(Path::new(""));
        finish(writeln!(out, "left out     {}: another file holds the same", path.display()))?;
    }
    for (name, error) in &damaged {
        finish(writeln!(out, "quarantined  {}: {error}", name.path(Path::new("")).display()))?;
    }
    if let Some(kept) = kept {
        finish(writeln!(out, "kept         the old manifest as {}", kept.display()))?;
    }
    let (files, wal_seq, next_ref) = (state.files.len(), state.wal_seq, state.next_ref);
    finish(writeln!(
        out,
        "written      a manifest of {files} files; the log is needed behind sequence {wal_seq}; next series ref {next_ref}"
    ))?;
    match damaged.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} files do not open; they are in quarantine, and their samples are missing"
        )),
    }
}
