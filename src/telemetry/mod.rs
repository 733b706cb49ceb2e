//! What the server says about itself: log lines, metrics under `/metrics`, and a record of those metrics in its own storage.

pub mod logs;
pub mod metrics;
pub mod process;
pub mod recorder;
pub mod storage;
