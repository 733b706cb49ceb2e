//! Series in groups by some of their labels: what an aggregation needs to know of label sets. Sources tell it from the numbers that
//! stand for label values, without making label sets.

use hashbrown::HashMap;

use super::Labels;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct LabelGroups {
    /// Of every series its group.
    pub of: Vec<u32>,
    /// Of every group the labels that its series share.
    pub labels: Vec<Labels>,
}

/// Finds groups by the numbers of the values of the labels in question.
#[derive(Debug, Default)]
pub struct GroupKeys {
    pub of: Vec<u32>,
    /// By group, in order of appearance.
    pub keys: Vec<Box<[u32]>>,
    by_key: HashMap<Box<[u32]>, u32>,
}

/// The number in the place of a label that a series has not.
pub const NO_VALUE: u32 = u32::MAX;

impl GroupKeys {
    pub fn with_capacity(series: usize) -> GroupKeys {
        GroupKeys { of: Vec::with_capacity(series), ..GroupKeys::default() }
    }

    /// The next series has these values.
    pub fn push(&mut self, key: &[u32]) {
        // Neighbours mostly share their group.
        let last = self.of.last().copied();
        if let Some(group) = last.filter(|group| *self.keys[*group as usize] == *key) {
            return self.of.push(group);
        }
        let group = match self.by_key.get(key) {
            Some(group) => *group,
            None => {
                let group = self.keys.len() as u32;
                self.keys.push(Box::from(key));
                self.by_key.insert(Box::from(key), group);
                group
            }
        };
        self.of.push(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_one_group() {
        let mut keys = GroupKeys::with_capacity(5);
        for key in [[1, 2], [1, 2], [1, NO_VALUE], [1, 2], [3, 2]] {
            keys.push(&key);
        }
        assert_eq!(keys.of, [0, 0, 1, 0, 2]);
        assert_eq!(keys.keys.len(), 3);
        assert_eq!(*keys.keys[1], [1, NO_VALUE]);
    }
}
