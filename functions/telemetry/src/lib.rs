#![doc = include_str!("../README.md")]

pub mod aggregate;
mod api;
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
mod pages;
pub mod point;
pub mod range;
mod read;
mod rows;
#[cfg(test)]
mod sample_events;
mod sensor;
mod store;

pub use api::{Api, openapi, routes};
pub use config::{ApiConfig, Config};
pub use erase::MOST_ROWS;
pub use error::TelemetryFailure;
pub use handler::Handler;
pub use pages::{Found, Place, Reader, Window};
pub use range::Span;
pub use rows::BadRow;
pub use store::Store;
