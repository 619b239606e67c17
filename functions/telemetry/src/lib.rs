//! Keeps every number that a device sends: latest value, series, hourly and daily aggregates.

pub mod aggregate;
mod clock;
pub mod decide;
pub mod error;
pub mod event;
pub mod exact_sum;
pub mod expiry;
pub mod point;
mod sensor;
