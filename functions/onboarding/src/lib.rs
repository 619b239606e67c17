#![doc = include_str!("../README.md")]

mod api;
mod catalog;
mod config;
pub mod description;
mod error;
mod event;
mod handler;
mod projection;
mod refused;
mod registry;
pub mod registry_plan;
pub mod retire;
#[cfg(test)]
mod sample_events;
pub mod shadow_plan;
mod shadows;

pub use api::{Api, ThingLife, openapi, routes};
pub use catalog::Catalog;
pub use config::{ApiConfig, Config, RetireConfig};
pub use error::{CallFailed, OnboardingFailure};
pub use event::DescribeMessage;
pub use handler::Handler;
pub use refused::Refused;
pub use retire::Retirer;
