//! What answers look like.

use loam_access::Grant;
use loam_domain::Timestamp;
use loam_http::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::smart::{
    Acknowledgement, Direction, Ending, Episode, EpisodeId, Nearest, PastEpisode, RuleSpec, Snooze, State, Status,
};

/// What is remembered of a thing, and what was.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alerts {
    /// The thing's name.
    pub(super) thing: String,
    /// The worst of its paths: `alarm` before `no-data` before `ok`.
    #[schema(value_type = String)]
    pub(super) status: &'static str,
    /// The latest end of its snoozes, in milliseconds since the epoch; absent where none holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    pub(super) snoozed_until: Option<Timestamp>,
    /// Each path for which there is a rule or a reading, by name.
    pub(super) paths: Vec<PathView>,
    /// Episodes that are over, the newest first.
    pub(super) episodes: Page<PastView>,
}

/// What is remembered of a thing under one path.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AlertPath)]
pub(super) struct PathView {
    /// The path.
    pub(super) path: String,
    /// `ok`, `alarm` or `no-data`.
    #[schema(value_type = String)]
    pub(super) status: &'static str,
    /// When the newest reading that counted arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    last_seen: Option<Timestamp>,
    /// Since when readings stay away, as people were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    silent_since: Option<Timestamp>,
    /// The open episode.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    episode: Option<OpenView>,
    /// Nobody is told of anything before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub(super) snooze: Option<SnoozeView>,
    /// The rule that holds; absent if there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    rule: Option<RuleSpec>,
    /// Whose rule it is; `built-in` where nobody wrote one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    scope: Option<String>,
}

/// An open episode. Times are milliseconds since the epoch.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpenEpisode)]
pub(super) struct OpenView {
    /// Its name within the thing: `{path}:{openedAt}`.
    id: String,
    /// Device time of the reading that opened it.
    #[schema(value_type = i64)]
    opened_at: Timestamp,
    /// The value that opened it.
    opening: f64,
    /// The worst value up to now.
    worst: f64,
    /// When people were last told of it; absent while it is silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    told_at: Option<Timestamp>,
    /// How many reminders were sent.
    reminders: u32,
    /// Who takes care of it: no more reminders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    acknowledged: Option<AcknowledgedView>,
}

/// Who takes care of an episode.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Acknowledged)]
pub(super) struct AcknowledgedView {
    /// The person's id in the user pool.
    by: String,
    /// When they said so, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    at: Timestamp,
}

/// A snooze.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AlertSnooze)]
pub(super) struct SnoozeView {
    /// The first moment at which people are told again, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    pub(super) until: Timestamp,
    /// The person's id in the user pool.
    by: String,
    /// When they said so.
    #[schema(value_type = i64)]
    at: Timestamp,
}

/// An episode that is over. Times are milliseconds since the epoch, and the device's own.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PastEpisode)]
pub(super) struct PastView {
    /// Its name within the thing.
    id: String,
    /// The path.
    path: String,
    /// When it began.
    #[schema(value_type = i64)]
    opened_at: Timestamp,
    /// When it ended.
    #[schema(value_type = i64)]
    closed_at: Timestamp,
    /// How it ended.
    ending: Ending,
    /// The value that opened it.
    opening: f64,
    /// The worst value.
    worst: f64,
    /// The value that ended it.
    closing: f64,
    /// The threshold at its end.
    threshold: f64,
    /// On which side of it values breached.
    direction: Direction,
    /// When people were last told that it lasts; absent if they never were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    told_at: Option<Timestamp>,
    /// How many reminders were sent.
    reminders: u32,
    /// Who took care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    acknowledged: Option<AcknowledgedView>,
}

impl From<Acknowledgement> for AcknowledgedView {
    fn from(Acknowledgement { by, at }: Acknowledgement) -> Self {
        Self { by, at }
    }
}

impl From<Snooze> for SnoozeView {
    fn from(Snooze { until, by, at }: Snooze) -> Self {
        Self { until, by, at }
    }
}

impl OpenView {
    pub(super) fn of(path: &str, episode: Episode) -> Self {
        let opened_at = episode.opened_at();
        let Episode { opening, worst, told_at, reminders, acknowledged } = episode;
        let id = EpisodeId { path: path.to_owned(), opened_at }.to_string();
        let (opening, worst, acknowledged) = (opening.value(), worst.value(), acknowledged.map(AcknowledgedView::from));
        Self { id, opened_at, opening, worst, told_at, reminders, acknowledged }
    }
}

impl From<PastEpisode> for PastView {
    fn from(past: PastEpisode) -> Self {
        Self {
            id: past.id().to_string(),
            opened_at: past.opening.at(),
            closed_at: past.closing.at(),
            ending: past.ending,
            opening: past.opening.value(),
            worst: past.worst.value(),
            closing: past.closing.value(),
            threshold: past.threshold,
            direction: past.direction,
            told_at: past.told_at,
            reminders: past.reminders,
            acknowledged: past.acknowledged.map(AcknowledgedView::from),
            path: past.path,
        }
    }
}

/// Whether something of this time is the caller's to see: what is older belongs to an earlier owner.
pub(super) fn is_theirs(grant: &Grant, at: Timestamp) -> bool {
    grant.since().is_none_or(|since| since <= at)
}

impl PathView {
    /// What `grant` lets see of a state and of the rule that holds for its path; at least one of them.
    pub(super) fn of(state: Option<State>, nearest: Option<Nearest>, grant: &Grant, now: Timestamp) -> Self {
        let theirs = |at: &Timestamp| is_theirs(grant, *at);
        let path = state.as_ref().map(|state| state.path.clone());
        let path = path.or_else(|| nearest.as_ref().map(|nearest| nearest.rule.path().to_owned())).unwrap_or_default();
        let (rule, scope) = nearest
            .map(|nearest| {
                let scope = nearest.scope.map_or_else(|| "built-in".to_owned(), |scope| scope.to_string());
                (nearest.rule.into_spec(), scope)
            })
            .unzip();
        let Some(state) = state else {
            return Self { path, status: Status::Ok.as_str(), rule, scope, ..Self::default() };
        };
        Self {
            status: state.status().as_str(),
            last_seen: state.last_seen.filter(theirs),
            silent_since: state.silent_since.filter(theirs),
            snooze: state.snooze.filter(|snooze| snooze.holds(now) && theirs(&snooze.at)).map(SnoozeView::from),
            episode: state
                .episode
                .filter(|episode| theirs(&episode.opened_at()))
                .map(|episode| OpenView::of(&path, episode)),
            path,
            rule,
            scope,
        }
    }
}
