#![doc = include_str!("../README.md")]

pub mod back_off;
pub mod chaos;
pub mod commands;
mod connection;
pub mod description;
pub mod desired;
mod device;
mod error;
mod event;
pub mod files;
pub mod http;
mod identity;
mod in_flight;
pub mod invoke;
mod message;
mod options;
pub mod ota;
mod outlet;
pub mod pairing;
mod session;
pub mod soil;
#[cfg(test)]
mod stand_in;
mod state;
mod subscriptions;
pub mod topics;
mod wire;

pub use description::Description;
pub use device::{Device, Subscription};
pub use error::DeviceError;
pub use event::{Event, Reason};
pub use identity::{Files, Identity, IdentityError};
pub use message::{Message, QoS};
pub use options::Options;
pub use state::{Locked, State, StateError};
