//! The manifest: the single truth about which files of a data directory count. `db` opens it at start, and whoever has
//! written, merged or dropped files commits the change here.
//!
//! Invariants:
//! 1. One record is one atomic change; a commit has returned Ok when it survives a power cut.
//! 2. Every start, and every commit after one that failed, goes on in a file written anew, so nothing is ever appended
//!    behind bytes of unknown standing, and no descriptor is synced twice for the same bytes.
//! 3. A file written anew gets its name when it is whole and synced.
//!
//! It knows names and lengths of files, not what is in them, and takes no lock: the directory's is held by its owner.

mod error;
pub mod files;
pub mod layout;
mod log;
pub mod record;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use error::ManifestError;
pub use files::{FileEntry, FileId, FileName};
pub use state::{Edit, State, rebuild};

use self::layout::*;
use self::log::Content;
use self::record::{ManifestHeader, RecordHead, encode_edit, encode_record};
use crate::fs::{Append, Disk};
use crate::sync::Arc;

/// The open manifest of a data directory, of which there is one in one process.
#[derive(Debug)]
pub struct Manifest {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    state: State,
    /// Number of the last edit.
    seq: u64,
    /// Where the next edit is appended; None if it needs a file written anew.
    log: Option<OpenLog>,
    is_durable: bool,
    growth_bytes: u64,
}

#[derive(Debug)]
struct OpenLog {
    file: Box<dyn Append>,
    nonce: u64,
    snapshot_bytes: u64,
}

/// What reading a manifest found.
#[derive(Debug, Default)]
pub struct ManifestReport {
    /// There was none: the directory is new.
    pub begun: bool,
    /// Edits read behind the snapshot.
    pub edits: u64,
    /// Bytes of an edit that a power cut tore, which was never acknowledged.
    pub torn_bytes: u64,
    /// Why the manifest could not be written anew. The next commit tries again; until then nothing may be removed, see
    /// [`Manifest::is_durable`].
    pub refused: Option<ManifestError>,
}

impl Manifest {
    /// Reads or begins the manifest of the data directory `dir`, and writes it anew. A disk that refuses that is no error.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is missing where there are files. Nothing was changed.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
    ) -> Result<(Manifest, ManifestReport), ManifestError> {
        let (Content { state, seq, .. }, mut report) = read(&*disk, dir)?;
        let log =
            write_anew(&*disk, dir, &state, seq).map_err(|error| report.refused = Some(error));
        let manifest = Manifest {
            disk,
            dir: dir.to_owned(),
            state,
            seq,
            is_durable: log.is_ok(),
            log: log.ok(),
            growth_bytes: MANIFEST_GROWTH_BYTES,
        };
        Ok((manifest, report))
    }

    /// The same without a change to any file: for looking at a directory that another process may be using.
    ///
    /// # Errors
    /// As [`Manifest::open`].
    pub fn read_only(
        disk: &dyn Disk,
        dir: &Path,
    ) -> Result<(State, ManifestReport), ManifestError> {
        let (content, report) = read(disk, dir)?;
        Ok((content.state, report))
    }

    /// What the bytes of a manifest say, wherever they are from; `dir` is for the text of errors.
    ///
    /// # Errors
    /// They are damaged, or a newer version wrote them.
    pub fn parse(dir: &Path, bytes: &[u8]) -> Result<(State, ManifestReport), ManifestError> {
        let Content { state, edits, torn_bytes, .. } = log::read(dir, bytes)?;
        Ok((state, ManifestReport { begun: false, edits, torn_bytes, refused: None }))
    }

    /// Puts a manifest with this state in the place of whatever is there: the remedy for one that is lost.
    ///
    /// # Errors
    /// The disk refused. The old manifest or this one is there.
    pub fn write_fresh(disk: &dyn Disk, dir: &Path, state: &State) -> Result<(), ManifestError> {
        write_anew(disk, dir, state, 0).map(drop)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether a power cut leaves exactly [`Manifest::state`]. After a commit or a start that failed to write it does not,
    /// until a commit succeeds: files that the state or a failed edit names must stay, and those that it does not.
    pub fn is_durable(&self) -> bool {
        self.is_durable
    }

    /// A number for a new spill or registry file: never given twice, also across crashes as far as files or records show.
    pub fn next_file(&mut self) -> u64 {
        let number = self.state.next_file;
        assert!(number <= FILE_NUMBER_MAX, "no directory lives to see the last file number");
        self.state.next_file += 1;
        number
    }

    /// Makes one change durable. The added files and their directories are durable before, and removed ones are unlinked
    /// after. An edit without content tells whether the disk takes writes again.
    ///
    /// # Errors
    /// Nothing of it counts in this process, but a power cut may bring it back: see [`Manifest::is_durable`].
    pub fn commit(&mut self, edit: Edit) -> Result<(), ManifestError> {
        let mut state = self.state.clone();
        let applied = state.apply(&edit);
        assert!(applied.is_ok(), "an edit must fit the files there are: {applied:?}, {edit:?}");
        self.is_durable = false;
        self.log = match self.log.take() {
            Some(log) if !log.is_due(self.growth_bytes) => {
                self.append(log, &edit, state.next_file)?
            }
            _ => Some(write_anew(&*self.disk, &self.dir, &state, self.seq + 1)?),
        };
        self.is_durable = true;
        self.seq += 1;
        self.state = state;
        Ok(())
    }

    /// Appends one edit and syncs. Gives back the log if more may be appended to it.
    fn append(
        &self,
        mut log: OpenLog,
        edit: &Edit,
        next_file: u64,
    ) -> Result<Option<OpenLog>, ManifestError> {
        let path = self.dir.join(MANIFEST_FILE);
        let (seq, durable_seq) = (self.seq + 1, self.seq);
        let head = RecordHead { record_type: RECORD_TYPE_EDIT, seq, durable_seq };
        let record = log.record(head, &encode_edit(edit, next_file));
        log.file.append(&record).map_err(ManifestError::io("append to", &path))?;
        log.file.sync().map_err(ManifestError::io("sync", &path))?;
        // Says that the edit is durable, so that damage to it is not taken for a tear. The next sync makes it durable, or
        // the system by and by: it guards against decay, which is slow.
        let head = RecordHead { record_type: RECORD_TYPE_MARK, seq, durable_seq: seq };
        let mark = log.record(head, &[]);
        Ok(log.file.append(&mark).is_ok().then_some(log))
    }
}

