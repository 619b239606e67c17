use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::Timestamp;
use loam_runtime::{Failure as _, Invocation, KeptEvent, StreamItem, diagnostic};
use serde_json::{Value, json};

use crate::decide::{Step, plan};
use crate::event::Told;
use crate::topic::{Fate, Topic};
use crate::{Config, Refused, RelayFailure};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "event-relay";

/// Tells the events of a stream's batch, keeps what can never be told.
#[derive(Debug, Clone)]
pub struct Handler {
    topic: Topic,
    dead_letters: DeadLetters,
}

/// A step that did not succeed: from which record on all comes again, and why.
struct Broken {
    at: usize,
    failure: RelayFailure,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let topic = Topic::new(sdk, config.events_topic);
        Self { topic, dead_letters: DeadLetters::new(sdk, config.dead_letters_url) }
    }

    /// Deals with one batch of a stream, in its order, and answers the sequence number of the first record that must
    /// come again; what was told behind it is told twice, with the same ids.
    ///
    /// # Errors
    /// [`RelayFailure`]: the whole batch comes again, because the record that failed has no sequence number.
    pub async fn handle(
        &self,
        batch: Vec<StreamItem>,
        invocation: &Invocation,
    ) -> Result<Option<String>, RelayFailure> {
        let steps = plan(batch.iter().map(|item| Told::of(&item.record)));
        let (mut told, mut refused) = (0, 0);
        for step in &steps {
            let kept = self.take(step, &batch, invocation.now).await;
            match kept {
                Ok(kept) => {
                    refused += kept;
                    told += size(step) - kept;
                }
                Err(Broken { at, failure }) => return again_from(batch.get(at), failure),
            }
        }
        count(told, refused);
        tracing::info!(records = batch.len(), told, refused, "events told");
        Ok(None)
    }

    /// Takes one step; answers how many of its records were kept as refused.
    async fn take(&self, step: &Step, batch: &[StreamItem], now: Timestamp) -> Result<usize, Broken> {
        let events = match step {
            Step::Keep(at, refused) => return self.keep(batch.get(*at), refused, now).await.map_err(broken(*at)),
            Step::Publish(events) => events,
        };
        let fates = self.topic.publish(events).await.map_err(broken(step.first()))?;
        let mut kept = 0;
        for ((at, _), fate) in events.iter().zip(fates) {
            match fate {
                Fate::Taken => {}
                Fate::Failed(failure) => return Err(Broken { at: *at, failure }),
                Fate::Refused(refused) => {
                    kept += self.keep(batch.get(*at), &refused, now).await.map_err(broken(*at))?
                }
            }
        }
        Ok(kept)
    }

    /// Keeps a record as the batch of one that it came from: to replay it is to hand over just that.
    async fn keep(&self, item: Option<&StreamItem>, refused: &Refused, now: Timestamp) -> Result<usize, RelayFailure> {
        let record = item.map_or(Value::Null, |item| item.record.clone());
        let letter = KeptEvent {
            kept_by: NAME.to_owned(),
            code: refused.code().to_owned(),
            detail: refused.to_string(),
            indexes: vec![],
            kept_at: now,
            event: json!({"Records": [record]}),
        };
        tracing::warn!(code = refused.code(), detail = refused.to_string(), "refused and kept");
        self.dead_letters.keep(&letter).await?;
        Ok(1)
    }
}

fn broken(at: usize) -> impl FnOnce(RelayFailure) -> Broken {
    move |failure| Broken { at, failure }
}

fn size(step: &Step) -> usize {
    match step {
        Step::Publish(events) => events.len(),
        Step::Keep(..) => 1,
    }
}

fn count(told: usize, refused: usize) {
    metrics::counter!("Events").increment(told as u64);
    metrics::counter!("Refused").increment(refused as u64);
}

/// A batch that comes again in part does not fail the invocation, so its failure is logged here and not at the edge.
fn again_from(item: Option<&StreamItem>, failure: RelayFailure) -> Result<Option<String>, RelayFailure> {
    let Some(number) = item.and_then(|item| item.sequence_number.clone()) else { return Err(failure) };
    metrics::counter!("Failures").increment(1);
    let error = diagnostic(&failure).error_message;
    tracing::error!(code = failure.code(), class = failure.class().as_str(), error, "events must come again");
    Ok(Some(number))
}
