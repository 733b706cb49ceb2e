//! Hash tables of an image: from a hash to ids, in lines of one cache line. A hash chooses the line where a search
//! begins and a tag of eight bits; a full line sends the search on to the next. Written once, then used where it lies.

use super::layout::*;

/// The line where the search for a hash begins.
fn home(hash: u64, line_count: usize) -> usize {
    (((hash >> 32) * line_count as u64) >> 32) as usize
}

fn tag(hash: u64) -> u8 {
    hash as u8
}

/// A table under construction, of all the lines it will have.
pub struct TableBuilder {
    lines: Vec<u8>,
}

impl TableBuilder {
    /// For so many ids.
    pub fn new(id_count: usize) -> TableBuilder {
        let line_count = (id_count as f64 / LINE_IDS_MEAN).ceil() as usize;
        TableBuilder { lines: vec![0; line_count * LINE_BYTES] }
    }

    /// Adds an id; no more than the table was made for.
    pub fn insert(&mut self, hash: u64, id: u32) {
        let line_count = self.lines.len() / LINE_BYTES;
        let mut number = home(hash, line_count);
        loop {
            let line = &mut self.lines[number * LINE_BYTES..][..LINE_BYTES];
            let place = line[LINE_COUNT_OFFSET] as usize;
            if place < LINE_IDS_MAX {
                line[place * ID_BYTES..][..ID_BYTES].copy_from_slice(&id.to_le_bytes());
                line[LINE_TAGS_OFFSET + place] = tag(hash);
                line[LINE_COUNT_OFFSET] += 1;
                return;
            }
            number = (number + 1) % line_count;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.lines
    }
}

/// The id under this hash for which `is_it` says yes, in a table of `line_count` lines; `line` gives the bytes of one.
pub fn find<'a>(
    line_count: usize,
    line: impl Fn(usize) -> Option<&'a [u8]>,
    hash: u64,
    mut is_it: impl FnMut(u32) -> bool,
) -> Option<u32> {
    let mut number = home(hash, line_count);
    for _ in 0..line_count {
        let line: &[u8; LINE_BYTES] = line(number)?.try_into().ok()?;
        let count = line[LINE_COUNT_OFFSET] as usize;
        let tags = &line[LINE_TAGS_OFFSET..LINE_COUNT_OFFSET];
        for (place, candidate) in tags.iter().enumerate().take(count) {
            if *candidate == tag(hash) {
                let id = [0, 1, 2, 3].map(|i| line[place * ID_BYTES + i]);
                let id = u32::from_le_bytes(id);
                if is_it(id) {
                    return Some(id);
                }
            }
        }
        if count < LINE_IDS_MAX {
            return None;
        }
        number = if number + 1 == line_count { 0 } else { number + 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn find_in(bytes: &[u8], hash: u64, wanted: u32) -> Option<u32> {
        let line = |number: usize| bytes.get(number * LINE_BYTES..(number + 1) * LINE_BYTES);
        find(bytes.len() / LINE_BYTES, line, hash, |id| id == wanted)
    }

    #[test]
    fn every_id_is_found_and_others_are_not() {
        for count in [0u32, 1, 11, 12, 13, 5_000] {
            let hash = |id: u32| xxh3_64(&id.to_le_bytes());
            let mut table = TableBuilder::new(count as usize);
            (0..count).for_each(|id| table.insert(hash(id), id));
            for id in 0..count {
                assert_eq!(find_in(table.bytes(), hash(id), id), Some(id));
            }
            (count..count + 100)
                .for_each(|id| assert_eq!(find_in(table.bytes(), hash(id), id), None));
        }
    }

    #[test]
    fn hashes_that_all_meet_are_told_apart() {
        let mut table = TableBuilder::new(100);
        (0..100).for_each(|id| table.insert(7, id));
        for id in 0..100 {
            assert_eq!(find_in(table.bytes(), 7, id), Some(id));
        }
        assert_eq!(find_in(table.bytes(), 7, 100), None);
    }

    #[test]
    fn a_search_over_senseless_lines_ends() {
        let bytes = vec![0xff; 10 * LINE_BYTES];
        assert_eq!(find_in(&bytes, u64::MAX, 3), None);
        assert_eq!(find_in(&[], 1, 1), None);
    }
}
