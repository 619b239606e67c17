//! What the language accepts, refuses and means.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod errors;
mod fuzz;
mod grammar;
mod limits;
mod meaning;
