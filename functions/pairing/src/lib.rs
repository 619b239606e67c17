//! Who owns a thing, with whom it is shared, and how it changes hands: the decisions.
//!
//! Pure: time, random bytes and everything that was read are arguments. [`tenancy`] is the heart: one aggregate per thing,
//! one conditional write per change.

pub mod attempts;
pub mod begin;
pub mod claim;
pub mod code_hash;
pub mod device_key;
pub mod people;
pub mod relay;
pub mod tenancy;
pub mod token;
pub mod window;

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
