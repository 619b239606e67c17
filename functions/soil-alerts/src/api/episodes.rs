//! What people do about an episode.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use loam_access::{Controller, Grant};
use loam_domain::{ThingName, Timestamp};
use loam_http::{Body, Call, NoParams, Params, Problem, Segments, ThingPath};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::views::{OpenView, SnoozeView, is_theirs};
use crate::smart::{
    Acknowledgement, EpisodeId, MAX_SNOOZE_SECONDS, Reaction, Snooze, State as Known, StoreError, acknowledge, snooze,
    snooze_episode,
};

/// So often a lost condition is followed by another try, as the readings' handler does.
const MOST_TRIES: u32 = 12;

/// After a lost condition: a little longer each time.
const PAUSE: Duration = Duration::from_millis(7);

/// The episode of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct EpisodePath {
    /// The episode's `id`, `{path}:{openedAt}`; also the middle of its notices' `noticeId`.
    #[param(pattern = "^[A-Za-z][A-Za-z0-9_.-]{0,63}:[0-9]{1,19}$", max_length = 84)]
    episode: String,
}

/// For how long.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SnoozeBody {
    /// 1 second to 7 days.
    #[schema(minimum = 1, maximum = 604_800)]
    seconds: u32,
}

/// What came of a snooze.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Snoozed {
    /// The thing's name.
    thing: String,
    /// The snooze that holds now for the episode's path.
    snooze: SnoozeView,
    /// All paths of the thing that are silent: each of which a reading came.
    paths: Vec<String>,
}

/// Takes care of an open episode: no more reminders of it; its end is told. Again it changes nothing, and who came first
/// stays named.
#[utoipa::path(post, path = "/v1/things/{thing}/alerts/{episode}/acknowledge", tag = "soil-alerts",
    params(ThingPath, EpisodePath),
    responses((status = 200, description = "The episode.", body = OpenView), Problem))]
pub(super) async fn acknowledge_episode(
    State(api): State<Api>,
    Controller(grant): Controller,
    Segments(path): Segments<EpisodePath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
) -> Result<Json<OpenView>, Problem> {
    let (thing, id) = (grant.thing(), path.named(&grant)?);
    for attempt in 0..MOST_TRIES {
        tokio::time::sleep(PAUSE * attempt).await;
        let state = api.states.load(thing, &id.path).await?;
        let who = Acknowledgement { by: grant.caller.sub.clone(), at: now };
        let state = match acknowledge(&state, id.opened_at, who) {
            Reaction::NotOpen => return Err(api.not_open(thing, &id, now).await?),
            Reaction::Known => state,
            Reaction::Save(next) => match api.states.save(&next).await {
                Ok(()) => *next,
                Err(StoreError::Conflict) => continue,
                Err(error) => return Err(error.into()),
            },
        };
        let episode = state.episode.ok_or(StoreError::Conflict)?;
        return Ok(Json(OpenView::of(&state.path, episode)));
    }
    Err(StoreError::Conflict.into())
}

/// Tells nobody of anything about the thing for a while, be it of this episode, which must be open, or of new ones. States
/// and history go on. Again, within a minute, it changes nothing; otherwise the newest word counts, longer or shorter.
#[utoipa::path(post, path = "/v1/things/{thing}/alerts/{episode}/snooze", tag = "soil-alerts",
    params(ThingPath, EpisodePath), request_body = SnoozeBody,
    responses((status = 200, description = "The snooze.", body = Snoozed), Problem))]
pub(super) async fn snooze_thing(
    State(api): State<Api>,
    Controller(grant): Controller,
    Segments(path): Segments<EpisodePath>,
    Params(NoParams {}): Params<NoParams>,
    Call { now, .. }: Call,
    Body(SnoozeBody { seconds }): Body<SnoozeBody>,
) -> Result<Json<Snoozed>, Problem> {
    if !(1..=MAX_SNOOZE_SECONDS).contains(&seconds) {
        let detail = format!("`seconds` is out of range, expected 1 to {MAX_SNOOZE_SECONDS} (7 days)");
        return Err(Problem::bad_request("invalid-snooze", detail));
    }
    let (thing, id) = (grant.thing(), path.named(&grant)?);
    let wanted = Snooze { until: now.plus_millis(i64::from(seconds) * 1000), by: grant.caller.sub.clone(), at: now };
    for attempt in 0..MOST_TRIES {
        tokio::time::sleep(PAUSE * attempt).await;
        let states = api.states.of_thing(thing).await?;
        let Some(changes) = changes(&states, &id, &wanted) else { return Err(api.not_open(thing, &id, now).await?) };
        match api.states.save_all(&changes).await {
            Ok(()) => return snoozed(thing, &id, states, changes).map(Json),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// The next versions of those of a thing's states that `wanted` changes, the episode's own first; `None` if that episode is
/// not open.
fn changes(states: &[Known], id: &EpisodeId, wanted: &Snooze) -> Option<Vec<Known>> {
    let (own, others): (Vec<_>, Vec<_>) = states.iter().partition(|state| state.path == id.path);
    let own = snooze_episode(own.first()?, id.opened_at, wanted);
    if own == Reaction::NotOpen {
        return None;
    }
    let reactions = std::iter::once(own).chain(others.into_iter().map(|state| snooze(state, wanted)));
    let changed = reactions.filter_map(|reaction| match reaction {
        Reaction::Save(next) => Some(*next),
        Reaction::Known | Reaction::NotOpen => None,
    });
    Some(changed.collect())
}

fn snoozed(thing: &ThingName, id: &EpisodeId, states: Vec<Known>, changes: Vec<Known>) -> Result<Snoozed, Problem> {
    let paths = states.iter().map(|state| state.path.clone()).collect();
    let mut all = changes.into_iter().chain(states);
    let own = all.find(|state| state.path == id.path).and_then(|state| state.snooze);
    Ok(Snoozed { thing: thing.to_string(), snooze: own.ok_or(StoreError::Conflict)?.into(), paths })
}

impl EpisodePath {
    /// The episode that is meant; 404 for what can be none, and for one of an earlier owner's time.
    fn named(&self, grant: &Grant) -> Result<EpisodeId, Problem> {
        let id = EpisodeId::parse(&self.episode).filter(|id| is_theirs(grant, id.opened_at));
        id.ok_or_else(no_such_episode)
    }
}

impl Api {
    /// Why an episode is not open: it is over, or never was.
    async fn not_open(&self, thing: &ThingName, id: &EpisodeId, now: Timestamp) -> Result<Problem, StoreError> {
        if self.states.has_past(thing, id, now).await? {
            return Ok(Problem::conflict("episode-closed", "the episode is over; there is nothing to do about it"));
        }
        Ok(no_such_episode())
    }
}

fn no_such_episode() -> Problem {
    Problem::not_found("no-such-episode", "the thing has no such episode, or none that is still remembered")
}
