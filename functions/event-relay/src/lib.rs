#![doc = include_str!("../README.md")]

mod config;
pub mod decide;
mod error;
pub mod event;
mod handler;
#[cfg(test)]
mod sample_events;
mod topic;

pub use config::Config;
pub use error::{Refused, RelayFailure};
pub use handler::Handler;
