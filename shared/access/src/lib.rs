#![doc = include_str!("../README.md")]

mod decide;
mod error;
mod guard;
mod identities;
mod members;
mod membership;
mod store;

pub use decide::{Grant, Standing};
pub use error::AccessFailure;
pub use guard::{Controller, Owner, Viewer};
pub use identities::Identities;
pub use members::Member;
pub use membership::{Membership, Role};
pub use store::{Access, MOST_MEMBERSHIPS};
