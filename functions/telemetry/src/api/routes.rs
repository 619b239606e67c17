use axum::Json;
use axum::extract::State;
use loam_access::Viewer;
use loam_http::{Call, Page, PageParams, Params, Problem, Scope, ThingPath};
use serde::{Deserialize, Serialize};

use super::Api;
use super::answers::{Item, Latest, Series};
use super::query::{Order, SeriesParams};
use crate::range::{Resolution, Span};
use crate::{Found, Place, Window};

/// Where the next page of a series begins. Its time goes with it: "up to now" is the same on all pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    span: Span,
    after: Place,
}

/// The latest value of each series of a thing, by the series' name; for a member those that were measured since their own
/// time with it began.
#[utoipa::path(get, path = "/v1/things/{thing}/telemetry/latest", tag = "telemetry", params(ThingPath, PageParams),
    responses((status = 200, description = "The values.", body = Page<Latest>), Problem))]
pub(super) async fn latest(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(page): Params<PageParams>,
    scope: Scope,
) -> Result<Json<Page<Latest>>, Problem> {
    let after: Option<Place> = api.cursors.read(&scope, page.cursor.as_deref()).await?;
    let found = api.reader.latest(grant.thing(), after.as_ref(), page.limit.get(), grant.since()).await?;
    let cursor = match &found.next {
        Some(place) => Some(api.cursors.write(&scope, place).await?),
        None => None,
    };
    Ok(Json(Page { items: found.items.into_iter().map(Latest::from).collect(), cursor }))
}

/// One series of a thing: every number, or summaries of hours or days (UTC), each whole; for a member of what was measured
/// since their own time with the thing began. A series that nobody knows is empty.
#[utoipa::path(get, path = "/v1/things/{thing}/telemetry", tag = "telemetry", params(ThingPath, SeriesParams),
    responses((status = 200, description = "A page of the series.", body = Series), Problem))]
pub(super) async fn series(
    State(api): State<Api>,
    Viewer(grant): Viewer,
    Params(params): Params<SeriesParams>,
    scope: Scope,
    Call { now, .. }: Call,
) -> Result<Json<Series>, Problem> {
    let (metric, asked) = (params.metric()?, params.span(now)?);
    let position: Option<Position> = api.cursors.read(&scope, params.cursor.as_deref()).await?;
    let (asked, after) = position.map_or((asked, None), |position| (position.span, Some(position.after)));
    let window = Window {
        span: params.resolution.rows_of(asked, grant.since()),
        descending: params.order == Order::Desc,
        limit: params.limit.get(),
        after,
    };
    let (reader, thing) = (&api.reader, grant.thing());
    let (items, next) = match params.resolution {
        Resolution::Raw => shown(reader.samples(thing, &metric, &window, now).await?),
        Resolution::Hour => shown(reader.hours(thing, &metric, &window, now).await?),
        Resolution::Day => shown(reader.days(thing, &metric, &window, now).await?),
    };
    let cursor = match next {
        Some(after) => Some(api.cursors.write(&scope, &Position { span: asked, after }).await?),
        None => None,
    };
    Ok(Json(Series { items, cursor, ..Series::of(&metric, params.resolution, asked) }))
}

fn shown<T>(found: Found<T>) -> (Vec<Item>, Option<Place>)
where
    Item: From<T>,
{
    (found.items.into_iter().map(Item::from).collect(), found.next)
}