impl OpenLog {
    fn record(&self, head: RecordHead, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_record(&mut out, self.nonce, self.file.len() as usize, head, payload);
        out
    }

    /// Is it time to write the log anew?
    fn is_due(&self, growth_bytes: u64) -> bool {
        self.file.len() > 2 * self.snapshot_bytes + growth_bytes
    }
}

/// Reads the manifest and the names of the files.
fn read(disk: &dyn Disk, dir: &Path) -> Result<(Content, ManifestReport), ManifestError> {
    let files = list_files(disk, dir)?;
    let path = dir.join(MANIFEST_FILE);
    let (mut content, begun) = match disk.open(&path) {
        Ok(blob) => {
            let len = usize::try_from(blob.len()).unwrap_or(usize::MAX);
            let bytes = blob.bytes(0, len).map_err(ManifestError::io("read", &path))?;
            let content = log::read(dir, &bytes);
            blob.check().map_err(ManifestError::io("read", &path))?;
            (content?, false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => match files.first() {
            None => (Content::default(), true),
            Some(found) => {
                let found = found.path(dir);
                return Err(ManifestError::Missing { dir: dir.to_owned(), found });
            }
        },
        Err(error) => return Err(ManifestError::io("open", &path)(error)),
    };
    let last = files.iter().filter_map(|name| name.number()).max().unwrap_or(0);
    content.state.next_file = content.state.next_file.max(last + 1);
    let Content { edits, torn_bytes, .. } = content;
    Ok((content, ManifestReport { begun, edits, torn_bytes, refused: None }))
}

/// The files in the folders of a data directory, listed in its manifest or not.
///
/// # Errors
/// A folder cannot be listed.
pub fn list_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<FileName>, ManifestError> {
    let mut files = Vec::new();
    for folder in FILE_DIRS {
        let names = match disk.list(&dir.join(folder)) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(ManifestError::io("list", &dir.join(folder))(error)),
        };
        files.extend(names.iter().filter_map(|name| FileName::parse(folder, name)));
    }
    Ok(files)
}

/// Writes a file with nothing but a snapshot, and puts it in the place of the manifest.
fn write_anew(
    disk: &dyn Disk,
    dir: &Path,
    state: &State,
    seq: u64,
) -> Result<OpenLog, ManifestError> {
    let unfinished = dir.join(MANIFEST_UNFINISHED);
    // One left behind is garbage; if it cannot be removed, creating it tells why.
    let _ = disk.remove(&unfinished);
    let nonce = rand::random();
    let mut bytes = ManifestHeader::new(nonce).encode();
    let head = RecordHead { record_type: RECORD_TYPE_SNAPSHOT, seq, durable_seq: seq };
    let offset = bytes.len();
    encode_record(&mut bytes, nonce, offset, head, &encode_edit(&state.as_edit(), state.next_file));
    match publish(disk, dir, &unfinished, &bytes) {
        Ok(file) => Ok(OpenLog { file, nonce, snapshot_bytes: bytes.len() as u64 }),
        Err(error) => {
            // It may have its name already, or be left behind as garbage: neither matters.
            let _ = disk.remove(&unfinished);
            Err(error)
        }
    }
}

fn publish(
    disk: &dyn Disk,
    dir: &Path,
    unfinished: &Path,
    bytes: &[u8],
) -> Result<Box<dyn Append>, ManifestError> {
    let path = dir.join(MANIFEST_FILE);
    let mut file = disk.create(unfinished).map_err(ManifestError::io("create", unfinished))?;
    file.append(bytes).map_err(ManifestError::io("append to", unfinished))?;
    file.sync().map_err(ManifestError::io("sync", unfinished))?;
    disk.rename(unfinished, &path).map_err(ManifestError::io("create", &path))?;
    disk.sync_dir(dir).map_err(ManifestError::io("sync", dir))?;
    Ok(file)
}
