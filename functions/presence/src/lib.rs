#![doc = include_str!("../README.md")]

mod api;
mod config;
mod connections;
pub mod decide;
mod erase;
pub mod error;
pub mod event;
pub mod fact;
mod handler;
mod history;
mod items;
mod keeper;
pub mod mark;
pub mod row;
#[cfg(test)]
mod sample_events;
mod shadow;
mod store;
mod told;

pub use api::{Api, openapi, routes};
pub use config::{ApiConfig, Config, TruthConfig};
pub use connections::Connections;
pub use error::{BadRow, PresenceFailure};
pub use handler::Handler;
pub use history::{HistoryPage, HistoryPosition};
pub use keeper::{Keeper, Kept};
pub use shadow::{Projected, Shadow, Shadows};
pub use store::{Known, Saved, Store};
