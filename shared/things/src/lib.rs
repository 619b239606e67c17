#![doc = include_str!("../README.md")]

mod certificates;
mod draft;
mod error;
#[cfg(test)]
mod histories;
mod history;
mod intent;
mod next;
mod record;
mod rows;
mod store;
#[cfg(test)]
mod transitions;
pub mod twins;
mod write;

pub use error::{BadRow, ThingsFailure};
pub use history::{HistoryPage, HistoryPosition};
pub use intent::{
    Addition, Beside, Described, Description, Intent, Notice, Outcome, Registered, Registration, RetirementOrder, Why,
};
pub use next::{Change, MAX_STANDING_CERTIFICATES, Transition, next};
pub use record::{Certificate, CertificateState, LifeCycle, Retirement, ThingRecord};
pub use store::Things;
