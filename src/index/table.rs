//! Flat hash tables from a hash to a 32-bit id, in lines of 64 bytes: one look-up is one cache miss.
//!
//! A table is split into [`SHARD_COUNT`] independent tables, each of which grows by a quarter, so that no
//! single insertion moves more than a small part of the entries and no table stands half empty.
//!
//! Two kinds: a [`TagTable`] keeps 32 bits of the hash and asks the caller whether a candidate is the one; a
//! [`KeyTable`] keeps 96 bits (with the shard, 104 bits of a keyed 128-bit hash), and their equality counts as
//! identity: among 10 million keys two meet with a chance of one in 2^58. Who calls: `index` for texts and
//! label rows, `head::alias` for raw keys. Knows nothing of what the ids stand for.

/// The id that stands for "none".
pub const NO_ID: u32 = u32::MAX;

/// Shards of a table. One byte of the hash, so that no index into the shards needs a check.
pub const SHARD_COUNT: usize = 256;

/// A table is at most four fifths full: beyond, searches run over several lines.
const LOAD_MAX_NUMERATOR: usize = 4;
const LOAD_MAX_DENOMINATOR: usize = 5;

/// The part of a hash that a table keeps.
pub trait Tag: Copy + Eq + Default {
    /// The 32 bits that choose the line.
    fn home(self) -> u32;
}

impl Tag for u32 {
    fn home(self) -> u32 {
        self
    }
}

impl Tag for [u32; 3] {
    fn home(self) -> u32 {
        self[0]
    }
}

/// A hash as a table takes it: which shard, and what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash<T> {
    shard: u8,
    tag: T,
}

impl Hash<u32> {
    pub fn new(hash: u64) -> Hash<u32> {
        Hash { shard: (hash >> 56) as u8, tag: hash as u32 }
    }
}

impl Hash<[u32; 3]> {
    #[inline]
    pub fn new(hash: u128) -> Hash<[u32; 3]> {
        let tag = [hash as u32, (hash >> 32) as u32, (hash >> 64) as u32];
        Hash { shard: (hash >> 120) as u8, tag }
    }
}

/// Eight entries to a line; candidates are checked by the caller.
pub type TagTable = Table<u32, 8>;

/// Four entries to a line; equal keys are the same thing.
pub type KeyTable = Table<[u32; 3], 4>;

#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    tag: T,
    id: u32,
}

/// Entries fill a line from the front; the first without an id ends it.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line<T, const N: usize>([Entry<T>; N]);

#[derive(Debug)]
struct Shard<T, const N: usize> {
    lines: Vec<Line<T, N>>,
    len: usize,
}

impl<T: Tag, const N: usize> Shard<T, N> {
    fn new(line_count: usize) -> Shard<T, N> {
        let empty = Line([Entry { tag: T::default(), id: NO_ID }; N]);
        Shard { lines: vec![empty; line_count], len: 0 }
    }

    /// The line where a search begins: the tag's share of the lines, so their number may be any.
    #[inline]
    fn home(&self, tag: T) -> usize {
        ((u64::from(tag.home()) * self.lines.len() as u64) >> 32) as usize
    }

    fn next(&self, line: usize) -> usize {
        if line + 1 == self.lines.len() { 0 } else { line + 1 }
    }

    fn is_full(&self) -> bool {
        (self.len + 1) * LOAD_MAX_DENOMINATOR > self.lines.len() * N * LOAD_MAX_NUMERATOR
    }

    /// The place of the entry that `is_it` accepts, or the free place where it belongs. There is a free
    /// place, since a shard is never full.
    #[inline]
    fn search(&self, tag: T, mut is_it: impl FnMut(u32) -> bool) -> (usize, usize) {
        let mut line = self.home(tag);
        loop {
            for (place, entry) in self.lines[line].0.iter().enumerate() {
                if entry.id == NO_ID || (entry.tag == tag && is_it(entry.id)) {
                    return (line, place);
                }
            }
            line = self.next(line);
        }
    }

    fn push(&mut self, entry: Entry<T>) {
        let (line, place) = self.search(entry.tag, |_| false);
        self.lines[line].0[place] = entry;
        self.len += 1;
    }

    fn grow(&mut self) {
        let mut larger = Shard::new(self.lines.len() + self.lines.len() / 4 + 1);
        for entry in self.lines.iter().flat_map(|line| line.0).filter(|entry| entry.id != NO_ID) {
            larger.push(entry);
        }
        *self = larger;
    }
}

