use std::time::Duration;

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{CertificateId, Event, ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, each_message};
use loam_things::{Outcome, ThingRecord, Things};

use super::decide::ONBOARDING;
use super::{Gone, Identity, Progress, Stage, Step, Task, next};
use crate::catalog::Catalog;
use crate::shadows::Shadows;
use crate::{OnboardingFailure, RetireConfig};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "onboarding-retire";

/// So often AWS IoT is asked again whether a certificate is detached: each time after twice as long, seven and a half
/// seconds in all. After that the event comes again.
const MOST_WAITS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Takes retiring things out of AWS IoT, and closes their records once everybody acknowledged.
///
/// It may be stopped anywhere and run again, also beside itself: each step ensures that something is gone.
#[derive(Debug, Clone)]
pub struct Retirer {
    things: Things,
    identity: Identity,
    shadows: Shadows,
    catalog: Catalog,
    dead_letters: DeadLetters,
    first_wait: Duration,
}

impl Retirer {
    /// The retirer with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: RetireConfig) -> Self {
        Self {
            things: Things::new(sdk, config.things_table),
            identity: Identity::new(sdk, config.device_policies, config.certificates_arn),
            shadows: Shadows::new(sdk),
            catalog: Catalog::new(sdk, config.catalog_table),
            dead_letters: DeadLetters::new(sdk, config.dead_letters_url),
            first_wait: FIRST_WAIT,
        }
    }

    /// The same with another first wait for AWS IoT to detach a certificate.
    #[must_use]
    pub fn waiting(self, first_wait: Duration) -> Self {
        Self { first_wait, ..self }
    }

    /// Deals with events of the queue, one after the other, and answers the ids of those that must come again.
    ///
    /// # Errors
    /// [`OnboardingFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(
        &self,
        batch: Vec<BatchItem>,
        invocation: &Invocation,
    ) -> Result<Vec<String>, OnboardingFailure> {
        each_message(batch, 1, |item| {
            let (retirer, now) = (self.clone(), invocation.now);
            async move { Box::pin(retirer.deal_with(&item, now)).await }
        })
        .await
    }

    async fn deal_with(&self, item: &BatchItem, now: Timestamp) -> Result<(), OnboardingFailure> {
        let event: Option<Event> = serde_json::from_str(&item.body).ok();
        let Some(thing) = event.and_then(|event| event.thing) else { return self.keep(item, now).await };
        let last = self.retire(&thing, now).await?;
        tracing::info!(thing.name = thing.as_str(), step = last, "retirement went on");
        Ok(())
    }

    /// Goes on with the retirement of `thing` as far as it goes now; answers the word for where it ended.
    ///
    /// # Errors
    /// [`OnboardingFailure`]: the event must come again; every step may be repeated.
    pub async fn retire(&self, thing: &ThingName, now: Timestamp) -> Result<&'static str, OnboardingFailure> {
        let Some(mut record) = self.things.get(thing).await? else { return Ok("not-ours") };
        let (mut progress, mut waits) = (Progress::default(), 0);
        loop {
            match next(&record, &progress) {
                Step::Nothing => return Ok("nothing-to-do"),
                Step::Await => return Ok("awaits-others"),
                Step::Close => match self.things.retired(thing, now).await? {
                    Outcome::Done(_) | Outcome::Already(_) => return Ok("retired"),
                    Outcome::Refused(why, _) => return Ok(why.as_str()),
                    Outcome::Missing => return Ok("not-ours"),
                },
                Step::Acknowledge => {
                    let outcome = self.things.acknowledge_retirement(thing, ONBOARDING, now).await?;
                    let Some(after) = record_of(outcome) else { return Ok("not-ours") };
                    record = after;
                }
                Step::Ensure(task) => {
                    if !self.ensure(thing, &task, &mut progress).await? {
                        waits = self.wait_after(waits).await?;
                    }
                }
            }
        }
    }

    /// Does one task of taking a thing out of AWS IoT; says whether AWS IoT was ready for it.
    async fn ensure(&self, thing: &ThingName, task: &Task, progress: &mut Progress) -> Result<bool, OnboardingFailure> {
        match task {
            Task::Deactivate(id) => {
                let is_there = self.identity.deactivate(id).await?;
                reached(progress, id, if is_there { Stage::Inactive } else { Stage::Gone });
            }
            Task::Disconnect => {
                self.identity.disconnect(thing).await?;
                progress.disconnected = true;
            }
            Task::DetachPolicies(id) => {
                self.identity.detach_policies(id).await?;
                reached(progress, id, Stage::WithoutPolicies);
            }
            Task::Detach(id) => {
                self.identity.detach(thing, id).await?;
                reached(progress, id, Stage::Detached);
            }
            Task::DeleteCertificate(id) => return self.delete_certificate(id, progress).await,
            Task::DeleteShadows => {
                self.shadows.delete_all(thing).await?;
                progress.shadows = true;
            }
            Task::SweepShadows => {
                self.shadows.delete_all(thing).await?;
                progress.swept = true;
            }
            Task::DeleteThing => {
                progress.thing = self.identity.delete_thing(thing).await? == Gone::Yes;
                return Ok(progress.thing);
            }
            Task::DeleteCatalogItem => {
                self.catalog.delete(thing).await?;
                progress.catalog = true;
            }
        }
        Ok(true)
    }

    async fn delete_certificate(&self, id: &CertificateId, progress: &mut Progress) -> Result<bool, OnboardingFailure> {
        match self.identity.delete_certificate(id).await? {
            Gone::Yes => {
                reached(progress, id, Stage::Gone);
                Ok(true)
            }
            Gone::NotYet => Ok(false),
            Gone::Active => {
                // Begin again with this certificate, and end the connection that it may have let in.
                progress.certificates.remove(id);
                progress.disconnected = false;
                Ok(false)
            }
        }
    }

    async fn wait_after(&self, waits: u32) -> Result<u32, OnboardingFailure> {
        if waits == MOST_WAITS {
            return Err(OnboardingFailure::StillAttached);
        }
        tokio::time::sleep(self.first_wait * (1 << waits)).await;
        Ok(waits + 1)
    }

    /// Keeps a message that is no event of a thing: it can never succeed.
    async fn keep(&self, item: &BatchItem, now: Timestamp) -> Result<(), OnboardingFailure> {
        let (code, detail) = ("not-an-event", "the message is no event of a thing");
        tracing::warn!(code, detail, "refused and kept");
        self.dead_letters.keep(&KeptEvent::of_body(NAME, code, detail, &item.body, now)).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}

fn reached(progress: &mut Progress, id: &CertificateId, stage: Stage) {
    progress.certificates.insert(id.clone(), stage);
}

fn record_of(outcome: Outcome) -> Option<ThingRecord> {
    match outcome {
        Outcome::Done(record) | Outcome::Already(record) | Outcome::Refused(_, record) => Some(*record),
        Outcome::Missing => None,
    }
}
