//! What holds the samples at one moment, from the oldest to the newest: an immutable list that queries keep while they run and
//! that maintenance replaces as a whole. A sample is in at least one layer of every list published after it was applied.

use crate::head::generation::Generation;
use crate::head::source::HeadLayers;
use crate::head::spill::Spill;
use crate::sync::{Arc, RwLock};

/// One moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    pub(super) head: Arc<HeadLayers>,
}

impl Layers {
    /// The generation that takes what comes.
    pub(super) fn open_generation(&self) -> &Arc<Generation> {
        self.head.generations.last().expect("there is always an open generation")
    }

    /// Those that are sealed or being sealed, oldest first.
    pub(super) fn ended_generations(&self) -> &[Arc<Generation>] {
        let generations = &self.head.generations;
        &generations[..generations.len() - 1]
    }
}

/// The present moment.
#[derive(Debug, Default)]
pub(super) struct CurrentLayers(RwLock<Arc<Layers>>);

impl CurrentLayers {
    pub(super) fn new(layers: Layers) -> CurrentLayers {
        CurrentLayers(RwLock::new(Arc::new(layers)))
    }

    pub(super) fn get(&self) -> Arc<Layers> {
        self.0.read().clone()
    }

    fn update_head(&self, change: impl FnOnce(&mut HeadLayers)) {
        let mut current = self.0.write();
        let mut head = (*current.head).clone();
        change(&mut head);
        *current = Arc::new(Layers { head: Arc::new(head) });
    }

    /// Goes on with another open generation.
    pub(super) fn begin_generation(&self, next: Arc<Generation>) {
        self.update_head(|head| head.generations.push(next));
    }

    /// Puts spills in the place of the generations up to this number.
    pub(super) fn spill_generations(&self, up_to: u64, spills: Vec<Arc<Spill>>) {
        self.update_head(|head| {
            head.generations.retain(|generation| generation.number > up_to);
            head.spills.extend(spills);
        });
    }

    /// Puts a spill in the place of others; their neighbours in sequence.
    pub(super) fn replace_spills(&self, old: &[Arc<Spill>], new: Option<Arc<Spill>>) {
        self.update_head(|head| {
            let is_old = |spill: &Arc<Spill>| old.iter().any(|other| Arc::ptr_eq(spill, other));
            head.spills.retain(|spill| !is_old(spill));
            head.spills.extend(new);
            head.spills.sort_by_key(|spill| spill.meta().min_seq);
        });
    }
}
