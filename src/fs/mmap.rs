//! Read-only memory maps that survive storage which cannot give a page. Only [`super::os`] uses it; all unsafe code of
//! the engine is here.
//!
//! Touching a mapped page that is beyond a file cut short, or that the device fails to read, raises SIGBUS, which kills
//! the process. Instead:
//! 1. Every map is registered in a fixed table of atomics, which a signal handler may read.
//! 2. On SIGBUS inside a registered map the handler puts a page of zeros over the fault, marks the map poisoned and
//!    returns; the reader goes on over zeros.
//! 3. Readers ask for the mark when they are done and throw away what they decoded.
//! 4. Any other SIGBUS goes to the handler that was there before, or to the default action.
#![expect(unsafe_code, reason = "maps and signal handlers have no safe interface")]

use std::fmt;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
// Those of `std`: a signal handler runs in no model checker.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};

/// Files mapped at once. Far more than the blocks and spills a retention period leaves after compaction, and far below
/// the kernel's own limit (`vm.max_map_count`, 65,530); a file beyond it is read into memory instead.
const MAPS_MAX: usize = 4096;

/// A free slot's start address.
const FREE: usize = 0;
/// The start address of a slot that is being filled: no map begins there.
const CLAIMED: usize = 1;

static SLOTS: [Slot; MAPS_MAX] = [const { Slot::new() }; MAPS_MAX];
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();

/// One registered map. `start` is written last when a map comes and first when it goes.
struct Slot {
    start: AtomicUsize,
    len: AtomicUsize,
    poisoned: AtomicBool,
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            start: AtomicUsize::new(FREE),
            len: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
        }
    }

    fn claim() -> Option<&'static Slot> {
        SLOTS.iter().find(|slot| {
            slot.start.compare_exchange(FREE, CLAIMED, Ordering::SeqCst, Ordering::Relaxed).is_ok()
        })
    }

    fn fill(&self, map: &[u8]) {
        self.len.store(map.len(), Ordering::SeqCst);
        self.poisoned.store(false, Ordering::SeqCst);
        self.start.store(map.as_ptr() as usize, Ordering::SeqCst);
    }

    fn release(&self) {
        self.start.store(FREE, Ordering::SeqCst);
    }

    /// Whether the address is in this map. The start is read again after the length, so that a length of a later map
    /// in the same slot is never taken for this one's.
    fn contains(&self, address: usize) -> bool {
        let start = self.start.load(Ordering::SeqCst);
        let len = self.len.load(Ordering::SeqCst);
        start > CLAIMED
            && address.wrapping_sub(start) < len
            && self.start.load(Ordering::SeqCst) == start
    }
}

/// Tells whether a map could not give a page. Meaningful only beside bytes of its map, which keep the slot its own.
#[derive(Clone, Copy)]
pub(super) struct Guard {
    slot: &'static Slot,
}

impl Guard {
    pub(super) fn poisoned(&self) -> bool {
        self.slot.poisoned.load(Ordering::SeqCst)
    }

    /// Brings bytes of its map into memory.
    ///
    /// # Errors
    /// The storage cannot give them all. Touching them would poison the map; now nobody has to.
    pub(super) fn populate(&self, bytes: &[u8]) -> io::Result<()> {
        let into_page = bytes.as_ptr() as usize % PAGE_BYTES.load(Ordering::SeqCst);
        let start = bytes.as_ptr().wrapping_sub(into_page).cast_mut().cast();
        // SAFETY: the pages are of a map that lives as long as the bytes; reading them ahead changes nothing.
        if unsafe { libc::madvise(start, bytes.len() + into_page, libc::MADV_POPULATE_READ) } == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::EFAULT | libc::EHWPOISON)) => {
                Err(error)
            }
            // Linux before 5.14 does not know the advice, and may lack memory for it: the pages come when touched.
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("poisoned", &self.poisoned()).finish()
    }
}

