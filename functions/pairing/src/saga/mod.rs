//! What happens between two owners, and what a device says of it: the queue's function.

mod config;
mod event;
mod failure;
mod handler;
#[cfg(test)]
mod sample_events;

pub use config::Config;
pub use event::{Message, Refused};
pub use failure::SagaFailure;
pub use handler::Handler;
