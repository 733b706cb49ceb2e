//! What holds the samples at one moment, from the oldest to the newest: an immutable list that queries keep while they run and
//! that maintenance replaces as a whole. A sample is in at least one layer of every list published after it was applied.
//!
//! Blocks and spills are in order of their last sequence. Where two have samples of one window, those of the one were late
//! and came when the other had ended: so this is the order of the sequences of these samples too.

use crate::block::Block;
use crate::head::Head;
use crate::head::generation::Generation;
use crate::head::source::HeadLayers;
use crate::head::spill::Spill;
use crate::model::CommitSeq;
use crate::model::Timestamp;
use crate::sync::{Arc, RwLock};

/// By this spills are sorted. Two end alike where the log was replayed over spills there were, after the manifest was
/// lost: then the one that begins earlier has what came first.
pub(super) fn spill_order(spill: &Arc<Spill>) -> (CommitSeq, CommitSeq) {
    (spill.meta().max_seq, spill.meta().min_seq)
}

/// By this blocks are sorted.
pub(super) fn block_order(block: &Arc<Block>) -> (CommitSeq, CommitSeq) {
    (block.meta().max_seq, block.meta().min_seq)
}

/// One moment.
#[derive(Clone)]
pub(super) struct Layers {
    pub(super) blocks: Vec<Arc<Block>>,
    /// Spills and generations.
    pub(super) samples: Arc<HeadLayers>,
    /// The series that they are of.
    pub(super) head: Arc<Head>,
}

impl Layers {
    /// The generation that takes what comes.
    pub(super) fn open_generation(&self) -> &Arc<Generation> {
        self.samples.generations.last().expect("there is always an open generation")
    }

    /// The time of the newest sample in blocks, spills and what is sealed.
    pub(super) fn newest_sample(&self) -> Option<Timestamp> {
        let blocks = self.blocks.iter().map(|block| block.meta().range.maxt);
        let spills = self.samples.spills.iter().map(|spill| spill.meta().range.maxt);
        let sealed = self.samples.generations.iter().map(|generation| generation.range().maxt);
        blocks.chain(spills).chain(sealed).max()
    }

    /// Those that are sealed or being sealed, oldest first.
    pub(super) fn ended_generations(&self) -> &[Arc<Generation>] {
        let generations = &self.samples.generations;
        &generations[..generations.len() - 1]
    }
}

/// The present moment.
pub(super) struct CurrentLayers(RwLock<Arc<Layers>>);

impl CurrentLayers {
    pub(super) fn new(layers: Layers) -> CurrentLayers {
        CurrentLayers(RwLock::new(Arc::new(layers)))
    }

    pub(super) fn get(&self) -> Arc<Layers> {
        self.0.read().clone()
    }

    fn update(&self, change: impl FnOnce(&mut Vec<Arc<Block>>, &mut HeadLayers)) {
        let mut current = self.0.write();
        let (mut blocks, mut samples) = (current.blocks.clone(), (*current.samples).clone());
        change(&mut blocks, &mut samples);
        blocks.sort_by_key(block_order);
        samples.spills.sort_by_key(spill_order);
        let head = current.head.clone();
        *current = Arc::new(Layers { blocks, samples: Arc::new(samples), head });
    }

    /// Goes on with another open generation.
    pub(super) fn begin_generation(&self, next: Arc<Generation>) {
        self.update(|_, samples| samples.generations.push(next));
    }

    /// Puts spills in the place of the generations up to this number.
    pub(super) fn spill_generations(&self, up_to: u64, spills: Vec<Arc<Spill>>) {
        self.update(|_, samples| {
            samples.generations.retain(|generation| generation.number > up_to);
            samples.spills.extend(spills);
        });
    }

    /// Puts a spill in the place of others, its neighbours in sequence.
    pub(super) fn replace_spills(&self, old: &[Arc<Spill>], new: Arc<Spill>) {
        self.update(|_, samples| {
            remove(&mut samples.spills, old);
            samples.spills.push(new);
        });
    }

    /// Puts blocks in the place of spills.
    pub(super) fn cut_spills(&self, old: &[Arc<Spill>], new: Vec<Arc<Block>>) {
        self.update(|blocks, samples| {
            remove(&mut samples.spills, old);
            blocks.extend(new);
        });
    }

    /// Goes on with another head and its open generation. No generation but the open one is there, and that is empty.
    pub(super) fn swap_head(&self, head: Arc<Head>, open: Arc<Generation>) {
        let mut current = self.0.write();
        if current.head.appliers.is_closed() {
            head.appliers.close();
        }
        let spills = current.samples.spills.clone();
        let samples = Arc::new(HeadLayers { spills, generations: vec![open] });
        *current = Arc::new(Layers { blocks: current.blocks.clone(), samples, head });
    }

    /// Lets the threads that apply end: nothing will be pushed any more, to this head or to one that takes its place.
    pub(super) fn close_head(&self) {
        self.0.write().head.appliers.close();
    }

    /// Puts blocks in the place of others.
    pub(super) fn replace_blocks(&self, old: &[u128], new: Vec<Arc<Block>>) {
        self.update(|blocks, _| {
            blocks.retain(|block| !old.contains(&block.meta().id));
            blocks.extend(new);
        });
    }
}

fn remove(spills: &mut Vec<Arc<Spill>>, old: &[Arc<Spill>]) {
    spills.retain(|spill| !old.iter().any(|other| Arc::ptr_eq(spill, other)));
}
