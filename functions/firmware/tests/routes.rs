//! Uploads, releases and rollouts as operators see them, against the local AWS. Releases are the stack's, under the functions'
//! own roles: the deployed intake hears of the same uploads, and what is asserted holds whoever is first. Rollouts have tables
//! of their own, which no conductor reads.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod operators;
mod releases;
mod rollouts;
