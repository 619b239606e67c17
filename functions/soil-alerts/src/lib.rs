#![doc = include_str!("../README.md")]

pub mod api;
pub mod classic;
mod config;
mod error;
mod event;
mod handler;
mod notices;
#[cfg(test)]
mod sample_events;
pub mod smart;
mod things;

pub use config::{AlertsConfig, ApiConfig, Config, Mode, ThingsConfig};
pub use error::AlertFailure;
pub use event::SoilMessage;
pub use handler::{Handler, Sweeper};
pub use notices::{Notice, Notices};
pub use things::ThingEvents;
