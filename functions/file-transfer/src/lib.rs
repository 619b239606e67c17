#![doc = include_str!("../README.md")]

mod api;
mod aws;
mod config;
pub mod device_word;
pub mod digest;
pub mod error;
pub mod event;
pub mod grant;
mod granting;
mod handler;
pub mod head;
mod hearing;
pub mod ids;
mod mailbox;
pub mod order;
pub mod pieces;
pub mod plan;
pub mod queue;
pub mod slots;
pub mod told;
pub mod transfer;
mod worker;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod sample_events;

pub use api::{Api, openapi, routes};
pub use config::{ApiConfig, Config, Places};
pub use error::FileFailure;
pub use grant::Share;
pub use handler::Handler;
