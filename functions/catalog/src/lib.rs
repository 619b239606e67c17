#![doc = include_str!("../README.md")]

mod api;
mod config;
pub mod decide;
pub mod error;
pub mod event;
mod group;
mod groups;
mod handler;
#[cfg(test)]
mod histories;
pub mod list;
pub mod order;
pub mod paths;
mod projector;
#[cfg(test)]
mod sample_events;
pub mod search;
mod store;
pub mod tags;

pub use api::{Api, openapi, routes};
pub use config::{ApiConfig, Config};
pub use error::{CatalogFailure, Refused};
pub use group::{Group, GroupName, Kind, KindWord};
pub use groups::Members;
pub use handler::Handler;
pub use projector::{CAPABILITY, Projected, Projector};
pub use store::{Saved, Store};
