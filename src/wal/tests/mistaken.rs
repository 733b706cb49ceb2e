//! The simulated disk with a mistake in it: what a wrong log would do, or storage that fails while it is
//! read.

use std::io;

use bytes::Bytes;

use super::*;
use crate::fs::{Append, Blob, Lock, Space};

/// A mistake that a log could make, made below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// Acknowledges before the sync.
    NoSync,
    /// Does not sync the directory of a new file.
    NoSyncDir,
    /// Asks the same descriptor again after a failed sync.
    SyncAgain,
    /// Leaves what is behind the end of the log.
    NoTrim,
    /// Not of the log but of the storage: it cannot give the last bytes of this file.
    UnreadableTail(PathBuf),
}

#[derive(Debug, Clone)]
pub(super) struct Mistaken(pub(super) SimDisk, pub(super) Mistake);

#[derive(Debug)]
struct MistakenFile(Box<dyn Append>, Mistake);

impl Append for MistakenFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.1 {
            Mistake::NoSync => Ok(()),
            Mistake::SyncAgain => self.0.sync().or_else(|_| self.0.sync()),
            _ => self.0.sync(),
        }
    }

    fn len(&self) -> u64 {
        self.0.len()
    }
}

/// As a map under which the device failed: the last 16 bytes read as zeros, and `check` tells.
#[derive(Debug)]
struct UnreadableTail(Box<dyn Blob>);

impl Blob for UnreadableTail {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn bytes(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let mut bytes = self.0.bytes(offset, len)?.to_vec();
        let readable = (self.len() - 16 - offset) as usize;
        bytes[readable.min(len)..].fill(0);
        Ok(bytes.into())
    }

    fn check(&self) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EIO))
    }
}

impl Disk for Mistaken {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(MistakenFile(self.0.create(path)?, self.1.clone())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Blob>> {
        let blob = self.0.open(path)?;
        let fails = matches!(&self.1, Mistake::UnreadableTail(file) if file == path);
        Ok(if fails { Box::new(UnreadableTail(blob)) } else { blob })
    }

    fn truncate(&self, path: &Path, len_bytes: u64) -> io::Result<()> {
        if self.1 == Mistake::NoTrim { Ok(()) } else { self.0.truncate(path, len_bytes) }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.1 == Mistake::NoSyncDir { Ok(()) } else { self.0.sync_dir(dir) }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.0.space(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.0.lock(path)
    }
}
