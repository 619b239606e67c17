//! Invoke mode: the methods of a device that somebody calls over HTTP and waits for.
//!
//! A call comes on `{thing}/{method}/{prefix}/{id}` as `{"timestamp","request","id"}`, and is answered on
//! `{prefix}/{id}/{thing}/{method}/ack` as `{"id","response"?,"status"?}`. AWS delivers at least once, and may deliver late:
//! a device refuses what is older than its caller waits, and answers a call that it remembers as it did before, so that a
//! method never runs twice.

mod call;
mod memory;
mod methods;
mod run;

pub use call::{BadCall, Call};
pub use memory::{Memory, Seen};
pub use methods::{METHODS, Reply, carry_out};
pub use run::{Listen, Tally, run, serve};
