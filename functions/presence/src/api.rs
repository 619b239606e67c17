//! The HTTP routes.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Json;
use axum::extract::{FromRef, State};
use loam_access::{Access, Viewer};
use loam_domain::{Event, Timestamp};
use loam_http::{Call, Cursors, Page, PageParams, Params, Problem, Scope, ThingPath};
use loam_things::{ThingRecord, Things};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fact::Answer;
use crate::row::Row;
use crate::{ApiConfig, Keeper, PresenceFailure};

/// What the routes need; made once an environment.
#[derive(Debug, Clone)]
pub struct Api {
    access: Access,
    keeper: Keeper,
    cursors: Arc<Cursors>,
}

impl Api {
    /// The routes' clients.
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: ApiConfig) -> Self {
        let things = Things::new(sdk, config.truth.things_table.clone());
        Self {
            access: Access::new(sdk, config.memberships_table, things),
            keeper: Keeper::new(sdk, &config.truth),
            cursors: Arc::new(Cursors::new(sdk, config.http_table)),
        }
    }

    async fn known(&self, record: &ThingRecord) -> Result<Row, Problem> {
        self.keeper.row_of(record).await?.ok_or_else(Problem::no_such_thing)
    }

    /// What is known after AWS IoT was asked; where it does not say, what was known before.
    async fn looked_at(&self, record: &ThingRecord, now: Timestamp) -> Result<(Row, Live), Problem> {
        match self.keeper.look(record, now).await {
            Ok(Some((row, Answer::There(_)))) => Ok((row, Live::Connected)),
            Ok(Some((row, Answer::Gone(..)))) => Ok((row, Live::Disconnected)),
            Ok(None) => Err(Problem::no_such_thing()),
            Err(PresenceFailure::Unknown(_)) => Ok((self.known(record).await?, Live::Unknown)),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl FromRef<Api> for Access {
    fn from_ref(api: &Api) -> Self {
        api.access.clone()
    }
}

/// All routes, for the binary and for openapi.json.
#[must_use]
pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(presence)).routes(routes!(history))
}

/// What openapi.json says of the routes.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// Whether a thing is there, since when, and how it left the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Presence {
    /// The thing's name.
    thing: String,
    /// Whether it is connected, as far as is known.
    connected: bool,
    /// Since when it is so, in milliseconds since the epoch: AWS IoT's time, right to 2 minutes. Absent for a thing that
    /// never connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    since: Option<Timestamp>,
    /// When it was there for the last time, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    last_seen: Option<Timestamp>,
    /// AWS IoT's word for how its newest connection to end has ended, for example `MQTT_KEEP_ALIVE_TIMEOUT`; absent where
    /// none has, or AWS did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_disconnect_reason: Option<String>,
    /// Whether the thing itself ended that connection; absent where none has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    clean: Option<bool>,
    /// How many connections began in the last ten minutes; 32 stands for more, too.
    flap_count: usize,
    /// Whether it comes and goes: five or more of them.
    flapping: bool,
    /// The version number of its newest connection; absent where AWS IoT told of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    version_number: Option<i64>,
    /// The session of its newest connection, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_identifier: Option<String>,
    /// With which certificate it connected: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_identifier: Option<String>,
    /// What AWS IoT said when it was asked; only with `live=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Live>,
}

/// What AWS IoT says of a connection at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Live {
    /// The thing is connected.
    Connected,
    /// It is not.
    Disconnected,
    /// AWS IoT did not say, for example because it was asked too often: what is known stands.
    Unknown,
}

/// What is asked about a thing's presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PresenceParams {
    /// Asks AWS IoT, too, and repairs what is known. AWS IoT answers once a second for a thing, whoever asks: more often
    /// than that, `live` is `unknown` and what is known stays as it is.
    #[serde(default)]
    live: bool,
}

/// One change of a thing's presence.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
struct Change {
    /// The event's id.
    id: String,
    /// `presence.connected`, `presence.disconnected` or `presence.principal-changed`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it became known, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// What belongs to it: `since`, `versionNumber`, `sessionIdentifier`, `principal`, `reason`, `clean`, `flapping`.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

/// Whether a thing is there.
#[utoipa::path(get, path = "/v1/things/{thing}/presence", tag = "presence", params(ThingPath, PresenceParams),
    responses((status = 200, body = Presence), Problem))]
