//! Disks after a power cut. Each pending change of names either survives or does not, each file with open writes has one of
//! its [`variants`], all independently of each other: an image is one choice for each.
//!
//! The number of images is the product of the choices. Up to a limit all are made; beyond it, nothing survives, everything
//! survives, each single choice is varied over both of those, and the rest is sampled by a seed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::SimDisk;
use super::log::{Inode, Log, Tree};
use super::model::{Model, Write};
use super::variant::{Variant, variants};
use crate::sync::Arc;

/// Stands in the hash of an image where a file has that of its content.
const DIR_HASH: u64 = 0;

/// How many images to make.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Choices made at one point, before equal images are dropped.
    pub per_point_max: usize,
    /// Decides which are sampled where there are more.
    pub seed: u64,
}

impl Default for Limits {
    /// Covers a few open writes or names exhaustively, and keeps a log of some hundred operations within seconds.
    fn default() -> Limits {
        Limits { per_point_max: 512, seed: 0 }
    }
}

/// A disk as a power cut may leave it.
#[derive(Debug)]
pub struct Image<'a> {
    /// Everything on it is durable; its own log is empty.
    pub disk: SimDisk,
    /// Logged operations and notes before the cut.
    pub point: usize,
    /// The notes made before the cut.
    pub notes: &'a [u64],
    /// Of directories, names and contents.
    pub hash: u64,
}

pub(super) fn images(log: &Log, limits: &Limits, visit: &mut dyn FnMut(&Image<'_>)) -> usize {
    let mut model = Model::new(log.base.clone());
    let mut seen = HashSet::new();
    for point in 0..=log.ops.len() {
        if let Some(done) = point.checked_sub(1) {
            model.apply(&log.ops[done]);
        }
        let notes_before = model.notes.len();
        let mut is_new = |hash| seen.insert((hash, notes_before));
        images_of(&model, point, limits, &mut is_new, visit);
    }
    seen.len()
}

pub(super) fn images_at(
    log: &Log,
    point: usize,
    limits: &Limits,
    visit: &mut dyn FnMut(&Image<'_>),
) {
    let mut model = Model::new(log.base.clone());
    log.ops.iter().take(point).for_each(|op| model.apply(op));
    let mut seen = HashSet::new();
    images_of(&model, point, limits, &mut |hash| seen.insert(hash), visit);
}

fn images_of(
    model: &Model,
    point: usize,
    limits: &Limits,
    is_new: &mut dyn FnMut(u64) -> bool,
    visit: &mut dyn FnMut(&Image<'_>),
) {
    let files = files(model);
    let names = model.pending.iter().map(|_| 2);
    let radices: Vec<usize> = names.chain(files.iter().map(|file| file.variants.len())).collect();
    choices(&radices, limits, point as u64, &mut |choice| {
        let (survive, chosen) = choice.split_at(model.pending.len());
        let mut tree = names_left(model, survive);
        let hash = add_contents(&mut tree, &files, chosen);
        if is_new(hash) {
            let disk = SimDisk::holding(tree);
            visit(&Image { disk, point, notes: &model.notes, hash });
        }
    });
}

/// A file that has a name or may have one.
struct File<'a> {
    inode: Inode,
    durable: Content,
    writes: &'a [Write],
    variants: Vec<Variant>,
}

/// What a file holds, and its hash.
type Content = (Arc<Vec<u8>>, u64);

impl File<'_> {
    /// Made anew for every image, since all variants of a large file together may not fit memory.
    fn content(&self, variant: usize) -> Content {
        if self.writes.is_empty() {
            return self.durable.clone();
        }
        let content = self.variants[variant].content(&self.durable.0, self.writes);
        let hash = xxh3_64(&content);
        (Arc::new(content), hash)
    }
}

fn files(model: &Model) -> Vec<File<'_>> {
    let changed = model.pending.iter().filter_map(|(change, _)| change.inode());
    let inodes: BTreeSet<Inode> = model.durable.names.values().copied().chain(changed).collect();
    let file = |inode| {
        let durable = model.durable.contents.get(&inode).cloned().unwrap_or_default();
        let hash = xxh3_64(&durable);
        let writes = model.writes.get(&inode).map_or(&[][..], Vec::as_slice);
        let variants = variants(durable.len(), writes);
        File { inode, durable: (durable, hash), writes, variants }
    };
    inodes.into_iter().map(file).collect()
}

/// The directories and names if of the pending changes those marked 1 survive.
fn names_left(model: &Model, survive: &[usize]) -> Tree {
    let mut tree = Tree {
        dirs: model.durable.dirs.clone(),
        names: model.durable.names.clone(),
        contents: BTreeMap::new(),
    };
    for ((change, _), survives) in model.pending.iter().zip(survive) {
        if *survives == 1 {
            tree.apply(change);
        }
    }
    tree.drop_unreachable();
    tree
}

/// Gives every named file its chosen content; returns the hash of the whole.
fn add_contents(tree: &mut Tree, files: &[File<'_>], chosen: &[usize]) -> u64 {
    let named: BTreeSet<Inode> = tree.names.values().copied().collect();
    let mut hashes = BTreeMap::new();
    for (file, variant) in files.iter().zip(chosen).filter(|(file, _)| named.contains(&file.inode))
    {
        let (content, hash) = file.content(*variant);
        tree.contents.insert(file.inode, content);
        hashes.insert(file.inode, hash);
    }
    let mut hash = Xxh3::new();
    let mut add = |path: &Path, content: u64| {
        hash.update(path.as_os_str().as_bytes());
        hash.update(&[0]);
        hash.update(&content.to_le_bytes());
    };
    tree.dirs.iter().for_each(|dir| add(dir, DIR_HASH));
    for (path, inode) in &tree.names {
        add(path, hashes.get(inode).copied().unwrap_or_default());
    }
    hash.digest()
}

/// Gives digits below `radices`: all combinations if the limit allows, else the corners and samples.
fn choices(radices: &[usize], limits: &Limits, salt: u64, visit: &mut dyn FnMut(&[usize])) {
    let product = radices.iter().try_fold(1usize, |product, radix| product.checked_mul(*radix));
    if product.is_some_and(|product| product <= limits.per_point_max) {
        return all_choices(radices, visit);
    }
    let mut random = Random(limits.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let corners = [vec![0; radices.len()], radices.iter().map(|radix| radix - 1).collect()];
    let mut singles: Vec<Vec<usize>> = Vec::new();
    for corner in &corners {
        visit(corner);
        for (digit, radix) in radices.iter().enumerate() {
            let others = (0..*radix).filter(|value| *value != corner[digit]);
            singles.extend(others.map(|value| {
                let mut choice = corner.clone();
                choice[digit] = value;
                choice
            }));
        }
    }
    let mut left = limits.per_point_max.saturating_sub(corners.len());
    while left > 0 && !singles.is_empty() {
        visit(&singles.swap_remove(random.below(singles.len())));
        left -= 1;
    }
    for _ in 0..left {
        let choice: Vec<usize> = radices.iter().map(|radix| random.below(*radix)).collect();
        visit(&choice);
    }
}

fn all_choices(radices: &[usize], visit: &mut dyn FnMut(&[usize])) {
    let mut choice = vec![0; radices.len()];
    loop {
        visit(&choice);
        let Some(digit) = (0..radices.len()).find(|i| choice[*i] + 1 < radices[*i]) else { return };
        choice[digit] += 1;
        choice[..digit].fill(0);
    }
}

/// SplitMix64: the same numbers for ever, unlike a library's.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
