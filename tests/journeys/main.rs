//! Devices with certificates of their own, over mutual TLS, against the deployed stack.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod authorization;
mod browsers;
mod callers;
mod comings_and_goings;
mod device_policy;
mod files;
mod firmware;
mod firmware_roads;
mod fleet;
mod invoke;
mod joining;
mod leaving;
mod mailboxes;
mod newcomers;
mod on_the_spot;
mod ordered;
mod owners;
mod refusals;
mod repeats;
mod requests;
mod routes;
mod schemathesis;
mod second_stack;
mod soil;
mod two_users;
mod wire;
mod world;
