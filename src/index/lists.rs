//! A list per id, as an index on top of an image needs it: ids from the first of its own on have one each, those below,
//! which the image knows, have one only if something was added.

use hashbrown::HashMap;

use super::arena::Paged;
use super::postings::Postings;

/// Ascending lists by id.
#[derive(Debug, Default)]
pub struct Lists {
    first_own: u32,
    own: Paged<Postings>,
    added: HashMap<u32, Postings>,
    /// What the lists hold on the heap.
    heap_bytes: usize,
}

impl Lists {
    pub fn new(first_own: u32) -> Lists {
        Lists { first_own, ..Lists::default() }
    }

    /// Makes an empty list for the next id.
    pub fn add(&mut self) {
        self.own.push(Postings::default());
    }

    /// Appends a value greater than all before to the list of an id.
    pub fn push(&mut self, id: u32, value: u32) {
        let list = match id.checked_sub(self.first_own) {
            Some(index) => self.own.get_mut(index),
            None => self.added.entry(id).or_default(),
        };
        self.heap_bytes += list.push(value);
    }

    /// What was pushed for an id.
    pub fn get(&self, id: u32) -> &[u32] {
        match id.checked_sub(self.first_own) {
            Some(index) => self.own.get(index).as_slice(),
            None => self.added.get(&id).map_or(&[], Postings::as_slice),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        let added_bytes = self.added.capacity() * (size_of::<(u32, Postings)>() + 1);
        self.own.memory_bytes() + added_bytes + self.heap_bytes
    }
}
