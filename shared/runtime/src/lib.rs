#![doc = include_str!("../README.md")]

mod batch;
mod clients;
mod config;
mod edge;
mod failure;
mod kept_event;
mod logs;
mod meter;

pub use batch::{each_message, ids_at, must_come_again};
pub use clients::{cancelled_class, sdk_class, sdk_config};
pub use config::{ConfigError, Environment, process_environment};
pub use edge::{BatchItem, Edge, Invocation, StreamItem};
pub use failure::{Class, Failure, diagnostic};
pub use kept_event::KeptEvent;
