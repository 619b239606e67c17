//! Who owns a thing, with whom it is shared, and how it changes hands: the decisions.
//!
//! Pure: time, random bytes and everything that was read are arguments. [`tenancy`] is the heart: one aggregate per thing,
//! one conditional write per change.

pub mod attempts;
pub mod begin;
pub mod challenge;
pub mod claim;
pub mod claim_code;
pub mod code_hash;
pub mod credentials;
pub mod device_key;
pub mod device_word;
pub mod listeners;
pub mod people;
pub mod relay;
pub mod tenancy;
pub mod token;
pub mod window;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod world;
