//! The one integration binary. Contents:
//!
//! * `tidy`: rules of the code itself

mod tidy;
