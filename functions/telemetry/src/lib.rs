#![doc = include_str!("../README.md")]

pub mod aggregate;
mod clock;
mod config;
pub mod decide;
mod erase;
pub mod error;
pub mod event;
pub mod exact_sum;
pub mod expiry;
mod handler;
#[cfg(test)]
mod histories;
pub mod point;
mod read;
mod rows;
#[cfg(test)]
mod sample_events;
mod sensor;
mod store;

pub use config::Config;
pub use erase::MOST_ROWS;
pub use error::TelemetryFailure;
pub use handler::Handler;
pub use read::Span;
pub use rows::BadRow;
pub use store::Store;
