//! Command mode: what somebody ordered, whether or not the device was there at the time.
//!
//! A command comes on `loam/{thing}/commands/{id}/request` by Direct Messaging, without a subscription, as
//! `{"id","name","payload","issuedAt","expiresAt"}`. The device says what becomes of it on `.../{id}/accepted`, `progress`,
//! and at last `succeeded`, `failed` or `rejected`. A command may come more than once; it runs once at most.

mod behaviour;
mod memory;
mod order;
mod run;

pub use behaviour::{Part, Word, carry_out};
pub use memory::{Memory, Met};
pub use order::{NoOrder, Order};
pub use run::{Tally, run, serve};
