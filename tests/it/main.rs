//! The integration tests, one binary. Each module tests what users or operators rely on through the public interface.
//!
//! | module | what it holds the code to |
//! |---|---|
//! | `storage_format` | `storage-format.md`: tables, limits and the example |

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod storage_format;
