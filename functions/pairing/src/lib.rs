#![doc = include_str!("../README.md")]

mod api;
pub mod attempts;
pub mod begin;
mod chance;
pub mod claim;
pub mod code_hash;
mod config;
pub mod credentials;
pub mod device_key;
pub mod error;
mod mailbox;
pub mod people;
mod registry;
pub mod relay;
pub mod saga;
pub mod store;
pub mod tenancy;
pub mod token;
pub mod window;

pub use api::{Api, openapi, routes};
pub use config::ApiConfig;
pub use error::PairingFailure;
/// What the device shares with this capability, under the names that it has here.
pub use loam_domain::pairing::{challenge, claim_code, reset as device_word};

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod world;
