//! Whole files that appear at once: after a crash the name holds the old content or the new, never a part. Used for
//! every file that is written in one go and then immutable.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::Disk;

/// Ends the names of files that are being written. Whatever bears it at start was left by a crash.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// Writes a file and makes content and name durable: under a temporary name in the same directory, synced, renamed,
/// and the directory synced. A file of that name is replaced.
///
/// # Errors
/// The new content may or may not have taken the name's place; if not, the old one is still there.
pub fn publish(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    let written = write_and_rename(disk, &temporary, path, bytes);
    if written.is_err() {
        // What cannot be removed now is removed as a leftover at the next start.
        let _ = disk.remove(&temporary);
    }
    written?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// Removes what unfinished calls of [`publish`] left in a directory; returns how many files.
///
/// # Errors
/// The directory cannot be listed or a file cannot be removed.
pub fn remove_leftovers(disk: &dyn Disk, dir: &Path) -> io::Result<usize> {
    let mut names = disk.list(dir)?;
    names.retain(|name| name.ends_with(TEMPORARY_SUFFIX));
    names.iter().try_for_each(|name| disk.remove(&dir.join(name)))?;
    Ok(names.len())
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(TEMPORARY_SUFFIX);
    name.into()
}

fn write_and_rename(
    disk: &dyn Disk,
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
) -> io::Result<()> {
    let mut file = match disk.create(temporary) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(temporary)?;
            disk.create(temporary)?
        }
        created => created?,
    };
    file.append(bytes)?;
    file.sync()?;
    drop(file);
    disk.rename(temporary, path)
}
