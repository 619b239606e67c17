#![doc = include_str!("../README.md")]

mod delivery;
mod messenger;

pub use delivery::Delivery;
pub use messenger::{Answer, LONGEST_CONFIRMATION_SECONDS, Message, Messenger};
