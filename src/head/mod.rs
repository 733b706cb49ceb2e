//! Series in memory: `registry` knows who is who (over `alias` and `refs` and the inverted index), `apply` puts samples into
//! the shards' `series` in commit order, `source` is what a query sees. Used by `db` only; of files it knows those of the
//! registry, of the log how definitions are encoded.

mod alias;
pub mod apply;
mod base_refs;
pub mod chunk_list;
pub mod chunks;
pub mod encoded;
pub mod generation;
pub mod older;
mod refs;
pub mod registry;
pub mod replay;
pub mod run;
mod selection;
pub mod series;
pub mod source;
pub mod spill;
pub mod work;

use apply::Appliers;
use generation::Generation;
use registry::Registry;

use crate::model::Timestamp;
use crate::sync::Arc;

/// Everything in memory.
pub struct Head {
    pub registry: Registry,
    pub appliers: Appliers,
}

impl Head {
    /// A head without samples. What comes belongs to `generation`; what is older than that has no sample after `floor`.
    pub fn new(registry: Registry, generation: &Arc<Generation>, floor: Timestamp) -> Head {
        Head { registry, appliers: Appliers::new(generation, floor) }
    }
}
