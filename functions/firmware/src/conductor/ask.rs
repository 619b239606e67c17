//! Orders for things whose turn has come: claim, shadow or job, notified.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use loam_domain::{ThingName, Timestamp};
use loam_releases::names::Id;
use loam_things::twins::Twin;

use super::{Conductor, Stepped, count};
use crate::FirmwareFailure;
use crate::assignment::{Assignment, Bid, Turn, turn};
use crate::aws::executions::{Move, With};
use crate::aws::rollouts::Bucket;
use crate::aws::shadows::{Ordered, TakenBack};
use crate::aws::table::{Written, wait_after};
use crate::clock::Clock;
use crate::execution::{Admission, End, Execution, Glimpse, Intent, Said, Transition, Verdict, admit, next};
use crate::order::{Signed, desired};
use crate::reports;
use crate::rollout::definition::Delivery;
use crate::rollout::{Issued, Rollout, grant};

/// How many things are granted and asked together: so many orders may still go out after a stop.
const TOGETHER: i32 = 25;

/// How many of them at once: their counters are few rows, on which transactions collide.
const AT_ONCE: usize = 4;

/// Why a thing is done with that AWS IoT takes no order for: its reason, and the code in the log.
const REFUSED: &str = "order-refused";

/// A thing that may be asked.
struct Candidate {
    row: Execution,
    shard: u32,
    glimpse: Glimpse,
}

/// What came of one thing's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// It was asked, or is done with.
    Yes,
    /// Not now.
    NotNow,
    /// It has seen a newer manifest.
    Sign,
}

/// A rollout with a grant for some things.
struct Granted {
    rollout: Rollout,
    manifest: Issued,
    /// The manifest itself, where an order holds it.
    signed: Option<Signed>,
}

