//! Many events at once, broken ones, and a store that fails for a while: nobody panics, nothing is lost.
//!
//! Some of each run with every test run; `cargo xtask soak` says how many more.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod chance;
mod events;
mod kinds;
mod line;
mod malformed;
mod nothing_lost;
mod sending;

use loam_runtime::process_environment;

/// A number that the soak sets, or what is enough for every day.
fn number_of(variable: &str, everyday: usize) -> usize {
    let given = process_environment(variable).map(|text| text.parse());
    given.map_or(everyday, |number| number.unwrap_or_else(|_| panic!("{variable} is no whole number")))
}
