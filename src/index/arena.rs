//! Storage that grows without moving what it holds: [`Arena`] for byte strings, [`Paged`] for values of one
//! size. A large vector would be copied when it grows, under a lock, and stand half empty afterwards.

use crate::encoding::cursor::{Cursor, put_varint};

/// Size of an arena's page: large against a string, small against the memory of a machine.
const ARENA_PAGE_BYTES: usize = 1 << 20;
/// Every string starts at a multiple of this, so that 32 bits of position reach 16 GiB.
const ARENA_UNIT_BYTES: usize = 4;
const UNITS_PER_PAGE: usize = ARENA_PAGE_BYTES / ARENA_UNIT_BYTES;
const ARENA_PAGES_MAX: usize = 1 << 14;

/// Byte strings, never moved, never freed, each found by the position that `push` gave.
///
/// A string longer than a page has a page of its own size; the page numbers that it covers besides hold
/// nothing.
#[derive(Debug, Default)]
pub struct Arena {
    pages: Vec<Vec<u8>>,
    allocated_bytes: usize,
}

impl Arena {
    /// Can strings of so many bytes in all be pushed without running out of positions?
    pub fn has_room(&self, bytes: usize) -> bool {
        self.pages.len() + bytes / ARENA_PAGE_BYTES + 2 < ARENA_PAGES_MAX
    }

    /// Stores a string. The caller has asked [`Arena::has_room`].
    pub fn push(&mut self, bytes: &[u8]) -> u32 {
        let mut prefix = Vec::with_capacity(4);
        put_varint(&mut prefix, bytes.len() as u64);
        let padded = (prefix.len() + bytes.len()).next_multiple_of(ARENA_UNIT_BYTES);
        let page = self.page_with_room(padded);
        let offset = page.len();
        page.extend_from_slice(&prefix);
        page.extend_from_slice(bytes);
        page.resize(offset + padded, 0);
        let number = self.pages.len() - 1;
        for _ in 1..padded.div_ceil(ARENA_PAGE_BYTES) {
            self.pages.push(Vec::new());
        }
        u32::try_from(number * UNITS_PER_PAGE + offset / ARENA_UNIT_BYTES)
            .expect("the caller asked for room")
    }

    fn page_with_room(&mut self, bytes: usize) -> &mut Vec<u8> {
        let room = match self.pages.last() {
            Some(page) if page.capacity() >= ARENA_PAGE_BYTES => {
                ARENA_PAGE_BYTES.saturating_sub(page.len())
            }
            _ => 0,
        };
        if room < bytes {
            let capacity = bytes.max(ARENA_PAGE_BYTES);
            self.pages.push(Vec::with_capacity(capacity));
            self.allocated_bytes += capacity;
        }
        self.pages.last_mut().expect("a page was pushed if there was none with room")
    }

    /// The string at a position that `push` gave.
    #[inline]
    pub fn get(&self, position: u32) -> &[u8] {
        let position = position as usize;
        let page = &self.pages[position / UNITS_PER_PAGE];
        let tail = &page[position % UNITS_PER_PAGE * ARENA_UNIT_BYTES..];
        if tail[0] < 0x80 {
            return &tail[1..=tail[0] as usize];
        }
        let mut cursor = Cursor::new(tail);
        let len = cursor.length("string length").expect("a string begins at every position given");
        &tail[cursor.position()..][..len]
    }

    pub fn memory_bytes(&self) -> usize {
        self.allocated_bytes
    }
}

const PAGED_LEN: usize = 4096;

/// A vector in pages of [`PAGED_LEN`] values.
#[derive(Debug)]
pub struct Paged<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Paged<T> {
    fn default() -> Paged<T> {
        Paged { pages: Vec::new() }
    }
}

impl<T> Paged<T> {
    pub fn push(&mut self, value: T) {
        if self.pages.last().is_none_or(|page| page.len() == PAGED_LEN) {
            self.pages.push(Vec::with_capacity(PAGED_LEN));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(value);
        }
    }

    pub fn len(&self) -> usize {
        match self.pages.last() {
            Some(last) => (self.pages.len() - 1) * PAGED_LEN + last.len(),
            None => 0,
        }
    }

    /// The value at an index below `len`.
    #[inline]
    pub fn get(&self, index: u32) -> &T {
        &self.pages[index as usize / PAGED_LEN][index as usize % PAGED_LEN]
    }

    /// The value at an index below `len`.
    #[inline]
    pub fn get_mut(&mut self, index: u32) -> &mut T {
        &mut self.pages[index as usize / PAGED_LEN][index as usize % PAGED_LEN]
    }

    pub fn memory_bytes(&self) -> usize {
        self.pages.len() * PAGED_LEN * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_all_lengths_come_back() {
        let mut arena = Arena::default();
        let lengths =
            [0, 1, 127, 128, 5, ARENA_PAGE_BYTES - 8, 3, 3 * ARENA_PAGE_BYTES, 9, ARENA_PAGE_BYTES];
        let strings: Vec<Vec<u8>> =
            lengths.iter().enumerate().map(|(i, len)| vec![i as u8; *len]).collect();
        let positions: Vec<u32> = strings.iter().map(|s| arena.push(s)).collect();
        for (string, position) in strings.iter().zip(positions) {
            assert!(arena.get(position) == string, "{} bytes", string.len());
        }
    }

    #[test]
    fn an_arena_says_when_positions_run_out() {
        let arena = Arena::default();
        assert!(arena.has_room(1 << 33));
        assert!(!arena.has_room(1 << 34));
    }

    #[test]
    fn paged_values_are_found_by_index() {
        let mut paged = Paged::default();
        (0..3 * PAGED_LEN as u32).for_each(|i| paged.push(i));
        assert_eq!(paged.len(), 3 * PAGED_LEN);
        *paged.get_mut(5000) = 7;
        assert_eq!((*paged.get(4096), *paged.get(5000)), (4096, 7));
    }
}
