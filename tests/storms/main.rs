//! Many events at once, broken ones, and a store that fails for a while: nobody panics, nothing is lost.
//!
//! Some of each run with every test run; `cargo xtask soak` says how many more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod catalog;
mod commands;
mod copies;
mod descriptions;
mod events;
mod file_transfer;
mod firmware;
mod firmware_work;
mod kinds;
mod line;
mod malformed;
mod nothing_lost;
mod pairing;
mod pairing_relay;
mod presence;
mod sending;
mod streams;
