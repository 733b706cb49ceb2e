//! The one integration binary. Contents:
//!
//! * `http_api`, `http_write`, `http_server`: the HTTP surface; `http_support` is their server
//! * `tidy`: rules of the code itself

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect"
)]

mod http_api;
mod http_server;
mod http_support;
mod http_write;
mod tidy;
