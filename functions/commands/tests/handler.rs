//! Routes, deliveries, words of devices and apps, and erasures, against the local AWS under the functions' own roles. The
//! deployed functions hear of the same commands: whoever is first does the work, and what is asserted holds for both.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod commanding;
