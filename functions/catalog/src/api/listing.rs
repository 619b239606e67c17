//! Lists of things: a member's own, and the fleet.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use loam_access::Membership;
use loam_domain::ThingName;
use loam_http::{Caller, Params, Problem, Scope};
use loam_things::twins::{Seen, Span, Twin};
use serde_json::Value;

use super::Api;
use super::answers::{Things, seen};
use super::query::{Asked, ListParams, unsupported_sort};
use crate::list::page;
use crate::order::Place;

/// Lists things: for operators the fleet, for everybody else the things of which they are a member (the first 1,000 by
/// name). Pages that follow each other neither skip nor repeat a thing that did not change meanwhile.
#[utoipa::path(get, path = "/v1/things", params(ListParams),
    responses((status = 200, description = "The things, and what reading took.", body = Things), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(params): Params<ListParams>,
    scope: Scope,
) -> Result<Json<Things>, Problem> {
    let asked = params.read()?;
    let answer = if caller.is_operator() {
        api.fleet(&asked, &params, &scope).await?
    } else {
        api.own(&caller.sub, &asked, &params, &scope).await?
    };
    Ok(Json(answer))
}

impl Api {
    /// The fleet, by name: every page reads all of it.
    async fn fleet(&self, asked: &Asked, params: &ListParams, scope: &Scope) -> Result<Things, Problem> {
        let descending = asked.order.name_only().ok_or_else(unsupported_sort)?;
        let after: Option<ThingName> = self.cursors.read(scope, params.cursor.as_deref()).await?;
        let span = Span { after, descending, limit: params.limit.get().into(), count: params.count };
        let selection = self.twins.scan(|seen| asked.wanted.holds(seen), &span).await?;
        let items = asked.shown(&selection.found);
        let cursor = match last_of(&items, &selection.found, selection.more) {
            Some(last) => Some(self.cursors.write(scope, &last.twin.thing).await?),
            None => None,
        };
        Ok(Things { items, cursor, count: selection.matched, read: selection.read.into() })
    }

    /// A person's own things: one query for the memberships, one batch for each hundred of them.
    async fn own(&self, user: &str, asked: &Asked, params: &ListParams, scope: &Scope) -> Result<Things, Problem> {
        let after: Option<Place> = self.cursors.read(scope, params.cursor.as_deref()).await?;
        let memberships: BTreeMap<ThingName, Membership> = self
            .access
            .things_of(user)
            .await?
            .into_iter()
            .map(|membership| (membership.thing.clone(), membership))
            .collect();
        let names: Vec<ThingName> = memberships.keys().cloned().collect();
        let (twins, read) = self.twins.batch(&names).await?;
        let all = twins.into_iter().filter_map(|twin| own_of(twin, &memberships)).collect();
        let found = page(all, &asked.wanted, &asked.order, after.as_ref(), params.limit.get().into());
        let items = asked.shown(&found.things);
        let cursor = match last_of(&items, &found.things, found.more) {
            Some(last) => Some(self.cursors.write(scope, &asked.order.place(&last.twin.thing, &last.document)).await?),
            None => None,
        };
        Ok(Things { items, cursor, count: params.count.then_some(found.matched), read: read.into() })
    }
}

/// The last thing that is shown, if others follow it.
fn last_of<'f>(shown: &[Value], found: &'f [Seen], more: bool) -> Option<&'f Seen> {
    let follow = more || shown.len() < found.len();
    found.get(shown.len().checked_sub(1)?).filter(|_| follow)
}

/// A member's own thing; `None` where the membership is one of an earlier owner's time.
fn own_of(twin: Twin, memberships: &BTreeMap<ThingName, Membership>) -> Option<Seen> {
    let membership = memberships.get(&twin.thing).filter(|membership| membership.epoch >= twin.record.epoch)?;
    Some(seen(twin, Some(membership.role)))
}
