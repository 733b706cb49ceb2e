//! Silverback, a time-series metrics database. This page is the map of the code.
//!
//! The write path: `server` takes a connection, `api::write` reads the body within its limits,
//! `ingest` decodes it in place to a [`model::batch::Batch`], `db::Db::submit` lets `head` resolve every
//! series key to a ref, `wal` writes one frame per request and syncs a whole group of them at once,
//! `head` applies the samples in commit order, and only then the request is answered.
//!
//! The way down, beside that (`db::maintenance`): open samples are sealed and become a *spill* file, after which the log
//! before them goes; spills of a window of 2 h that is over become a *block*; blocks become fewer and longer ones; retention
//! drops whole blocks. `db::manifest` says which files count.
//!
//! The read path: `api::query` parses parameters, `promql` turns the text into a plan, `db::view` gives it
//! one [`read::Source`] over everything acknowledged (blocks, spills, memory), `read` and `encoding` give back columns of
//! timestamps and values, `promql` evaluates series by series, `api::json` writes the answer.
//!
//! Layers, lowest first; a module imports only from lower ranks (`tests/it/tidy.rs` checks it):
//!
//! | rank | modules | what they are |
//! |---|---|---|
//! | 0 | `error` `model` `sync` | vocabulary, atomics and locks; no I/O |
//! | 1 | `encoding` `fs` | codecs and the checked cursor; files, maps, sealed files, the simulated disk |
//! | 2 | `index` `wal` `read` | inverted index, write-ahead log, the one read interface |
//! | 3 | `block` `head` | sealed columns on disk, series in memory |
//! | 4 | `db` | manifest, open, recover, submit, select, maintenance |
//! | 5 | `promql` `ingest` | the language and its engine; wire formats to batches |
//! | 6 | `api` | the Prometheus HTTP API |
//! | 7 | `server` `telemetry` `config` | connections and shutdown, logs and metrics, flags |
//!
//! What is absent on purpose: `promql` never opens a file, `ingest` and `promql` know neither `db` nor HTTP,
//! nothing below rank 6 knows tokio or a metrics library or, but for `db::threads`, writes log events, nothing but `fs`
//! touches a file.

pub mod error;
pub mod model;
pub mod sync;

pub mod encoding;
pub mod fs;

pub mod index;
pub mod read;
pub mod wal;

pub mod block;
pub mod head;

pub mod db;

pub mod ingest;
pub mod promql;

pub mod api;

pub mod config;
pub mod server;
pub mod telemetry;
