//! `alert-rules`: what counts as dry, by scope.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_domain::Timestamp;
use loam_http::{
    Body, Call, ETag, IfMatch, Mistake, NoParams, Operator, Page, PageParams, Params, Problem, Scope as Asked,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::ruled::{Ruled, ScopePath};
use crate::smart::{InvalidRule, InvalidRules, RuleDocument, RuleSpec, Scope, StoreError, StoredRules};

/// How often rules are written while others are faster.
const MOST_TRIES: usize = 3;

/// The rules of a scope, and who put them.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertRules {
    /// Whose they are.
    scope: String,
    /// One a path.
    rules: Vec<RuleSpec>,
    /// Only of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    priority: Option<u16>,
    /// From 1, one more with each change; the `ETag`. 0 for rules that were not put by a request.
    version: u64,
    /// The person who put them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    updated_by: Option<String>,
    /// When, in milliseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, required = false)]
    updated_at: Option<Timestamp>,
}

impl From<StoredRules> for AlertRules {
    fn from(stored: StoredRules) -> Self {
        let StoredRules { scope, document, version, updated_by, updated_at } = stored;
        let priority = matches!(scope, Scope::Group(_)).then(|| document.priority.unwrap_or_default());
        Self { scope: scope.to_string(), rules: document.rules, priority, version, updated_by, updated_at }
    }
}

/// All scopes that have rules, in the order of their texts. Rules that were put a moment ago may be missing.
#[utoipa::path(get, path = "/v1/alert-rules", tag = "soil-alerts", params(PageParams),
    responses((status = 200, body = Page<AlertRules>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Operator(_): Operator,
    Params(page): Params<PageParams>,
    asked: Asked,
) -> Result<Json<Page<AlertRules>>, Problem> {
    let after: Option<String> = api.cursors.read(&asked, page.cursor.as_deref()).await?;
    let found = api.rules.all(after.as_deref(), page.limit.get()).await?;
    let cursor = match &found.next {
        Some(next) => Some(api.cursors.write(&asked, next).await?),
        None => None,
    };
    Ok(Json(Page { items: found.rows.into_iter().map(AlertRules::from).collect(), cursor }))
}

/// The rules of one scope. A thing's own are for its members, all others for operators.
#[utoipa::path(get, path = "/v1/alert-rules/{scope}", tag = "soil-alerts", params(ScopePath),
    responses((status = 200, body = AlertRules), Problem))]
pub(super) async fn get(
    State(api): State<Api>,
    Ruled { scope, .. }: Ruled,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(ETag, Json<AlertRules>), Problem> {
    let stored = api.rules.get(&scope).await?.ok_or_else(no_such_rule)?;
    Ok((ETag::of(stored.version), Json(stored.into())))
}

/// Puts the rules of one scope; they hold for readings that come a second later. With `If-Match` only over the version that
/// it names. A thing's own are for its controllers, all others for operators. A group must not be a saved filter.
#[utoipa::path(put, path = "/v1/alert-rules/{scope}", tag = "soil-alerts", params(ScopePath,
        ("If-Match" = Option<String>, Header, description = "The version that was seen, as its ETag: \"7\".")),
    request_body = RuleDocument,
    responses((status = 200, body = AlertRules), (status = 201, body = AlertRules), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Ruled { scope, caller }: Ruled,
    Params(NoParams {}): Params<NoParams>,
    call: Call,
    if_match: IfMatch,
    Body(document): Body<RuleDocument>,
) -> Result<(StatusCode, ETag, Json<AlertRules>), Problem> {
    let document = document.checked_for(&scope).map_err(invalid)?;
    if let Scope::Group(name) = &scope
        && api.groups.is_dynamic(name).await?
    {
        let detail =
            "a group by a filter carries no rules: who is in it may change with each reading; use a static group";
        return Err(Problem::conflict("group-is-dynamic", detail));
    }
    for _ in 0..MOST_TRIES {
        let before = api.rules.head(&scope).await?;
        if_match.check(before.version)?;
        match api.rules.put(&scope, &document, before, (&caller.sub, call.now)).await {
            Ok(stored) => {
                let status = if before.version.is_none() { StatusCode::CREATED } else { StatusCode::OK };
                return Ok((status, ETag::of(stored.version), Json(stored.into())));
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Deletes the rules of one scope: from then on the next wider one's hold. Whose they are is as in PUT.
#[utoipa::path(delete, path = "/v1/alert-rules/{scope}", tag = "soil-alerts", params(ScopePath,
        ("If-Match" = Option<String>, Header, description = "The version that was seen, as its ETag: \"7\".")),
    responses((status = 204, description = "There are none any more."), Problem))]
pub(super) async fn delete(
    State(api): State<Api>,
    Ruled { scope, .. }: Ruled,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    for _ in 0..MOST_TRIES {
        let before = api.rules.head(&scope).await?;
        if_match.check(before.version)?;
        if before.version.is_none() {
            return Err(no_such_rule());
        }
        match api.rules.delete(&scope, before).await {
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

fn invalid(InvalidRules(mistakes): InvalidRules) -> Problem {
    let mistakes = mistakes.into_iter().map(|(pointer, expected)| Mistake::at(pointer, format!("expected {expected}")));
    Problem::bad_request(InvalidRule::CODE, "the rules are not as expected").with_mistakes(mistakes)
}

fn no_such_rule() -> Problem {
    Problem::not_found("no-such-alert-rule", "nobody wrote rules for this scope")
}
