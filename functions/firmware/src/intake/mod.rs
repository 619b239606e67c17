//! Uploads become drafts: what S3 tells, what is wrong with an upload, and who takes it in.

mod handler;
mod notice;
mod refusal;
#[cfg(test)]
mod sample_events;

pub use handler::Intake;
pub use notice::{NotOurs, Notice, Upload};
pub use refusal::NoRelease;
