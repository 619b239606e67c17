//! What became of each call.

use std::collections::HashSet;

use super::call::Call;
use super::fault::Fault;

/// Whether AWS did what the call asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Not forwarded: still held or delayed, answered by the wiretap, or given up by its caller before.
    NotForwarded,
    /// Forwarded; no answer yet.
    UnderWay,
    /// Forwarded and answered by AWS with this HTTP status.
    Answered(u16),
    /// Forwarded, but AWS could not be reached or broke the connection: not known whether it was done.
    Broken,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What AWS did.
    pub effect: Effect,
    /// The HTTP status that the caller was given; `None` when it was given none (yet).
    pub status: Option<u16>,
    /// The error code in the answer that the caller was given.
    pub error: Option<String>,
    /// Length of the body of AWS's answer, in bytes.
    pub response_bytes: usize,
    /// DynamoDB's capacity units: as its answer states them, or else computed from the items on the wire, without what
    /// its secondary indexes cost.
    pub units: Option<f64>,
    /// The fault that befell it.
    pub fault: Option<Fault>,
}

/// A call and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Rises by one with each attempt that arrives, from 0, over the wiretap's whole life.
    pub id: u64,
    /// The call.
    pub call: Call,
    /// What became of it.
    pub outcome: Outcome,
}

/// The calls of the records, without the further attempts that an SDK made of a call.
#[must_use]
pub fn distinct(records: &[Record]) -> Vec<&Record> {
    let mut seen = HashSet::new();
    records.iter().filter(|record| record.call.invocation.as_ref().is_none_or(|id| seen.insert(id))).collect()
}
