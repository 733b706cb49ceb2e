//! The operating system's file system as a [`Disk`]. The binary runs on this; its every rule is also the simulated
//! disk's, checked by one suite over both (`tests.rs`).
//!
//! Files are created with mode 0600 and directories with 0700, since samples may be confidential; std opens everything
//! close-on-exec. Files are read through memory maps (`mmap`), so a read shares the page cache and copies nothing.
#![expect(clippy::disallowed_methods, reason = "the one place where files are opened and changed")]

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use bytes::Bytes;

use super::{Append, Blob, Disk, Lock, Space, mmap, range_within};

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// The process' view of the file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(FILE_MODE).open(path)?;
        Ok(Box::new(OsAppend { file, len: 0, failed: false }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        let (content, guard) = match mmap::map(&file, len)? {
            Some((content, guard)) => (content, Some(guard)),
            None => (read_whole(&mut file, len)?, None),
        };
        Ok(Box::new(OsBlob { path: path.to_owned(), content, guard }))
    }

    fn truncate(&self, path: &Path, len_bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        if len_bytes > file.metadata()?.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cannot truncate {path:?} to {len_bytes} bytes: it is shorter"),
            ));
        }
        file.set_len(len_bytes)?;
        file.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(or_working_dir(dir))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<String>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(or_working_dir(dir))?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(or_working_dir(path))?;
        Ok(Space {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held_by_another(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.write_all(process::id().to_string().as_bytes())?;
        Ok(Box::new(OsLock { _file: file }))
    }
}

/// The parent of a bare name is the empty path, which the system does not take for the working directory.
fn or_working_dir(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// The error for a lock that is taken, with the holder's process id where its file tells it.
fn held_by_another(path: &Path, file: &mut File) -> io::Error {
    let mut holder = String::new();
    let known = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
    let holder = if known { format!("process {holder}") } else { "another process".to_owned() };
    io::Error::new(
        io::ErrorKind::WouldBlock,
        format!("{path:?} is locked by {holder}; stop it first"),
    )
}

/// The first `len` bytes of a file in memory of its own.
fn read_whole(file: &mut File, len: u64) -> io::Result<Bytes> {
    let mut content = Vec::new();
    file.take(len).read_to_end(&mut content)?;
    if (content.len() as u64) < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(content.into())
}

#[derive(Debug)]
struct OsAppend {
    file: File,
    len: u64,
    failed: bool,
}

impl Append for OsAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed {
            return Err(super::append_after_failure());
        }
        self.failed = true;
        self.file.write_all(bytes)?;
        self.failed = false;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn len(&self) -> u64 {
        self.len
    }
}

#[derive(Debug)]
struct OsBlob {
    path: PathBuf,
    content: Bytes,
    /// None when the content is a copy in memory.
    guard: Option<mmap::Guard>,
}

impl Blob for OsBlob {
    fn len(&self) -> u64 {
        self.content.len() as u64
    }

    fn bytes(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.check()?;
        Ok(self.content.slice(range_within(self.content.len(), offset, len)?))
    }

    fn populate(&self, offset: u64, len: usize) -> io::Result<()> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let bytes = &self.content[range_within(self.content.len(), offset, len)?];
        guard.populate(bytes)
    }

    fn check(&self) -> io::Result<()> {
        match &self.guard {
            Some(guard) if guard.poisoned() => Err(io::Error::other(format!(
                "the storage could not give a page of {:?}: it was cut short or the device failed",
                self.path
            ))),
            _ => Ok(()),
        }
    }
}

/// The lock goes with the descriptor.
#[derive(Debug)]
struct OsLock {
    _file: File,
}

impl Lock for OsLock {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_cut_from_outside_is_an_error_not_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        OsDisk.create(&path).unwrap().append(&[7; 100_000]).unwrap();
        let blob = OsDisk.open(&path).unwrap();
        let bytes = blob.bytes(0, 100_000).unwrap();
        OsDisk.truncate(&path, 10).unwrap();
        blob.check().unwrap();
        assert_eq!(bytes[99_999], 0);
        let error = blob.check().unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(blob.bytes(0, 1).unwrap_err().to_string(), error);
        assert_eq!(OsDisk.open(&path).unwrap().bytes(0, 10).unwrap(), [7; 10][..]);
    }

    #[test]
    fn files_and_directories_are_the_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/file");
        OsDisk.create_dir(path.parent().unwrap()).unwrap();
        drop(OsDisk.create(&path).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_taken_lock_names_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        fs::write(&path, "a longer text than a process id, left by someone").unwrap();
        let _held = OsDisk.lock(&path).unwrap();
        let error = OsDisk.lock(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("process {};", process::id())), "{error}");
    }

    #[test]
    fn a_file_read_into_memory_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "hello").unwrap();
        assert_eq!(read_whole(&mut File::open(&path).unwrap(), 4).unwrap(), "hell");
        let error = read_whole(&mut File::open(&path).unwrap(), 6).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
