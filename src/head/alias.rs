//! The alias table: from the raw label bytes of an item to a slot, so that a known series costs no decoding of
//! labels. Called by `head::registry` for every item of every request; knows nothing of labels.
//!
//! A key is a 128-bit hash of the bytes under a random secret, and equal keys count as equal bytes. The secret
//! never leaves the process, so nobody can look for two label sets that meet.
//!
//! The table is bounded: a sender may spell one series in any number of ways. A part of the table that holds more
//! than its share is emptied and fills again with what is still being sent.

use xxhash_rust::xxh3::xxh3_128_with_secret;

use crate::index::table::{Hash, KeyTable, NO_ID, SHARD_COUNT};

/// Spellings kept per series, on average. One is what a sender needs; two leave room for series that have ended.
const ALIASES_PER_SERIES_MAX: usize = 2;

/// Aliases that are always kept per shard, whatever the number of series.
const SHARD_ALIASES_MIN: usize = 256;

/// Bytes of the secret, as xxh3 uses it.
const SECRET_BYTES: usize = 192;

/// Stands for raw label bytes.
pub type AliasKey = Hash<[u32; 3]>;

/// Makes keys. Apart from the table, so that keys are made without its lock.
#[derive(Debug)]
pub struct AliasHasher {
    secret: [u8; SECRET_BYTES],
}

impl Default for AliasHasher {
    fn default() -> AliasHasher {
        let mut secret = [0; SECRET_BYTES];
        rand::fill(&mut secret);
        AliasHasher { secret }
    }
}

impl AliasHasher {
    #[inline]
    pub fn key(&self, raw: &[u8]) -> AliasKey {
        AliasKey::new(xxh3_128_with_secret(raw, &self.secret))
    }
}

/// Slots by key.
#[derive(Debug, Default)]
pub struct AliasTable {
    table: KeyTable,
}

impl AliasTable {
    /// Replaces `slots` by the slot of every key, [`NO_ID`] where there is none.
    ///
    /// The first pass has no branch that depends on memory, so the lines of several keys are on their way at the
    /// same time; the second looks further for the few that are not where they belong first.
    pub fn find_all(&self, keys: &[AliasKey], slots: &mut Vec<u32>) {
        slots.clear();
        slots.extend(keys.iter().map(|key| self.table.find_at_home(*key)));
        for (key, slot) in keys.iter().zip(slots).filter(|(_, slot)| **slot == NO_ID) {
            *slot = self.table.find_key(*key).unwrap_or(NO_ID);
        }
    }

    /// Remembers the slot of a key in a registry of `series_count` series.
    pub fn insert(&mut self, key: AliasKey, slot: u32, series_count: usize) {
        if self.table.find_key(key).is_some() {
            return;
        }
        let share = series_count * ALIASES_PER_SERIES_MAX / SHARD_COUNT;
        if self.table.shard_len(key) >= share.max(SHARD_ALIASES_MIN) {
            self.table.clear_shard(key);
        }
        self.table.insert(key, slot);
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_found_in_order_and_unknown_ones_are_not() {
        let hasher = AliasHasher::default();
        let keys: Vec<AliasKey> = (0..10_000u32).map(|i| hasher.key(&i.to_le_bytes())).collect();
        let mut aliases = AliasTable::default();
        for (slot, key) in keys.iter().enumerate().step_by(2) {
            aliases.insert(*key, slot as u32, keys.len());
            aliases.insert(*key, slot as u32, keys.len());
        }
        assert_eq!(aliases.len(), 5_000);
        let mut slots = Vec::new();
        aliases.find_all(&keys, &mut slots);
        for (i, slot) in slots.into_iter().enumerate() {
            assert_eq!(slot, if i % 2 == 0 { i as u32 } else { NO_ID });
        }
    }

    #[test]
    fn the_number_of_aliases_is_bounded_and_the_latest_are_known() {
        let hasher = AliasHasher::default();
        let mut aliases = AliasTable::default();
        for i in 0..300_000u32 {
            aliases.insert(hasher.key(&i.to_le_bytes()), i, 1000);
        }
        assert!(aliases.len() <= SHARD_COUNT * SHARD_ALIASES_MIN);
        let mut slots = Vec::new();
        aliases.find_all(&[hasher.key(&299_999u32.to_le_bytes())], &mut slots);
        assert_eq!(slots, [299_999]);
    }
}
