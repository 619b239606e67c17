//! Routes, sealing, verification, words of devices and erasures, against the local AWS under the functions' own roles. The
//! deployed functions hear of the same transfers: whoever is first does the work, and what is asserted holds for both.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod device;
mod files;
mod world;
