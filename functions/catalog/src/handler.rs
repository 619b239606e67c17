use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::SdkConfig;
use loam_dead_letters::DeadLetters;
use loam_domain::{ThingName, Timestamp};
use loam_runtime::{BatchItem, Invocation, KeptEvent, ids_at, must_come_again};
use tokio::task::JoinSet;

use crate::decide::News;
use crate::error::Refused;
use crate::event::Message;
use crate::projector::{Projected, Projector};
use crate::{CatalogFailure, Config};

/// The function's name in logs, metrics and dead letters.
const NAME: &str = "catalog-projector";

/// Deals with the queue's batches: all messages of one thing become one write.
#[derive(Debug, Clone)]
pub struct Handler {
    projector: Projector,
    dead_letters: DeadLetters,
    /// Whether it was said already that there are things that are not ours.
    said_not_ours: Arc<AtomicBool>,
}

/// What is new of a thing, and in which places of the batch that stands.
#[derive(Debug, Default)]
struct Group {
    news: News,
    places: Vec<usize>,
}

/// What became of a batch.
#[derive(Debug, Default)]
struct Done {
    changed: usize,
    failed: BTreeSet<usize>,
    refused: Vec<(usize, Refused)>,
}

impl Handler {
    /// The handler with its clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: Config) -> Self {
        let projector = Projector::new(sdk, &config);
        Self { projector, dead_letters: DeadLetters::new(sdk, config.dead_letters_url), said_not_ours: Arc::default() }
    }

    /// Deals with one batch of the queue and answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// [`CatalogFailure::BrokeOff`]: the whole batch comes again.
    pub async fn handle(&self, batch: Vec<BatchItem>, invocation: &Invocation) -> Result<Vec<String>, CatalogFailure> {
        let (groups, refused) = self.sorted(&batch);
        let things = groups.len();
        let mut done = self.project(groups, invocation.now).await?;
        done.refused.extend(refused);
        for (at, refused) in &done.refused {
            let Some(item) = batch.get(*at) else { continue };
            if let Err(failure) = self.keep(item, refused, invocation.now).await {
                must_come_again(&failure);
                done.failed.insert(*at);
            }
        }
        tracing::info!(
            messages = batch.len(),
            things,
            changed = done.changed,
            failed = done.failed.len(),
            "batch projected"
        );
        Ok(ids_at(batch, &done.failed))
    }

    /// The batch's news by thing, and what is refused.
    fn sorted(&self, batch: &[BatchItem]) -> (BTreeMap<ThingName, Group>, Vec<(usize, Refused)>) {
        let (mut groups, mut refused) = (BTreeMap::<ThingName, Group>::new(), Vec::new());
        for (at, item) in batch.iter().enumerate() {
            match Message::parse(&item.body) {
                Ok(Message::News(thing, source)) => {
                    let group = groups.entry(thing).or_default();
                    group.news.add(source);
                    group.places.push(at);
                }
                Ok(Message::NotOurs) => self.leave_alone(),
                Err(reason) => refused.push((at, reason)),
            }
        }
        (groups, refused)
    }

    async fn project(&self, groups: BTreeMap<ThingName, Group>, now: Timestamp) -> Result<Done, CatalogFailure> {
        let mut running = JoinSet::new();
        for (thing, Group { news, places }) in groups {
            let projector = self.projector.clone();
            running.spawn(async move { (Box::pin(projector.take(&thing, news, now)).await, thing, places) });
        }
        let mut done = Done::default();
        while let Some(finished) = running.join_next().await {
            let (outcome, thing, places) = finished?;
            self.note(&mut done, outcome, &thing, places);
        }
        Ok(done)
    }

    fn note(&self, done: &mut Done, outcome: Result<Projected, CatalogFailure>, thing: &ThingName, places: Vec<usize>) {
        match outcome {
            Ok(Projected::Changed) => {
                metrics::counter!("Projections").increment(1);
                done.changed += 1;
            }
            Ok(Projected::Known) => metrics::counter!("Duplicates").increment(1),
            Ok(Projected::NotOurs) => self.leave_alone(),
            Ok(Projected::Erased) => tracing::info!(thing.name = thing.as_str(), "twin erased"),
            Ok(Projected::Refused(refused)) => {
                done.refused.extend(places.into_iter().map(|at| (at, refused.clone())));
            }
            Err(failure) => {
                must_come_again(&failure);
                done.failed.extend(places);
            }
        }
    }

    /// AWS's topics belong to the whole account: what is not ours is counted, said once, and left alone.
    fn leave_alone(&self) {
        metrics::counter!("NotOurs").increment(1);
        if !self.said_not_ours.swap(true, Ordering::Relaxed) {
            tracing::info!("there are things that are not ours: they are counted and left alone");
        }
    }

    async fn keep(&self, item: &BatchItem, refused: &Refused, now: Timestamp) -> Result<(), CatalogFailure> {
        tracing::warn!(code = refused.code(), detail = refused.detail(), "refused and kept");
        let letter = KeptEvent::of_body(NAME, refused.code(), refused.detail(), &item.body, now);
        self.dead_letters.keep(&letter).await?;
        metrics::counter!("Refused").increment(1);
        Ok(())
    }
}
