#![doc = include_str!("../README.md")]

mod api;
pub mod command;
pub mod command_id;
mod config;
mod deliver;
mod desire;
pub mod desired;
mod erase;
pub mod error;
pub mod event;
pub mod feedback;
mod handler;
mod inbound;
mod items;
mod keeper;
pub mod line;
pub mod mailbox;
mod many;
pub mod order;
mod place;
mod queue;
mod shadows;
mod spread;
mod store;
mod sweep;
mod told;
pub mod wait;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod sample_events;
#[cfg(test)]
mod world;

pub use api::{Api, openapi, routes};
pub use config::{ApiConfig, Config, SweepConfig};
pub use error::CommandsFailure;
pub use handler::Handler;
pub use sweep::Sweep;