async fn presence(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(PresenceParams { live }): Params<PresenceParams>,
    Call { now, .. }: Call,
) -> Result<Json<Presence>, Problem> {
    let (row, live) = if live {
        let (row, live) = api.looked_at(&grant.record, now).await?;
        (row, Some(live))
    } else {
        (api.known(&grant.record).await?, None)
    };
    Ok(Json(shown(grant.thing().to_string(), &row, live, now)))
}

/// What became known of a thing's presence, the newest first; for a member since their own time with it began.
#[utoipa::path(get, path = "/v1/things/{thing}/presence/history", tag = "presence", params(ThingPath, PageParams),
    responses((status = 200, body = Page<Change>), Problem))]
async fn history(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(page): Params<PageParams>,
    scope: Scope,
    Call { now, .. }: Call,
) -> Result<Json<Page<Change>>, Problem> {
    let after = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let (store, limit) = (api.keeper.store(), page.limit.get());
    let found = store.history(grant.thing(), after.as_ref(), limit, grant.since(), now).await?;
    let cursor = match &found.next {
        Some(next) => Some(api.cursors.write(&scope, next).await?),
        None => None,
    };
    Ok(Json(Page { items: found.events.into_iter().map(change).collect(), cursor }))
}

fn change(event: Event) -> Change {
    Change { id: event.id, kind: event.kind.as_str(), at: event.at, data: event.data }
}

fn shown(thing: String, row: &Row, live: Option<Live>, now: Timestamp) -> Presence {
    let status = row.status.as_ref();
    // A thing that was only found, never told of, has no connection that AWS IoT named.
    let mark = status.map(|status| &status.mark).filter(|mark| mark.version_number >= 0);
    let seen = row.last_seen();
    Presence {
        thing,
        connected: row.is_connected(),
        since: status.map(|status| status.since),
        last_seen: (seen.as_millis() > 0).then_some(seen),
        last_disconnect_reason: row.last_end.as_ref().and_then(|end| end.how.reason.clone()),
        clean: row.last_end.as_ref().map(|end| end.how.clean),
        flap_count: row.flap_count(now),
        flapping: row.is_flapping(now),
        version_number: mark.map(|mark| mark.version_number),
        session_identifier: mark.map(|mark| mark.session.clone()),
        principal_identifier: status.and_then(|status| status.principal.clone()),
        live,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decide::{decide, decide_answer};
    use crate::fact::{Beginning, Fact};
    use crate::mark::{Mark, Stage};

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn json_of(row: &Row, live: Option<Live>) -> Value {
        serde_json::to_value(shown("t1".to_owned(), row, live, NOW)).unwrap()
    }

    #[test]
    fn a_thing_that_never_connected_is_not_there_and_nothing_else_is_said() {
        let expected = json!({"thing": "t1", "connected": false, "flapCount": 0, "flapping": false});
        assert_eq!(json_of(&Row::unseen(1), None), expected);
    }

    #[test]
    fn a_connected_thing_shows_its_connection() {
        let mark = Mark { at: NOW, version_number: 3, session: "s".to_owned(), stage: Stage::Began };
        let fact = Fact::Began(Beginning { mark, principal: Some("p".to_owned()) });
        let row = decide(&Row::unseen(1), &fact, NOW).next.unwrap();
        let expected = json!({"thing": "t1", "connected": true, "since": 1_800_000_000_000_i64,
            "lastSeen": 1_800_000_000_000_i64, "flapCount": 1, "flapping": false, "versionNumber": 3,
            "sessionIdentifier": "s", "principalIdentifier": "p", "live": "unknown"});
        assert_eq!(json_of(&row, Some(Live::Unknown)), expected);
    }

    #[test]
    fn a_thing_that_was_found_and_never_told_of_has_no_version_number() {
        let row = decide_answer(&Row::unseen(1), &Answer::There(None), NOW).next.unwrap();
        let shown = json_of(&row, Some(Live::Connected));
        assert_eq!((&shown["connected"], &shown["live"]), (&json!(true), &json!("connected")));
        assert!(shown.get("versionNumber").is_none() && shown.get("sessionIdentifier").is_none());
    }
}
