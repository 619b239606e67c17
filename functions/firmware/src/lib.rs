#![doc = include_str!("../README.md")]

mod api;
pub mod assignment;
mod aws;
mod clock;
mod conductor;
mod config;
pub mod error;
pub mod execution;
mod hearing;
pub mod intake;
pub mod order;
pub mod progress;
pub mod queue;
pub mod release;
pub mod reports;
pub mod rollout;
pub mod tally;
pub mod told;
mod way_back;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod world;

pub use api::{Api, openapi, routes};
pub use conductor::ConductorHandler;
pub use config::{ApiConfig, ConductorConfig, IntakeConfig, ProgressConfig};
pub use error::FirmwareFailure;
pub use hearing::ProgressHandler;
pub use intake::Intake;
