//! Whole messages: sealed, opened, attacked, and exchanged with an official client.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod attacks;
mod limits;
mod official;
mod resume;
mod round_trips;
mod sample;
mod wrapping;
