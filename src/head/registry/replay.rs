//! What a start puts back: definitions of deltas and of the log, and which refs must not be given again. Called before any
//! batch is resolved.

use super::{NO_SERIES, REF_END, Registry};
use crate::error::Corrupt;
use crate::model::{Labels, SeriesRef};
use crate::sync::Ordering;

/// Refs that a request lost from the log may have used beyond those known before it: a process gives no more than there
/// are slots, and every process of which refs are lost has lost a request.
const REFS_PER_LOST_REQUEST: u64 = 1 << 32;

impl Registry {
    /// Takes the definitions of a record of the log. Two refs with the same labels are one series; a ref that is defined
    /// anew with other labels stands for those from here on. The limit on series does not apply.
    ///
    /// # Errors
    /// A ref that was never given, and then none of the definitions is taken; or more label text than an index can hold.
    pub fn restore(&self, definitions: &[(SeriesRef, Labels)]) -> Result<(), Corrupt> {
        let is_given = |series: SeriesRef| series != NO_SERIES && series.0 < REF_END;
        if let Some((series, _)) = definitions.iter().find(|(series, _)| !is_given(*series)) {
            return Err(Corrupt::at(0, format!("series ref {}, which is never given", series.0)));
        }
        let known = &mut *self.known.write();
        let mut hot = self.hot.write();
        for (series, labels) in definitions {
            if !known.index.has_room_for(labels) {
                return Err(Corrupt::at(0, "size of all series"));
            }
            let slot_before = match known.index.find_or_add(labels, &mut known.row) {
                (slot, true) => hot.refs.push(slot, *series),
                (slot, false) => hot.refs.insert(*series, slot).filter(|before| *before != slot),
            };
            known.next_ref = known.next_ref.max(series.0 + 1);
            known.robbed.extend(slot_before);
        }
        Ok(())
    }

    /// Gives `found` the slots of the samples of a record of the log; None where a sample's series was not defined. None
    /// of the refs is given again.
    pub fn resolve_replayed<T>(
        &self,
        samples: impl Iterator<Item = (SeriesRef, T)>,
        mut found: impl FnMut(Option<u32>, T),
    ) {
        let known = &mut *self.known.write();
        let hot = self.hot.read();
        for (series, sample) in samples {
            if (known.next_ref..REF_END).contains(&series.0) {
                known.next_ref = series.0 + 1;
            }
            found(hot.refs.slot_of(series), sample);
        }
    }

    /// Gives no ref below this one: what a delta says of its time.
    pub fn skip_refs_below(&self, next_ref: u64) {
        let mut known = self.known.write();
        known.next_ref = known.next_ref.max(next_ref.min(REF_END));
    }

    /// So many requests are missing from the log at this point: gives none of the refs that they may have defined. Before
    /// any series is pending.
    pub fn skip_lost(&self, requests: u64) {
        let mut known = self.known.write();
        let skipped = known.next_ref.saturating_add(requests.saturating_mul(REFS_PER_LOST_REQUEST));
        // Half of all refs are kept for what comes: damage cannot use them up.
        known.next_ref = known.next_ref.max(skipped.min(REF_END / 2));
    }

    /// Ends the replay. A series whose ref was given to other labels gets a new one. Returns how many did.
    pub fn finish_replay(&self) -> u64 {
        let known = &mut *self.known.write();
        let mut robbed = std::mem::take(&mut known.robbed);
        robbed.sort_unstable();
        robbed.dedup();
        let mut pending = self.pending.lock();
        let mut hot = self.hot.write();
        robbed.retain(|slot| hot.refs.slot_of(hot.refs.get(*slot)) != Some(*slot));
        for slot in &robbed {
            let series = SeriesRef(known.next_ref);
            known.next_ref += 1;
            pending.insert(series);
            hot.refs.replace(*slot, series);
        }
        self.first_pending.store(pending.first(), Ordering::Release);
        robbed.len() as u64
    }
}
