use std::time::Duration;

use aws_config::SdkConfig;
use loam_domain::{ThingName, Timestamp};
use loam_things::{ThingRecord, Things};

use crate::connections::Connections;
use crate::decide::{Decision, Verdict, decide, decide_answer};
use crate::fact::{Answer, Fact};
use crate::row::Row;
use crate::shadow::{Projected, Shadow, Shadows};
use crate::store::{Known, Saved, Store};
use crate::{PresenceFailure, TruthConfig};

/// So often a lost condition is followed by another try. Somebody wins each round, so that eight handlers of one thing
/// come through; who does not is delivered again.
const TRIES: u32 = 12;

/// After a lost condition: a little longer each time.
const PAUSE: Duration = Duration::from_millis(7);

/// Keeps the truth of who is there, and its projection: load, decide, save, project; it chooses nothing.
///
/// It may be stopped anywhere and run again. What it saved a repeat finds known; what it did not project, any later
/// event of the thing does, and so does a look with `live=true`.
#[derive(Debug, Clone)]
pub struct Keeper {
    store: Store,
    things: Things,
    shadows: Shadows,
    connections: Connections,
}

/// What came of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The thing is ours.
    Ours {
        /// What the fact was.
        verdict: Verdict,
        /// What is known now.
        row: Box<Row>,
    },
    /// No thing of ours, or one that retires: nothing was done.
    NotOurs,
}

impl Keeper {
    /// The keeper of the truth in the tables of `config`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &TruthConfig) -> Self {
        Self {
            store: Store::new(sdk, config.presence_table.clone(), config.history_days),
            things: Things::new(sdk, config.things_table.clone()),
            shadows: Shadows::new(sdk),
            connections: Connections::new(sdk),
        }
    }

    /// The table.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The records of the things.
    #[must_use]
    pub const fn things(&self) -> &Things {
        &self.things
    }

    /// Brings the truth up to date with `fact`, and the shadow with the truth.
    ///
    /// # Errors
    /// [`PresenceFailure`]: the event must come again; what was done by then is not done a second time.
    pub async fn take(&self, thing: &ThingName, fact: &Fact, now: Timestamp) -> Result<Kept, PresenceFailure> {
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            let Some(row) = self.row(thing).await? else { return Ok(Kept::NotOurs) };
            let decision = decide(&row, fact, now);
            let (verdict, ask) = (decision.verdict, decision.ask);
            let Some(row) = self.saved(thing, row, decision).await? else { continue };
            let Some(row) = (if ask { self.asked(thing, row, now).await? } else { Some(row) }) else { continue };
            let row = self.project(thing, row).await?;
            return Ok(Kept::Ours { verdict, row: Box::new(row) });
        }
        Err(PresenceFailure::Contended { tries: TRIES })
    }

    /// Asks AWS IoT where the thing of `record` is, repairs the truth and the shadow where it says something else.
    ///
    /// # Errors
    /// [`PresenceFailure`]; of [`PresenceFailure::Unknown`] the truth is as it was.
    pub async fn look(&self, record: &ThingRecord, now: Timestamp) -> Result<Option<(Row, Answer)>, PresenceFailure> {
        let thing = &record.thing;
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            let Some(row) = self.row_of(record).await? else { return Ok(None) };
            let answer = self.connections.ask(thing).await?;
            let decision = decide_answer(&row, &answer, now);
            let Some(row) = self.saved(thing, row, decision).await? else { continue };
            return Ok(Some((self.project(thing, row).await?, answer)));
        }
        Err(PresenceFailure::Contended { tries: TRIES })
    }

    /// What is known of a thing of ours; `None` for any other, and for one that retires. Whether it is ours is asked
    /// only where nothing is known yet.
    ///
    /// # Errors
    /// [`PresenceFailure`].
    pub async fn row(&self, thing: &ThingName) -> Result<Option<Row>, PresenceFailure> {
        match self.store.load(thing).await? {
            Known::Row(row) => Ok(Some(*row)),
            Known::Erased => Ok(None),
            Known::Nothing => {
                let record = self.things.get(thing).await?;
                Ok(record.as_ref().and_then(unseen))
            }
        }
    }

    /// What is known of a thing whose record was read just now; `None` if it retires or was erased.
    ///
    /// # Errors
    /// [`PresenceFailure`].
    pub async fn row_of(&self, record: &ThingRecord) -> Result<Option<Row>, PresenceFailure> {
        Ok(match self.store.load(&record.thing).await? {
            Known::Row(row) => Some(*row),
            Known::Erased => None,
            Known::Nothing => unseen(record),
        })
    }

    /// The row after a decision; `None` if somebody else was faster.
    async fn saved(&self, thing: &ThingName, row: Row, decision: Decision) -> Result<Option<Row>, PresenceFailure> {
        let Some(next) = decision.next else { return Ok(Some(row)) };
        let saved = self.store.save(thing, &row, &next, &decision.told).await?;
        metrics::counter!("Told").increment(if saved == Saved::Yes { decision.told.len() as u64 } else { 0 });
        Ok((saved == Saved::Yes).then_some(*next))
    }

    /// The row after AWS IoT was asked about it. The answer is of a later time than the row, so that it holds for it;
    /// it is thrown away if the row changed meanwhile.
    async fn asked(&self, thing: &ThingName, row: Row, now: Timestamp) -> Result<Option<Row>, PresenceFailure> {
        let answer = self.connections.ask(thing).await?;
        let decision = decide_answer(&row, &answer, now);
        self.saved(thing, row, decision).await
    }

    /// Makes the shadow say what the row says, and looks at the row once more after a write: whoever changed it
    /// meanwhile may have found the shadow right, before this write. Gives the row that it saw last.
    async fn project(&self, thing: &ThingName, mut row: Row) -> Result<Row, PresenceFailure> {
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            if row.status.is_none() {
                return Ok(row);
            }
            let connected = row.is_connected();
            let shadow = self.shadows.get(thing).await?;
            if shadow.connected == Some(connected) || self.is_no_more(thing, shadow).await? {
                return Ok(row);
            }
            let projected = self.shadows.put(thing, connected, shadow.version).await?;
            if projected == Projected::Full {
                tracing::warn!(thing.name = thing.as_str(), code = "shadow-full", "the shadow cannot say it");
                return Ok(row);
            }
            let Known::Row(fresh) = self.store.load(thing).await? else { return Ok(row) };
            let same = fresh.is_connected() == connected;
            row = *fresh;
            if same && projected == Projected::Yes {
                return Ok(row);
            }
        }
        Err(PresenceFailure::Contended { tries: TRIES })
    }

    /// Whether there is no shadow because the thing retires: that one must not be made again.
    async fn is_no_more(&self, thing: &ThingName, shadow: Shadow) -> Result<bool, PresenceFailure> {
        if shadow.version.is_some() {
            return Ok(false);
        }
        Ok(self.things.get(thing).await?.is_none_or(|record| record.is_retiring()))
    }
}

/// What is known of a thing of which nothing was told yet; `None` for one that retires.
fn unseen(record: &ThingRecord) -> Option<Row> {
    (!record.is_retiring()).then(|| Row::unseen(record.epoch))
}
