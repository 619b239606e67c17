#![doc = include_str!("../README.md")]

mod admit;
pub mod api;
pub mod certificate;
pub mod checks;
mod config;
mod connections;
pub mod decide;
pub mod error;
pub mod event;
mod facts;
mod handler;
pub mod lease;
mod ledger;
mod ledger_row;
pub mod lists;
pub mod name;
mod notices;
pub mod profile;
mod profile_rules;
mod profiles;
mod profiles_write;
pub mod reason;
mod rechecks;
mod register;
mod registry;
mod revoke;

pub use config::{ApiConfig, Config};
pub use connections::Connections;
pub use error::JitrFailure;
pub use facts::Facts;
pub use handler::Handler;
pub use ledger::{Audit, Ledger, Worker};
pub use ledger_row::{AwsStatus, Row, Standing, Step, next_step};
pub use profiles::{Profiles, StoredProfile};
pub use profiles_write::{By, Rows};
