//! Model checks of the engine's threads. `shuttle` runs the threads of a test one at a time, goes on with another before any
//! operation on a lock or an atomic of `silverback::sync`, and does so in thousands of orders: at random, and with few
//! changes at chosen places (PCT), which finds what needs a rare coincidence. A test fails by an assertion, or because no
//! thread can go on. There is nothing here without `--cfg shuttle`:
//!
//! `RUSTFLAGS='--cfg shuttle' cargo test --profile shuttle --target-dir target/shuttle -p shuttle-tests`
//!
//! * `queue`: the commit queue and group commit.
//! * `budget`: what the threads of a query hold together.
//! * `appliers`: the queues before the shards, and a seal among the requests.
//! * `database`: a whole database with its own threads: what is acknowledged is there once, while samples move down the
//!   ladder and while another head takes the place of the present one.
//! * `orders`: how many orders, of which kind, and how to run a failed one again.
//! * `told`: what threads have done, for others to wait for.
#![cfg(shuttle)]
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod appliers;
mod budget;
mod database;
mod orders;
mod queue;
mod told;
