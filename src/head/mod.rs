//! Series in memory: `registry` knows who is who (over `alias` and `refs` and the inverted index), `apply` puts samples into
//! the shards' `series` in commit order, `source` is what a query sees. Used by `db` only; knows neither files nor the log.

mod alias;
pub mod apply;
pub mod chunks;
pub mod encoded;
mod refs;
pub mod registry;
pub mod series;
pub mod source;
pub mod work;

use apply::Appliers;
use registry::{Registry, RegistryOptions};

/// Everything in memory.
pub struct Head {
    pub registry: Registry,
    pub appliers: Appliers,
}

impl Head {
    /// An empty head that takes at most `series_max` series.
    pub fn new(series_max: usize) -> Head {
        Head {
            registry: Registry::new(RegistryOptions { series_max }),
            appliers: Appliers::default(),
        }
    }
}
