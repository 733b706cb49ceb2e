//! Slots in groups by some of their labels.

use std::ops::Range;

use super::memory::MemoryIndex;
use crate::model::groups::{GroupKeys, LabelGroups, NO_VALUE};
use crate::model::{Labels, LabelsBuilder};

/// A label name, and how its pairs are known: those of the image by their numbers, others by the name they have.
struct Wanted {
    name: u32,
    in_base: Range<u32>,
}

/// The groups of the slots by the values of some labels.
pub fn group(index: &MemoryIndex, slots: &[u32], names: &[&str]) -> LabelGroups {
    let known = names.iter().filter_map(|name| index.name_id(name));
    let wanted: Vec<Wanted> =
        known.map(|name| Wanted { name, in_base: index.base().pairs_of(name) }).collect();
    let base_pairs = index.base().pair_count();
    let mut keys = GroupKeys::with_capacity(slots.len());
    let mut key = vec![NO_VALUE; wanted.len()];
    for slot in slots {
        key.fill(NO_VALUE);
        let mut missing = wanted.len();
        for pair in index.pairs(*slot) {
            if missing == 0 {
                break;
            }
            let place = match pair < base_pairs {
                true => wanted.iter().position(|wanted| wanted.in_base.contains(&pair)),
                false => {
                    let name = index.name_of(pair);
                    wanted.iter().position(|wanted| wanted.name == name)
                }
            };
            if let Some(place) = place {
                key[place] = pair;
                missing -= 1;
            }
        }
        keys.push(&key);
    }
    let labels = keys.keys.iter().map(|key| labels_of(index, key)).collect();
    LabelGroups { of: keys.of, labels }
}

fn labels_of(index: &MemoryIndex, key: &[u32]) -> Labels {
    let mut labels = LabelsBuilder::default();
    for pair in key.iter().filter(|pair| **pair != NO_VALUE) {
        labels.set(index.name(index.name_of(*pair)), index.value(*pair));
    }
    labels.build()
}
