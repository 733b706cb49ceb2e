//! The one integration binary. Contents:
//!
//! * `tidy`: rules of the code itself

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at what it does not expect"
)]

mod tidy;
