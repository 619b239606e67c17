#![doc = include_str!("../README.md")]

mod certificates;
mod draft;
mod epoch_erasure;
mod erasure;
mod error;
#[cfg(test)]
mod histories;
mod history;
mod intent;
mod next;
#[cfg(test)]
mod owners;
mod record;
mod rows;
mod store;
mod tenure;
#[cfg(test)]
mod transitions;
pub mod twins;
mod write;

pub use epoch_erasure::{Acknowledged, EpochErasure, QUIET_MILLIS, Turn};
pub use erasure::{Erasure, SECOND_LOOK_SECONDS};
pub use error::{BadRow, ThingsFailure};
pub use history::{HistoryPage, HistoryPosition};
pub use intent::{
    Acknowledgement, Addition, Attempt, Beside, Described, Description, End, Intent, Notice, Outcome, Registered,
    Registration, RetirementOrder, Why,
};
pub use next::{Change, MAX_STANDING_CERTIFICATES, Transition, next};
pub use record::{Certificate, CertificateState, LifeCycle, Retirement, ThingRecord};
pub use store::Things;
