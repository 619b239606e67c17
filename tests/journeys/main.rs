//! Devices with certificates of their own, over mutual TLS, against the deployed stack.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod authorization;
mod second_stack;
mod soil;
mod world;
