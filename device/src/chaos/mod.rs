//! Chaos mode: what a fleet does to a backend on a bad day, repeatable from a seed.
//!
//! A plan says in which order messages go out, which of them twice, and when the connection breaks or is taken over;
//! [`run`] carries it out. Every message of the list goes out at least once, so a backend that is right about
//! duplicates and order ends in the same state as after a quiet day.

mod plan;
mod run;

pub use plan::{Step, again_and_again, plan};
pub use run::{Publication, Tally, run};
