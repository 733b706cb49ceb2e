//! Codecs, and the one cursor through which all bytes from disk and network are read. Pure functions over slices: no file,
//! no clock, no lock.

pub mod bits;
pub mod chunk;
pub mod column;
pub mod cursor;
pub mod gorilla;
pub mod timestamps;
