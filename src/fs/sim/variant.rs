//! The contents one file may have after a power cut: its durable content followed by what landed of the writes after it.
//!
//! Any prefix of whole writes may have landed, and of the next one: a part up to a tear; its length without its data;
//! one side of a tear with zeros on the other. Besides, everything may have landed but one write, or no data at all, whose
//! place reads as zeros. A suspect write before a synced one can only be there or be zeros.

use std::collections::BTreeSet;
use std::ops::Range;

use super::model::{Standing, Write};

/// Disks write sectors of 512 bytes whole, and the page cache pages of 4 KiB: tears are likely at both.
const TEAR_EDGES_BYTES: [usize; 2] = [512, 4096];

/// What landed of the first write that is not there as a whole.
#[derive(Debug, Clone, Copy)]
enum Next {
    Absent,
    /// The length landed, no data.
    Zeros,
    /// The bytes before the cut, and nothing after them.
    Head(usize),
    /// The bytes before the cut, then zeros.
    HeadThenZeros(usize),
    /// Zeros before the cut, then the bytes.
    ZerosThenTail(usize),
}

/// One way in which the writes of a file may have landed.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    /// Writes that landed as a whole.
    whole: usize,
    next: Next,
    /// Those of them that lost their data, unless they are synced.
    zeroed: Range<usize>,
}

impl Variant {
    fn whole(whole: usize) -> Variant {
        Variant { whole, next: Next::Absent, zeroed: 0..0 }
    }

    /// The content that this variant leaves.
    pub(super) fn content(&self, durable: &[u8], writes: &[Write]) -> Vec<u8> {
        let mut content = durable.to_vec();
        for (i, write) in writes[..self.whole].iter().enumerate() {
            let lost = self.zeroed.contains(&i) && write.standing != Standing::Synced;
            land(
                &mut content,
                &write.bytes,
                if lost { Next::Zeros } else { Next::Head(usize::MAX) },
            );
        }
        if let Some(write) = writes.get(self.whole) {
            land(&mut content, &write.bytes, self.next);
        }
        content
    }
}

fn land(content: &mut Vec<u8>, bytes: &[u8], how: Next) {
    let start = content.len();
    match how {
        Next::Absent => {}
        Next::Zeros => content.resize(start + bytes.len(), 0),
        Next::Head(cut) => content.extend_from_slice(&bytes[..cut.min(bytes.len())]),
        Next::HeadThenZeros(cut) => {
            content.extend_from_slice(&bytes[..cut]);
            content.resize(start + bytes.len(), 0);
        }
        Next::ZerosThenTail(cut) => {
            content.resize(start + cut, 0);
            content.extend_from_slice(&bytes[cut..]);
        }
    }
}

/// All variants of a file whose durable content has `durable_len` bytes, the one with the least first, the one with all
/// that was written last. A file without open writes has one.
pub(super) fn variants(durable_len: usize, writes: &[Write]) -> Vec<Variant> {
    let last_synced = writes.iter().rposition(|write| write.standing == Standing::Synced);
    let least = last_synced.map_or(0, |last| last + 1);
    let mut out = vec![Variant::whole(least)];
    let mut offset = durable_len + writes[..least].iter().map(|w| w.bytes.len()).sum::<usize>();
    for (whole, write) in writes.iter().enumerate().skip(least) {
        let torn = tears(offset, write.bytes.len())
            .into_iter()
            .flat_map(|cut| [Next::Head(cut), Next::HeadThenZeros(cut), Next::ZerosThenTail(cut)]);
        let nexts = torn.chain([Next::Zeros]);
        out.extend(nexts.map(|next| Variant { whole, next, zeroed: 0..0 }));
        out.push(Variant::whole(whole + 1));
        offset += write.bytes.len();
    }
    let all = out.pop();
    out.extend(lost(writes, least));
    out.extend(all);
    out
}

/// Variants in which writes that are followed by others lost their data: one, or all that can.
fn lost(writes: &[Write], least: usize) -> Vec<Variant> {
    let open: Vec<usize> =
        (0..writes.len()).filter(|i| writes[*i].standing != Standing::Synced).collect();
    let mut lost = Vec::new();
    for whole in BTreeSet::from([least, writes.len()]) {
        let zeroed = |zeroed| Variant { whole, next: Next::Absent, zeroed };
        let within = || open.iter().copied().filter(|i| *i < whole);
        lost.extend(within().filter(|i| i + 1 < whole).map(|i| zeroed(i..i + 1)));
        if within().count() > 1 {
            lost.push(zeroed(0..whole));
        }
    }
    lost
}

/// Where a write at `offset` of a file may be torn, as bytes of it before the tear: after the first, in the middle,
/// before the last, and at its first and last edge of each size.
fn tears(offset: usize, len: usize) -> Vec<usize> {
    let mut cuts = vec![1, len / 2, len.saturating_sub(1)];
    for edge in TEAR_EDGES_BYTES {
        cuts.push((offset + 1).next_multiple_of(edge) - offset);
        cuts.push(((offset + len).saturating_sub(1) / edge * edge).saturating_sub(offset));
    }
    cuts.retain(|cut| (1..len).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
