//! head

pub mod apply;
pub mod chunks;
pub mod encoded;
pub mod series;
pub mod work;
