//! `sbtool verify`: every page and structure of one file, or of all files of a data directory.

use std::io::Write;
use std::path::Path;

use silverback::block::Block;
use silverback::db::garbage;
use silverback::db::manifest::{FileEntry, FileId, Manifest, State};
use silverback::fs::os::OsDisk;
use silverback::fs::sealed::SealedFile;
use silverback::head::registry;
use silverback::head::registry::layout::FILE_KIND;
use silverback::head::spill::Spill;
use silverback::wal;

use crate::file::{Kind, failure, number};
use crate::segment::Segment;
use crate::{Failure, finish, manifest};

/// Prints all damage, one line each. It is a failure.
pub fn verify(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let damage = match path.is_dir() {
        true => directory(path, out)?,
        false => damage_of(path)?,
    };
    damage.iter().try_for_each(|damage| finish(writeln!(out, "{damage}")))?;
    match damage.len() {
        0 => finish(writeln!(out, "no damage")),
        count => Err(format!("{count} damaged places in {path:?}")),
    }
}

/// A failure if a file is damaged.
pub fn refuse_damaged(path: &Path) -> Result<(), Failure> {
    damage_of(path)?.into_iter().next().map_or(Ok(()), Err)
}

/// What is wrong with one file. A failure if it cannot be read at all for another reason.
fn damage_of(path: &Path) -> Result<Vec<String>, Failure> {
    let kind = Kind::of(path)?;
    let damage = match kind {
        Kind::Manifest => return Ok(manifest::state(path).err().into_iter().collect()),
        Kind::Segment => Segment::open(path)?.damage(path),
        Kind::Registry => {
            match SealedFile::open(&OsDisk, path, FILE_KIND).and_then(registry::verify::verify) {
                Ok(damage) => damage,
                Err(error) => return Ok(vec![failure(error)]),
            }
        }
        Kind::Spill => match Spill::open(&OsDisk, path, number(path)) {
            Ok(spill) => spill.verify(),
            Err(error) => return Ok(vec![failure(error)]),
        },
        Kind::Block => match Block::open(&OsDisk, path) {
            Ok(block) => block.verify(),
            Err(error) => return Ok(vec![failure(error)]),
        },
    };
    Ok(damage.iter().map(ToString::to_string).collect())
}

/// Checks what the manifest lists, and of the log what is needed. What is garbage is named and not checked.
fn directory(dir: &Path, out: &mut impl Write) -> Result<Vec<String>, Failure> {
    let (state, _) = Manifest::read_only(&OsDisk, dir).map_err(failure)?;
    let mut damage = Vec::new();
    for (id, entry) in &state.files {
        let path = id.path(dir);
        let found = damage_of(&path)?;
        if found.is_empty() && !is_what_was_listed(*id, &path, entry) {
            damage.push(format!("{path:?} is not the file that the manifest lists"));
        }
        damage.extend(found);
    }
    damage.extend(log(dir, &state)?);
    for path in garbage::unlisted(&OsDisk, dir, &state).map_err(failure)? {
        finish(writeln!(out, "not listed in the manifest, and not checked: {}", path.display()))?;
    }
    Ok(damage)
}

fn is_what_was_listed(id: FileId, path: &Path, entry: &FileEntry) -> bool {
    let is_same = |len_bytes, checksum| (len_bytes, checksum) == (entry.len_bytes, entry.checksum);
    match id {
        FileId::RegistryBase(_) | FileId::RegistryDelta(_) => {
            let file = SealedFile::open(&OsDisk, path, FILE_KIND);
            file.is_ok_and(|file| is_same(file.len_bytes(), file.checksum()))
        }
        FileId::Spill(number) => Spill::open(&OsDisk, path, number)
            .is_ok_and(|spill| is_same(spill.file().len_bytes(), spill.file().checksum())),
        FileId::Block(_) => Block::open(&OsDisk, path)
            .is_ok_and(|block| is_same(block.meta().len_bytes, block.meta().checksum)),
    }
}

fn log(dir: &Path, state: &State) -> Result<Vec<String>, Failure> {
    let report = wal::inspect(&OsDisk, dir, state.wal_seq, &mut |_, _| Ok(()));
    let damages = report.map_err(failure)?.damages;
    Ok(damages
        .iter()
        .map(|damage| format!("{}, {} bytes", damage.corrupt, damage.len_bytes))
        .collect())
}
