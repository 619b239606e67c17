//! Calls of real devices against the local AWS, under the function's own role.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod calls;
mod process;
mod routes;
mod world;