/// See the head of this file.
#[derive(Debug)]
pub struct Table<T, const N: usize> {
    shards: Box<[Shard<T, N>; SHARD_COUNT]>,
}

impl<T: Tag, const N: usize> Default for Table<T, N> {
    fn default() -> Table<T, N> {
        Table { shards: Box::new(std::array::from_fn(|_| Shard::new(1))) }
    }
}

impl<T: Tag, const N: usize> Table<T, N> {
    /// The id under this hash for which `is_it` says yes.
    #[inline]
    pub fn find(&self, hash: Hash<T>, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let shard = &self.shards[hash.shard as usize];
        let (line, place) = shard.search(hash.tag, is_it);
        let id = shard.lines[line].0[place].id;
        (id != NO_ID).then_some(id)
    }

    /// Adds an id that is not there yet.
    pub fn insert(&mut self, hash: Hash<T>, id: u32) {
        let shard = &mut self.shards[hash.shard as usize];
        if shard.is_full() {
            shard.grow();
        }
        shard.push(Entry { tag: hash.tag, id });
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len).sum()
    }

    pub fn memory_bytes(&self) -> usize {
        let line_count: usize = self.shards.iter().map(|shard| shard.lines.len()).sum();
        line_count * size_of::<Line<T, N>>() + size_of_val(&*self.shards)
    }
}

impl KeyTable {
    /// The id under this key if it lies in its home line, else [`NO_ID`]. Without a branch, so that the
    /// processor runs ahead into the next look-ups while this line comes from memory.
    #[inline]
    pub fn find_at_home(&self, hash: Hash<[u32; 3]>) -> u32 {
        let shard = &self.shards[hash.shard as usize];
        let mut found = NO_ID;
        for entry in &shard.lines[shard.home(hash.tag)].0 {
            let difference = (entry.tag[0] ^ hash.tag[0])
                | (entry.tag[1] ^ hash.tag[1])
                | (entry.tag[2] ^ hash.tag[2]);
            found = if difference == 0 { entry.id } else { found };
        }
        found
    }

    /// The id under this key.
    pub fn find_key(&self, hash: Hash<[u32; 3]>) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Entries in the shard of this key.
    pub fn shard_len(&self, hash: Hash<[u32; 3]>) -> usize {
        self.shards[hash.shard as usize].len
    }

    /// Empties the shard of this key.
    pub fn clear_shard(&mut self, hash: Hash<[u32; 3]>) {
        self.shards[hash.shard as usize] = Shard::new(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_id_is_found_through_growth() {
        let hash = |i: u32| Hash::<u32>::new(xxhash_rust::xxh3::xxh3_64(&i.to_le_bytes()));
        let mut table = TagTable::default();
        for id in 0..50_000 {
            assert_eq!(table.find(hash(id), |found| found == id), None);
            table.insert(hash(id), id);
        }
        assert_eq!(table.len(), 50_000);
        for id in 0..50_000 {
            assert_eq!(table.find(hash(id), |found| found == id), Some(id));
        }
        let entry_bytes = table.memory_bytes() / table.len();
        assert!(entry_bytes <= 13, "{entry_bytes} bytes per entry");
    }

    #[test]
    fn keys_are_found_at_home_or_beyond() {
        let hash = |i: u32| Hash::<[u32; 3]>::new(xxhash_rust::xxh3::xxh3_128(&i.to_le_bytes()));
        let mut table = KeyTable::default();
        (0..50_000).for_each(|id| table.insert(hash(id), id));
        for id in 0..50_000 {
            let home = table.find_at_home(hash(id));
            assert!(home == id || home == NO_ID);
            assert_eq!(table.find_key(hash(id)), Some(id));
        }
        let home_count = (0..50_000).filter(|id| table.find_at_home(hash(*id)) == *id).count();
        assert!(home_count > 35_000, "{home_count} of 50000 lie in their home line");
        table.clear_shard(hash(7));
        assert_eq!(table.find_key(hash(7)), None);
    }

    proptest! {
        #[test]
        fn colliding_hashes_are_told_apart(hashes in prop::collection::vec(0u64..5, 0..200)) {
            let mut table = TagTable::default();
            for (id, hash) in hashes.iter().enumerate() {
                table.insert(Hash::<u32>::new(*hash << 54), id as u32);
            }
            for (id, hash) in hashes.iter().enumerate() {
                let hash = Hash::<u32>::new(*hash << 54);
                prop_assert_eq!(table.find(hash, |found| found == id as u32), Some(id as u32));
            }
        }
    }
}
