//! Allow and deny lists of a CA.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_domain::CertificateId;
use loam_http::{Call, Limit, NoParams, Operator, Page, Params, Problem, Scope, Segments};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::profiles::CaPath;
use crate::lists::{Entry, Kind, List};
use crate::profiles_write::By;

/// Which list, and which page of it.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// `allow` or `deny`.
    list: List,
    /// How many entries a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// What the page before gave; absent for the first page.
    cursor: Option<String>,
}

/// An entry of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(super) struct EntryPath {
    /// AWS's id of the CA certificate: 64 lower-case hexadecimal digits.
    #[param(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    ca_id: String,
    /// `allow` or `deny`.
    list: List,
    /// `certificate`, `serial` or `name`.
    kind: Kind,
    /// A certificate's id; a serial number, the subject's or the certificate's own in lower-case hexadecimal digits; or a
    /// thing's name.
    #[param(pattern = "^[A-Za-z0-9 ._:-]{1,128}$", min_length = 1, max_length = 128)]
    value: String,
}

impl EntryPath {
    fn parse(&self) -> Result<(CertificateId, Entry), Problem> {
        let ca_id = CaPath { ca_id: self.ca_id.clone() }.parse()?;
        let entry = Entry::new(self.list, self.kind, &self.value);
        Ok((ca_id, entry.ok_or_else(|| Problem::bad_request("invalid-entry", self.kind.expected()))?))
    }
}

/// An entry of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct ListEntry {
    /// Which list.
    list: List,
    /// What it names.
    kind: Kind,
    /// Its value.
    value: String,
}

/// The entries of a CA's allow or deny list.
#[utoipa::path(get, path = "/v1/ca-profiles/{caId}/entries", params(CaPath, ListParams),
    responses((status = 200, body = Page<ListEntry>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Segments(path): Segments<CaPath>,
    Params(page): Params<ListParams>,
    scope: Scope,
) -> Result<Json<Page<ListEntry>>, Problem> {
    let ca_id = path.parse()?;
    let after = api.cursors.read::<String>(&scope, page.cursor.as_deref()).await?;
    let found = api.facts.profiles.entries(&ca_id, page.list, after.as_deref(), page.limit.get().into()).await?;
    let cursor = match &found.next {
        Some(next) => Some(api.cursors.write(&scope, next).await?),
        None => None,
    };
    let entry = |entry: Entry| ListEntry { list: entry.list, kind: entry.kind, value: entry.value().to_owned() };
    Ok(Json(Page { items: found.rows.into_iter().map(entry).collect(), cursor }))
}

/// Puts an entry on a list; again changes nothing. It holds for certificates that are decided from now on.
#[utoipa::path(put, path = "/v1/ca-profiles/{caId}/{list}/{kind}/{value}", params(EntryPath),
    responses((status = 204), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Operator(caller): Operator,
    Segments(path): Segments<EntryPath>,
    Params(NoParams {}): Params<NoParams>,
    call: Call,
) -> Result<StatusCode, Problem> {
    let (ca_id, entry) = path.parse()?;
    api.facts.profiles.put_entry(&ca_id, &entry, By { who: &caller.sub, at: call.now }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an entry off a list; again changes nothing.
#[utoipa::path(delete, path = "/v1/ca-profiles/{caId}/{list}/{kind}/{value}", params(EntryPath),
    responses((status = 204), Problem))]
pub(super) async fn delete(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Segments(path): Segments<EntryPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<StatusCode, Problem> {
    let (ca_id, entry) = path.parse()?;
    api.facts.profiles.delete_entry(&ca_id, &entry).await?;
    Ok(StatusCode::NO_CONTENT)
}
