//! What devices say of their updates and report to run, what they ask for, and the end of things.

mod handler;
mod message;
mod requests;
mod rows;

#[cfg(test)]
mod sample_events;

pub use handler::ProgressHandler;
