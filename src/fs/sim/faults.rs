//! Operations made to fail. A test states which; the simulated disk asks before every operation.

use std::io;

/// The operations that can be counted and made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every operation that changes the disk or makes something durable: all but `Open`, `Read` and `List`.
    Mutation,
    Create,
    CreateDir,
    Append,
    Sync,
    Truncate,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Open,
    Read,
    List,
}

impl Kind {
    const COUNT: usize = Kind::List as usize + 1;

    fn is_mutation(self) -> bool {
        !matches!(self, Kind::Open | Kind::Read | Kind::List)
    }
}

/// A failure to come. An append that fails leaves the first half of its bytes behind.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which operations are counted.
    pub kind: Kind,
    /// How many of them succeed first, counted from the call of `SimDisk::fail`.
    pub after: u64,
    /// Whether all later ones fail too.
    pub forever: bool,
    /// What the operating system says, such as `libc::EIO`.
    pub errno: i32,
}

impl Fault {
    /// One failure after `after` successes.
    pub fn once(kind: Kind, after: u64, errno: i32) -> Fault {
        Fault { kind, after, forever: false, errno }
    }

    /// Failures without end after `after` successes.
    pub fn forever(kind: Kind, after: u64, errno: i32) -> Fault {
        Fault { kind, after, forever: true, errno }
    }
}

/// Counts operations and decides which fail.
#[derive(Debug, Default)]
pub(super) struct Faults {
    calls: [u64; Kind::COUNT],
    armed: Vec<Fault>,
}

impl Faults {
    pub(super) fn arm(&mut self, fault: Fault) {
        self.armed.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.armed.clear();
    }

    /// Operations of a kind so far, failed ones included.
    pub(super) fn calls(&self, kind: Kind) -> u64 {
        self.calls[kind as usize]
    }

    /// Counts an operation; an error if it is to fail.
    pub(super) fn check(&mut self, kind: Kind) -> io::Result<()> {
        self.calls[kind as usize] += 1;
        self.calls[Kind::Mutation as usize] += u64::from(kind.is_mutation());
        let mut failure = None;
        self.armed.retain_mut(|fault| {
            let counted =
                fault.kind == kind || (fault.kind == Kind::Mutation && kind.is_mutation());
            if !counted {
                return true;
            }
            if fault.after > 0 {
                fault.after -= 1;
                return true;
            }
            failure.get_or_insert(fault.errno);
            fault.forever
        });
        failure.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }
}
