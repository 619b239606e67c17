//! From a known certificate to a useful thing, and its end: describe, life cycle, retire.

pub mod description;
mod event;
mod refused;
pub mod registry_plan;
pub mod shadow_plan;

pub use event::DescribeMessage;
pub use refused::Refused;
