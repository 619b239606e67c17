//! Command and control: the decisions.
//!
//! Pure: time, ids and everything that was read are arguments. [`command`] is a command's life, [`line`] the order in which
//! a thing's commands go out, [`desired`] whether a device did what was desired of it.

pub mod command;
pub mod command_id;
pub mod desired;
pub mod feedback;
pub mod line;
pub mod mailbox;
pub mod order;
pub mod wait;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod world;