/// A registered map; leaves the table before the memory goes.
struct Mapped {
    map: Mmap,
    slot: &'static Slot,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.slot.release();
    }
}

/// Maps the first `len` bytes of a file. None if the file should be read instead: it is empty, or the table is full.
///
/// # Errors
/// The map or the signal handler is refused by the system.
pub(super) fn map(file: &File, len: u64) -> io::Result<Option<(Bytes, Guard)>> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    if len == 0 {
        return Ok(None);
    }
    install_handler()?;
    let Some(slot) = Slot::claim() else { return Ok(None) };
    // SAFETY: the engine never writes or cuts a file that it has mapped. Should another program do so, bytes may change
    // under a reader: everything read from files is checked by bounds and checksums and never trusted to be valid text
    // or a valid address, and a page that is gone is handled below.
    let mapped = unsafe { MmapOptions::new().len(len).map(file) };
    let map = mapped.inspect_err(|_| slot.release())?;
    slot.fill(&map);
    Ok(Some((Bytes::from_owner(Mapped { map, slot }), Guard { slot })))
}

fn install_handler() -> io::Result<()> {
    let installed = INSTALLED.get_or_init(|| {
        install_handler_once().map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    });
    installed.map_err(io::Error::from_raw_os_error)
}

fn install_handler_once() -> io::Result<()> {
    // SAFETY: sysconf takes no pointers.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page_bytes = usize::try_from(page_bytes).map_err(|_| io::Error::last_os_error())?;
    PAGE_BYTES.store(page_bytes, Ordering::SeqCst);

    let mut previous = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; the old one is written to memory of its type.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), previous.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above succeeded and filled it in; it was zeroed before, which is valid for this type.
    let previous = unsafe { previous.assume_init() };
    PREVIOUS.get_or_init(|| previous);

    // SAFETY: all zeros is a valid sigaction: no flags, an empty mask, the default action.
    let mut action = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
    action.sa_sigaction = on_sigbus as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the action is filled in, and its handler calls only what is safe in a signal handler.
    if unsafe { libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Runs in a signal handler: atomics and system calls only, errno left as it was.
extern "C" fn on_sigbus(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: errno's location is the calling thread's own and always valid.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO; SIGBUS fills in the address where it is a fault.
    let (address, is_fault) = unsafe { ((*info).si_addr() as usize, (*info).si_code > 0) };
    let handled =
        is_fault && SLOTS.iter().any(|slot| slot.contains(address) && cover(slot, address));
    if !handled {
        pass_on(signal, info, context);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Puts zeros over the page of a fault. The mark comes first: whoever sees the zeros can see the mark.
fn cover(slot: &Slot, address: usize) -> bool {
    slot.poisoned.store(true, Ordering::SeqCst);
    let page_bytes = PAGE_BYTES.load(Ordering::SeqCst);
    let page = address & !(page_bytes - 1);
    // SAFETY: the page is within a registered map, which starts at a page and lives while a reader touches it, so
    // replacing it takes nothing from anybody else; it stays readable.
    let covered = unsafe {
        libc::mmap(
            page as *mut libc::c_void,
            page_bytes,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    covered != libc::MAP_FAILED
}

/// Hands a SIGBUS that is not ours to the previous handler. Without one the default action is restored and the signal
/// sent again, which ends the process when the handler returns.
fn pass_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let previous = PREVIOUS.get().filter(|previous| {
        previous.sa_sigaction != libc::SIG_DFL && previous.sa_sigaction != libc::SIG_IGN
    });
    let Some(previous) = previous else {
        // SAFETY: both calls are safe in a signal handler and take no pointers.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return;
    };
    let handler = previous.sa_sigaction as *const ();
    if previous.sa_flags & libc::SA_SIGINFO == 0 {
        // SAFETY: an action without SA_SIGINFO that is neither default nor ignore holds a handler of this signature.
        let handler = unsafe { std::mem::transmute::<*const (), extern "C" fn(i32)>(handler) };
        handler(signal);
    } else {
        type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: an action with SA_SIGINFO holds a handler of this signature; the arguments are those of the kernel.
        let handler = unsafe { std::mem::transmute::<*const (), Handler>(handler) };
        handler(signal, info, context);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files are cut behind the map's back")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Command, Output};

    use crate::fs::Disk;
    use crate::fs::os::OsDisk;

    const CHILD: &str = "SILVERBACK_TEST_CHILD";

    fn file(dir: &Path, pages: usize) -> File {
        let path = dir.join("file");
        fs::write(&path, vec![7; pages * page_bytes()]).unwrap();
        File::options().read(true).write(true).open(path).unwrap()
    }

    fn page_bytes() -> usize {
        install_handler().unwrap();
        PAGE_BYTES.load(Ordering::SeqCst)
    }

    #[test]
    fn a_map_of_a_file_cut_short_gives_zeros_and_is_poisoned() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 5);
        let (bytes, guard) = map(&file, 5 * page_bytes() as u64).unwrap().unwrap();
        let (_other, other_guard) = map(&file, 8).unwrap().unwrap();
        assert_eq!(bytes[4 * page_bytes()], 7);
        file.set_len(page_bytes() as u64).unwrap();
        assert_eq!(bytes[0], 7);
        assert!(!guard.poisoned());
        assert_eq!(bytes[5 * page_bytes() - 1], 0);
        assert!(guard.poisoned());
        assert!(bytes[page_bytes()..].iter().all(|byte| *byte == 0));
        assert_eq!(bytes[0], 7);
        assert!(!other_guard.poisoned());
    }

    #[test]
    fn many_threads_may_meet_the_same_failing_pages() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 64);
        let (bytes, guard) = map(&file, 64 * page_bytes() as u64).unwrap().unwrap();
        file.set_len(0).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(bytes.iter().all(|byte| *byte == 0) && guard.poisoned()));
            }
        });
    }

    #[test]
    fn slots_are_free_again_when_the_last_bytes_go() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 1);
        for _ in 0..MAPS_MAX + 10 {
            let (bytes, guard) = map(&file, 8).unwrap().unwrap();
            let part = bytes.slice(2..4);
            drop(bytes);
            assert!(!guard.poisoned());
            assert_eq!(&part[..], [7, 7]);
        }
        file.set_len(0).unwrap();
        assert!(map(&file, 0).unwrap().is_none(), "an empty file is read, not mapped");
    }

    #[test]
    fn a_full_table_leaves_the_file_to_be_read() {
        if !in_child() {
            let name = "fs::mmap::tests::a_full_table_leaves_the_file_to_be_read";
            let child = run_child(name);
            assert!(child.status.success(), "{child:?}");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 1);
        let maps: Vec<_> = std::iter::from_fn(|| map(&file, 8).unwrap()).collect();
        assert_eq!(maps.len(), MAPS_MAX);
        let blob = OsDisk.open(&dir.path().join("file")).unwrap();
        assert_eq!(blob.bytes(0, 8).unwrap(), [7; 8][..]);
        blob.check().unwrap();
    }

    #[test]
    fn a_sigbus_elsewhere_ends_the_process() {
        if !in_child() {
            let child = run_child("fs::mmap::tests::a_sigbus_elsewhere_ends_the_process");
            assert_eq!(child.status.signal(), Some(libc::SIGBUS), "{child:?}");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 1);
        let (_registered, _) = map(&file, 8).unwrap().unwrap();
        // SAFETY: the process is to end by reading it.
        let unregistered = unsafe { Mmap::map(&file) }.unwrap();
        file.set_len(0).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        assert_eq!(unregistered[0], 0, "read a page that is not there");
    }

    fn in_child() -> bool {
        std::env::var_os(CHILD).is_some()
    }

    /// Runs one test in a process of its own.
    fn run_child(test: &str) -> Output {
        let this = std::env::current_exe().unwrap();
        Command::new(this).args(["--exact", test]).env(CHILD, "1").output().unwrap()
    }
}
