#![doc = include_str!("../README.md")]

mod error;
mod head;
mod keys;
#[cfg(any(test, feature = "samples"))]
pub mod samples;

pub use error::KeyFailure;
pub use head::{Fresh, Head, NoHead};
pub use keys::{Keys, random};
