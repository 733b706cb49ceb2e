//! Symbols: texts interned to dense 32-bit ids. A symbol belongs to a scope, and the same text in two scopes is two
//! symbols: label values are interned in the scope of their label name, so that one id stands for a label pair.
//! `index::memory` keeps one set for names and one for pairs. Nothing is ever removed. Ids count up from a first one:
//! those below are in an image.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::arena::{Arena, Paged};
use super::table::{Hash, TagTable};

/// Interned texts.
#[derive(Debug)]
pub struct Symbols {
    first_id: u32,
    table: TagTable,
    entries: Paged<Entry>,
    text: Arena,
    /// Random, so that nobody can send texts that all meet in one place.
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    scope: u32,
    position: u32,
}

impl Symbols {
    pub fn new(first_id: u32) -> Symbols {
        Symbols {
            first_id,
            table: TagTable::default(),
            entries: Paged::default(),
            text: Arena::default(),
            seed: rand::random(),
        }
    }

    fn entry(&self, id: u32) -> Entry {
        *self.entries.get(id - self.first_id)
    }

    fn hash(&self, scope: u32, text: &str) -> Hash<u32> {
        Hash::<u32>::new(xxh3_64_with_seed(text.as_bytes(), self.seed ^ (u64::from(scope) << 16)))
    }

    fn find_hashed(&self, hash: Hash<u32>, scope: u32, text: &str) -> Option<u32> {
        self.table.find(hash, |id| self.is(id, scope, text))
    }

    /// Is this the id of a text?
    pub fn is(&self, id: u32, scope: u32, text: &str) -> bool {
        let entry = self.entry(id);
        entry.scope == scope && self.text.get(entry.position) == text.as_bytes()
    }

    /// The id of a text, if it is interned.
    pub fn find(&self, scope: u32, text: &str) -> Option<u32> {
        self.find_hashed(self.hash(scope, text), scope, text)
    }

    /// The id of a text, and whether it is new. The caller has asked
    /// [`Symbols::has_room`].
    pub fn intern(&mut self, scope: u32, text: &str) -> (u32, bool) {
        let hash = self.hash(scope, text);
        if let Some(id) = self.find_hashed(hash, scope, text) {
            return (id, false);
        }
        let id = self.end();
        let position = self.text.push(text.as_bytes());
        self.entries.push(Entry { scope, position });
        self.table.insert(hash, id);
        (id, true)
    }

    /// Can texts of so many bytes in all be interned without running out of ids or positions?
    pub fn has_room(&self, count: usize, bytes: usize) -> bool {
        count < (u32::MAX - self.end()) as usize && self.text.has_room(bytes)
    }

    pub fn text(&self, id: u32) -> &str {
        let bytes = self.text.get(self.entry(id).position);
        std::str::from_utf8(bytes).expect("what was interned was UTF-8")
    }

    pub fn scope(&self, id: u32) -> u32 {
        self.entry(id).scope
    }

    /// The id after the last.
    pub fn end(&self) -> u32 {
        self.first_id + self.entries.len() as u32
    }

    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.entries.memory_bytes() + self.text.memory_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_text_has_one_id_per_scope(texts in prop::collection::vec((0u32..3, "\\PC{0,4}"), 0..200)) {
            let mut symbols = Symbols::new(7);
            let ids: Vec<u32> = texts.iter().map(|(s, t)| symbols.intern(*s, t).0).collect();
            for ((scope, text), id) in texts.iter().zip(ids) {
                prop_assert_eq!(symbols.find(*scope, text), Some(id));
                prop_assert_eq!(symbols.intern(*scope, text), (id, false));
                prop_assert_eq!((symbols.scope(id), symbols.text(id)), (*scope, text.as_str()));
            }
            prop_assert_eq!(symbols.find(3, "a"), None);
        }
    }
}
