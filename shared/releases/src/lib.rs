#![doc = include_str!("../README.md")]

pub mod accept;
pub mod image;
pub mod journal;
pub mod manifest;
pub mod names;
pub mod next;
pub mod sealed;
pub mod signature;
pub mod version;
pub mod window;

#[cfg(any(test, feature = "samples"))]
pub mod samples;

#[cfg(test)]
mod any_bytes;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod power;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod vectors;
