//! The one integration binary. Contents:
//!
//! * `fixture`: batches, stepped databases on a simulated disk, contents as maps
//! * `data_v1`: a data directory that version 1 of all formats left behind
//! * `database`: outcomes, visibility, refusals, restarts, directories
//! * `directory`: whose the data directory is, what of it a power cut may take, when it is free again
//! * `disk_events`: what the log of events says of a disk that refuses
//! * `recovery`: damage as callers meet it
//! * `rebuild`: a manifest that is lost or damaged, written anew from the files
//! * `damage`: a byte of any file changed at rest, after random histories
//! * `crash_images`: power cuts and failing operations at every point of scripted requests
//! * `ladder`: the same of workloads that go all the way down to blocks and retention
//! * `conformance`: where the conformance scripts lie, if they are there
//! * `model`: random histories of a database against a map, which is in `history`
//! * `promql_parse`, `promql_scripts`: the language by scripts, this project's and where present the conformance ones;
//!   `promql_generator` makes random expressions of `choices`, `promql_words` are all words there are
//! * `promql_oracle`: the engine against the `oracle`, which evaluates them in the simplest way; `promql_crossing`: joins of
//!   which less is read; `promql_ranked`: what the oracle cannot know, since the engine chooses
//! * `http_api`, `http_write`, `http_admin`, `http_queries`, `http_server`: the HTTP surface; `http_support` is their server
//! * `readme`: the table of flags and the first commands
//! * `storage_format`, `manifest_format`, `sealed_format`, `spill_format`, `block_format`,
//!   `registry_format`: `storage-format.md` executed:
//!   tables, limits and the examples; files of earlier programs
//! * `tidy`: rules of the code itself

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at what it does not expect, and only the engine keeps to its own file layer"
)]

mod block_format;
mod choices;
mod conformance;
mod crash_images;
mod damage;
mod data_v1;
mod database;
mod directory;
mod disk_events;
mod fixture;
mod history;
mod http_admin;
mod http_api;
mod http_queries;
mod http_server;
mod http_support;
mod http_write;
mod ladder;
mod manifest_format;
mod model;
mod oracle;
mod promql_crossing;
mod promql_generator;
mod promql_oracle;
mod promql_parse;
mod promql_ranked;
mod promql_scripts;
mod promql_words;
mod readme;
mod rebuild;
mod recovery;
mod registry_format;
mod sealed_format;
mod spill_format;
mod storage_format;
mod tidy;
