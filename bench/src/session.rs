//! One process from its start to its end, measured.

use std::time::{Duration, Instant};

use bytes::Bytes;
use loam_domain::Timestamp;

use crate::candidate::{Candidate, Way};
use crate::failure::Failure;
use crate::process::{Process, Stand};
use crate::runtime_api::{RuntimeApi, Signal};

/// A candidate that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Messages before the figures of a warm process are taken.
const WARM_UP: u64 = 50;

/// A start, and the first invocation after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// From the start of the process to its first request for an event, ms.
    pub(crate) init_ms: f64,
    pub(crate) init_cpu_ms: f64,
    /// From handing out the first event to its answer, ms.
    pub(crate) first_ms: f64,
    pub(crate) first_cpu_ms: f64,
    /// After the first invocation.
    pub(crate) peak_kib: u64,
}

/// A stretch of messages, each figure for one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) messages: u64,
    pub(crate) cpu_ms: f64,
    /// Handed out and answered one after the other, as Lambda does.
    pub(crate) per_second: f64,
    /// Calls to AWS.
    pub(crate) calls: f64,
    pub(crate) log_bytes: f64,
    /// After the last message.
    pub(crate) peak_kib: u64,
}

/// A process that waits for an event.
pub(crate) struct Session<'a> {
    stand: &'a Stand,
    candidate: &'a Candidate,
    api: RuntimeApi,
    process: Process,
    began: Timestamp,
    messages: u64,
}

impl<'a> Session<'a> {
    /// Starts a process and gives it its first invocation.
    pub(crate) async fn start(
        stand: &'a Stand,
        candidate: &'a Candidate,
        way: Way,
        began: Timestamp,
    ) -> Result<(Self, Start), Failure> {
        let api = RuntimeApi::start().await?;
        let spawned = Instant::now();
        let process = stand.spawn(candidate, way, api.address)?;
        let mut session = Self { stand, candidate, api, process, began, messages: 0 };
        let asked = session.idle().await?;
        let init_cpu = session.process.cpu()?;
        let (sent, answered) = session.invoke().await?;
        let start = Start {
            init_ms: millis(asked - spawned),
            init_cpu_ms: millis(init_cpu),
            first_ms: millis(answered - sent),
            first_cpu_ms: millis(session.process.cpu()?.saturating_sub(init_cpu)),
            peak_kib: session.process.peak_kib()?,
        };
        Ok((session, start))
    }

    /// Gives it at least `messages` more, after a few that do not count.
    pub(crate) async fn stretch(&mut self, messages: u64) -> Result<Stretch, Failure> {
        self.give(WARM_UP).await?;
        let (cpu, calls, logged) = (self.process.cpu()?, self.stand.stub.calls(), self.process.logged());
        let began = Instant::now();
        let given = self.give(messages).await?;
        let elapsed = began.elapsed();
        let each = |total: f64| total / count(given);
        Ok(Stretch {
            messages: given,
            cpu_ms: each(millis(self.process.cpu()?.saturating_sub(cpu))),
            per_second: count(given) / elapsed.as_secs_f64(),
            calls: each(count(self.stand.stub.calls() - calls)),
            log_bytes: each(count(self.process.logged() - logged)),
            peak_kib: self.process.peak_kib()?,
        })
    }

    pub(crate) async fn end(self) {
        self.process.end().await;
    }

    async fn give(&mut self, messages: u64) -> Result<u64, Failure> {
        let before = self.messages;
        while self.messages - before < messages {
            self.invoke().await?;
        }
        Ok(self.messages - before)
    }

    /// When the event was handed out and when it was answered; the process waits for the next one then.
    async fn invoke(&mut self) -> Result<(Instant, Instant), Failure> {
        let event = (self.candidate.invocation)(self.messages, self.began).to_string();
        self.messages += self.candidate.batch;
        let sent = Instant::now();
        self.api.send(Bytes::from(event)).await;
        let answered = match self.api.next(PATIENCE).await {
            Some(Signal::Answered(at, answer)) if !names_a_failure(&answer) => at,
            Some(Signal::Answered(..)) => return Err(self.failed("messages of a batch failed".to_owned())),
            Some(Signal::Failed(error)) => return Err(self.failed(error)),
            Some(Signal::Idle(_)) => return Err(self.failed("it left an event without an answer".to_owned())),
            None => return Err(self.failed(format!("no answer in {} s", PATIENCE.as_secs()))),
        };
        self.idle().await?;
        Ok((sent, answered))
    }

    async fn idle(&mut self) -> Result<Instant, Failure> {
        match self.api.next(PATIENCE).await {
            Some(Signal::Idle(at)) => Ok(at),
            Some(Signal::Failed(error)) => Err(self.failed(error)),
            Some(Signal::Answered(..)) => Err(self.failed("it answered one event twice".to_owned())),
            None => Err(self.failed(format!("it asked for no event in {} s", PATIENCE.as_secs()))),
        }
    }

    fn failed(&self, why: String) -> Failure {
        Failure::Candidate { name: self.candidate.name.to_owned(), why, last_words: self.process.last_words() }
    }
}

/// Whether a queue's function says that some messages must come again: the invocation as a whole succeeded then.
fn names_a_failure(answer: &[u8]) -> bool {
    let named = serde_json::from_slice::<serde_json::Value>(answer).ok();
    named.and_then(|answer| Some(!answer.get("batchItemFailures")?.as_array()?.is_empty())).unwrap_or(false)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run, far below 2^52")]
const fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_whose_messages_failed_is_not_measured_as_a_success() {
        assert!(names_a_failure(br#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#));
        assert!(!names_a_failure(br#"{"batchItemFailures":[]}"#));
        assert!(!names_a_failure(b"null"));
        assert!(!names_a_failure(b""));
    }
}
