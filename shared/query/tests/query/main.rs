//! What the language accepts, refuses and means.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod errors;
mod fuzz;
mod grammar;
mod limits;
mod meaning;
mod oracle;
