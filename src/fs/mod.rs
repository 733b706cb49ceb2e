//! The seam to the file system. The engine touches files only through [`Disk`]; behind it is the operating system
//! ([`os`]) or a simulated disk that can lose power at any operation ([`sim`]).
//!
//! What callers may rely on, and what the simulated disk takes away from those who rely on more:
//! 1. Bytes appended are durable after `Append::sync` returned Ok. Before that any part of them may survive.
//! 2. A created, renamed or removed name is durable after `sync_dir` of its directory. Before that it may or
//!    may not have happened, in any order against others.
//! 3. After a failed sync nothing is known of the bytes since the last good one; syncing again proves nothing.
//! 4. Dropping a file syncs nothing.

mod mmap;
pub mod os;
pub mod sealed;
pub mod sim;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

/// A file system, real or simulated. Paths are absolute or relative to the process, as given.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Creates a file for appending. Fails with `AlreadyExists` if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Append>>;

    /// Opens an immutable file for reading: its length is taken now.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>>;

    /// Cuts an existing file to `len_bytes` and makes that durable before it returns. `InvalidInput` if it is shorter.
    /// With the present length it makes durable what an earlier process wrote.
    fn truncate(&self, path: &Path, len_bytes: u64) -> io::Result<()>;

    /// The names in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Creates a directory and what is missing above it. Not durable before `sync_dir` of the parents.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Renames a file within one file system, replacing the target.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The size of the file system that holds an existing path, and what of it this process may still fill.
    fn space(&self, path: &Path) -> io::Result<Space>;

    /// Takes the exclusive lock of a file (created if missing), held until dropped.
    /// `WouldBlock`: another process has it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// The room of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    /// Without what is reserved for the superuser.
    pub available_bytes: u64,
}

/// A file being written, only at its end.
pub trait Append: Send + fmt::Debug {
    /// Writes all of `bytes` at the end. After an error an unknown part of them is there, so nothing can follow at a
    /// known place: every later append fails.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything appended, and the length, durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes appended so far, without those of a failed append.
    fn len(&self) -> u64;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An immutable file.
pub trait Blob: Send + Sync + fmt::Debug {
    fn len(&self) -> u64;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` bytes from `offset`, shared with the file's map where there is one. `UnexpectedEof` beyond the end;
    /// an error if the storage below could not give the bytes.
    fn bytes(&self, offset: u64, len: usize) -> io::Result<Bytes>;

    /// Makes sure that bytes can be read. Bytes that are read without that, and cannot be, spoil the whole file for
    /// [`Blob::check`].
    ///
    /// # Errors
    /// The storage could not give them, or they are beyond the end.
    fn populate(&self, _offset: u64, _len: usize) -> io::Result<()> {
        Ok(())
    }

    /// An error if the storage failed under bytes already given, which then read as zeros: to be asked after decoding
    /// them, before the result is used.
    fn check(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A held lock.
pub trait Lock: Send + Sync + fmt::Debug {}

/// `offset..offset + len` as a range of a buffer of `total` bytes.
fn range_within(total: usize, offset: u64, len: usize) -> io::Result<Range<usize>> {
    let start = usize::try_from(offset).ok();
    let end = start.and_then(|start| start.checked_add(len)).filter(|end| *end <= total);
    start.zip(end).map(|(start, end)| start..end).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{len} bytes at offset {offset} are beyond the end of a file of {total}"),
        )
    })
}

fn append_after_failure() -> io::Error {
    io::Error::other("an earlier append to this file failed: go on in a new file")
}
