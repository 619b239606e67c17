//! `GET things/{thing}/alerts`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use loam_access::{Grant, Viewer};
use loam_domain::Timestamp;
use loam_http::{Call, Page, PageParams, Params, Problem, Scope, ThingPath};

use super::Api;
use super::views::{Alerts, PastView, PathView};
use crate::smart::{Nearest, PastPosition, State as Known, Status};

/// How a thing is: under each path its status, its open episode and the rule that holds, with the scope whose it is; and its
/// past episodes, the newest first, of which `limit` and `cursor` are. A member sees what began in their own time.
#[utoipa::path(get, path = "/v1/things/{thing}/alerts", tag = "soil-alerts", params(ThingPath, PageParams),
    responses((status = 200, body = Alerts), Problem))]
pub(super) async fn alerts(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(page): Params<PageParams>,
    scope: Scope,
    Call { now, .. }: Call,
) -> Result<Json<Alerts>, Problem> {
    let after: Option<PastPosition> = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let thing = grant.thing();
    let (nearest, states, past) = tokio::try_join!(
        api.nearest.all(thing, api.threshold),
        api.states.of_thing(thing),
        api.states.past(thing, grant.since(), (after.as_ref(), page.limit.get()), now),
    )?;
    let cursor = match &past.next {
        Some(next) => Some(api.cursors.write(&scope, next).await?),
        None => None,
    };
    let episodes = Page { items: past.episodes.into_iter().map(PastView::from).collect(), cursor };
    Ok(Json(Alerts { episodes, ..shown(&grant, states, nearest, now) }))
}

/// The present, without the past.
fn shown(grant: &Grant, states: Vec<Known>, nearest: Vec<Nearest>, now: Timestamp) -> Alerts {
    let mut by_path: BTreeMap<String, (Option<Known>, Option<Nearest>)> = BTreeMap::new();
    let mut status = Status::Ok;
    for state in states {
        status = worse(status, state.status());
        let path = state.path.clone();
        by_path.entry(path).or_default().0 = Some(state);
    }
    for rule in nearest {
        let path = rule.rule.path().to_owned();
        by_path.entry(path).or_default().1 = Some(rule);
    }
    let paths: Vec<_> = by_path.into_values().map(|(state, rule)| PathView::of(state, rule, grant, now)).collect();
    Alerts {
        thing: grant.thing().to_string(),
        status: status.as_str(),
        snoozed_until: paths.iter().filter_map(|path| path.snooze.as_ref()).map(|snooze| snooze.until).max(),
        paths,
        episodes: Page { items: vec![], cursor: None },
    }
}

const fn worse(one: Status, other: Status) -> Status {
    match (one, other) {
        (Status::Alarm, _) | (_, Status::Alarm) => Status::Alarm,
        (Status::NoData, _) | (_, Status::NoData) => Status::NoData,
        (Status::Ok, Status::Ok) => Status::Ok,
    }
}
