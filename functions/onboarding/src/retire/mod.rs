//! The end of a thing, as a saga: every capability erases its own and acknowledges; this one takes the thing out of
//! AWS IoT.
//!
//! Reading order: [`next`] (what is to be done), [`Retirer`] (does it, step by step), [`Identity`] (the calls).

mod decide;
mod handler;
mod identity;

pub use decide::{CAPABILITIES, Progress, Stage, Step, Task, next};
pub use handler::Retirer;
pub use identity::{Gone, Identity};