impl Conductor {
    /// Asks up to `most` things of a wave that are queued and whose window is open.
    pub(super) async fn ask(
        &self,
        rollout: &Rollout,
        wave: usize,
        most: u32,
        clock: Clock,
    ) -> Result<Stepped, FirmwareFailure> {
        let (mut left, mut ended) = (most, Stepped::Still);
        for shard in rollout.shards_by_turns(wave, clock.now()) {
            let mut after = None;
            loop {
                if clock.is_over() {
                    return Ok(ended.cut());
                }
                let place = (wave, shard);
                let page =
                    self.rollouts.things_page(&rollout.id, place, Bucket::Queued, after.as_deref(), TOGETHER).await?;
                let mut group = self.candidates(rollout, shard, page.executions, clock.now()).await?;
                group.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                if !group.is_empty() {
                    // What was asked before may have said that it is enough: the rollout stops itself first.
                    if rollout.fails(wave, &self.rollouts.tally(rollout, wave).await?) {
                        return Ok(Stepped::On);
                    }
                    let things = u32::try_from(group.len()).unwrap_or(u32::MAX);
                    let Some(granted) = self.grant(&rollout.id, things, clock).await? else { return Ok(ended) };
                    left -= things;
                    match Box::pin(self.ask_all(&granted, group, clock)).await? {
                        Asked::Yes => ended = Stepped::On,
                        Asked::NotNow => {}
                        Asked::Sign => return self.sign(&granted.rollout, clock).await,
                    }
                }
                after = page.last;
                if left == 0 {
                    return Ok(ended);
                }
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// Those of some queued things whose delivery is not under way and whose window is open, with what is known of them.
    async fn candidates(
        &self,
        rollout: &Rollout,
        shard: u32,
        rows: Vec<Execution>,
        now: Timestamp,
    ) -> Result<Vec<Candidate>, FirmwareFailure> {
        let rows: Vec<Execution> = rows.into_iter().filter(|row| row.in_flight(now).is_none()).collect();
        let names: Vec<ThingName> = rows.iter().map(|row| row.thing.clone()).collect();
        let (twins, _) = self.twins.batch(&names).await?;
        let mut candidates = vec![];
        for row in rows {
            let twin = twins.iter().find(|twin| twin.thing == row.thing);
            let offset = twin.map_or(0, reports::utc_offset_minutes);
            if rollout.definition.window.as_ref().is_some_and(|window| !window.is_open(now, offset)) {
                continue;
            }
            let glimpse = self.glimpse(&row.thing, twin).await?;
            candidates.push(Candidate { row, shard, glimpse });
        }
        Ok(candidates)
    }

    /// What is known of a thing. One that the catalog does not know is new, or no more.
    async fn glimpse(&self, thing: &ThingName, twin: Option<&Twin>) -> Result<Glimpse, FirmwareFailure> {
        if let Some(twin) = twin {
            return Ok(reports::glimpse(twin));
        }
        let record = self.things.get(thing).await?;
        Ok(Glimpse { retired: record.is_none_or(|record| record.is_retiring()), ..Glimpse::default() })
    }

    /// Takes so many things of this minute's, before they are asked; `None`: there are not so many left, or the rollout does
    /// not run any more.
    async fn grant(&self, id: &Id, things: u32, clock: Clock) -> Result<Option<Granted>, FirmwareFailure> {
        let mut tries = 0;
        loop {
            let Some(read) = self.rollouts.get(id).await? else { return Ok(None) };
            let (Some(after), Some(manifest)) = (grant(&read, things, clock.now()), read.manifest) else {
                return Ok(None);
            };
            if self.rollouts.replace(&after, None).await? == Written::Yes {
                let signed = match after.definition.delivery {
                    Delivery::Shadow => None,
                    Delivery::Job => self.rollouts.manifest(id).await?,
                };
                let signed = signed.filter(|(_, sequence)| *sequence == manifest.sequence).map(|(signed, _)| signed);
                if after.definition.delivery == Delivery::Job && signed.is_none() {
                    // It is signed anew at this moment; the next round has it.
                    return Ok(None);
                }
                return Ok(Some(Granted { rollout: after, manifest, signed }));
            }
            tries = wait_after(tries).await?;
        }
    }

    async fn ask_all(&self, granted: &Granted, group: Vec<Candidate>, clock: Clock) -> Result<Asked, FirmwareFailure> {
        let each = stream::iter(group).map(|candidate| self.ask_one(granted, candidate, clock));
        let outcomes: Vec<Asked> = each.buffer_unordered(AT_ONCE).try_collect().await?;
        if outcomes.contains(&Asked::Sign) {
            return Ok(Asked::Sign);
        }
        Ok(if outcomes.contains(&Asked::Yes) { Asked::Yes } else { Asked::NotNow })
    }

    async fn ask_one(&self, granted: &Granted, candidate: Candidate, clock: Clock) -> Result<Asked, FirmwareFailure> {
        let Candidate { row, shard, glimpse } = candidate;
        let (rollout, now) = (&granted.rollout, clock.now());
        let Some(rank) = &rollout.rank else { return Ok(Asked::NotNow) };
        let held = self.executions.assignment(&row.thing).await?;
        let its = match held.as_ref().filter(|held| held.rank.rollout != rollout.id) {
            Some(held) => {
                let place = (usize::from(held.wave), held.shard);
                self.executions.get(&held.rank.rollout, place, &row.thing).await?
            }
            None => None,
        };
        let glimpse = glimpse.or_later(its.as_ref().and_then(|its| its.running.as_ref()));
        let mut moves = vec![];
        let (sequence, downgrade) = (granted.manifest.sequence, rollout.downgrade);
        let mine = Bid { rank, target: &rollout.firmware.version, downgrade, sequence };
        match turn(&mine, held.as_ref(), its.as_ref(), now) {
            Turn::Wait => return Ok(Asked::NotNow),
            Turn::Sign => return Ok(Asked::Sign),
            Turn::Yield => return self.end(&row, shard, &Intent::End(End::Superseded), now).await,
            Turn::TakeOver => moves.extend(superseded(its, held.as_ref(), now)),
            Turn::Mine | Turn::Take => {}
        }
        // Once it is on its way, what it runs is a matter of its reports.
        if row.claimed_at.is_none()
            && let Admission::No(why) = admit(&rollout.firmware, rollout.downgrade, &glimpse)
        {
            return self.end(&row, shard, &Intent::TurnAway(why, glimpse), now).await;
        }
        let Transition::Change(claimed) = next(&row, &Intent::Claim(glimpse.running), now) else {
            return Ok(Asked::NotNow);
        };
        if let Some(Move { before: its, .. }) = moves.first()
            && self.take_over(rollout, its, now).await? == TakenBack::Later
        {
            return Ok(Asked::NotNow);
        }
        let version = held.map_or(0, |held| held.version) + 1;
        let assignment = Assignment { rank: rank.clone(), wave: row.wave, shard, sequence, downgrade, version };
        moves.insert(0, Move { before: row, after: (*claimed).clone(), shard });
        let with = With { assignment: Some(&assignment), ..With::default() };
        if self.executions.save(&moves, with).await? == Written::Stale {
            return Ok(Asked::NotNow);
        }
        self.deliver(granted, &claimed, shard, clock).await
    }

    /// Takes back what another rollout ordered, where the new order does not replace it. Before the rows move: a run that dies
    /// between the two does it once more.
    async fn take_over(
        &self,
        rollout: &Rollout,
        its: &Execution,
        now: Timestamp,
    ) -> Result<TakenBack, FirmwareFailure> {
        let Some(other) = self.rollouts.get(&its.rollout).await? else { return Ok(TakenBack::Gone) };
        match (other.definition.delivery, rollout.definition.delivery) {
            (Delivery::Shadow, Delivery::Shadow) => Ok(TakenBack::Gone),
            (Delivery::Shadow | Delivery::Job, Delivery::Shadow | Delivery::Job) => {
                self.take_back(&other, its, now).await
            }
        }
    }

    async fn end(&self, row: &Execution, shard: u32, end: &Intent, now: Timestamp) -> Result<Asked, FirmwareFailure> {
        let ended = self.apply(row, shard, end, now).await?;
        Ok(if ended.is_some() { Asked::Yes } else { Asked::NotNow })
    }

    /// Hands over the order of a thing that is claimed, unless it is too late for that, and says so.
    async fn deliver(
        &self,
        granted: &Granted,
        claimed: &Execution,
        shard: u32,
        clock: Clock,
    ) -> Result<Asked, FirmwareFailure> {
        let Some(lease) = claimed.lease.filter(|lease| lease.may_deliver(clock.now())) else {
            return Ok(Asked::NotNow);
        };
        if self.hand_over(granted, claimed).await? == Ordered::Refused {
            metrics::counter!("OrdersRefused").increment(1);
            let (thing, id) = (claimed.thing.as_str(), claimed.rollout.as_str());
            tracing::error!(code = REFUSED, thing.name = thing, rollout.id = id, "a thing cannot take an order");
            return self.refused(claimed, shard, clock.now()).await;
        }
        self.notified(claimed, shard, lease.version, clock).await?;
        Ok(Asked::Yes)
    }

    /// A thing that cannot take an order is done with, and speaks against the rollout: it would be asked each minute for ever.
    async fn refused(&self, claimed: &Execution, shard: u32, at: Timestamp) -> Result<Asked, FirmwareFailure> {
        let said = Said { at, verdict: Verdict::Rejected, code: Some(REFUSED.to_owned()) };
        let ended = self.apply(claimed, shard, &Intent::Hear(said), at).await?;
        Ok(if ended.is_some() { Asked::Yes } else { Asked::NotNow })
    }

    async fn hand_over(&self, granted: &Granted, claimed: &Execution) -> Result<Ordered, FirmwareFailure> {
        let rollout = &granted.rollout;
        match (rollout.definition.delivery, &granted.signed) {
            (Delivery::Shadow, _) => {
                let (sequence, window) = (granted.manifest.sequence, rollout.definition.window.as_ref());
                let order = desired(claimed, &rollout.firmware, sequence, window);
                self.shadows.order(&claimed.thing, &order).await
            }
            (Delivery::Job, Some(signed)) => self.jobs.create(rollout, claimed, signed).await,
            // Nobody is granted anything without it.
            (Delivery::Job, None) => Err(FirmwareFailure::BadRow("manifest")),
        }
    }

    /// The order is there. The device may have said its first word by now; then the row is another.
    async fn notified(&self, claimed: &Execution, shard: u32, lease: u64, clock: Clock) -> Result<(), FirmwareFailure> {
        let (mut row, mut tries) = (claimed.clone(), 0);
        loop {
            let Transition::Change(after) = next(&row, &Intent::Notified(lease), clock.now()) else { return Ok(()) };
            let moves = [Move { before: row.clone(), after: (*after).clone(), shard }];
            if self.executions.save(&moves, With::default()).await? == Written::Yes {
                count(&row, &after);
                return Ok(());
            }
            tries = wait_after(tries).await?;
            let place = (usize::from(row.wave), shard);
            let Some(read) = self.executions.get(&row.rollout, place, &row.thing).await? else { return Ok(()) };
            row = read;
        }
    }
}

/// The other rollout's row, taken out.
fn superseded(its: Option<Execution>, held: Option<&Assignment>, now: Timestamp) -> Option<Move> {
    let (before, held) = (its?, held?);
    let Transition::Change(after) = next(&before, &Intent::End(End::Superseded), now) else { return None };
    Some(Move { before, after: *after, shard: held.shard })
}
