//! `ca-profiles`: what each CA may register.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use loam_domain::{CertificateId, Timestamp};
use loam_http::{
    Body, Call, ETag, IfMatch, Mistake, NoParams, Operator, Page, PageParams, Params, Problem, Scope, Segments,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use crate::profile::{Profile, ProfileDocument};
use crate::profiles::StoredProfile;
use crate::profiles_write::By;

/// How often a profile is written while others are faster.
const MOST_TRIES: usize = 3;

/// The CA of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(super) struct CaPath {
    /// AWS's id of the CA certificate: 64 lower-case hexadecimal digits.
    #[param(pattern = "^[0-9a-f]{64}$", min_length = 64, max_length = 64)]
    pub(super) ca_id: String,
}

impl CaPath {
    pub(super) fn parse(&self) -> Result<CertificateId, Problem> {
        let refused = |_| {
            let detail = "no id of a CA certificate, expected 64 lower-case hexadecimal digits";
            Problem::bad_request("invalid-ca-id", detail)
        };
        CertificateId::parse(&self.ca_id).map_err(refused)
    }
}

/// A profile, and who put it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaProfile {
    /// AWS's id of the CA certificate.
    #[schema(value_type = String)]
    ca_id: CertificateId,
    /// What it says.
    profile: ProfileDocument,
    /// From 1, one more with each change; the `ETag`.
    version: u64,
    /// The operator who put it.
    updated_by: String,
    /// When, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    updated_at: Timestamp,
}

impl CaProfile {
    fn of(ca_id: CertificateId, stored: StoredProfile) -> Self {
        let StoredProfile { profile, version, updated_by, updated_at } = stored;
        Self { ca_id, profile: profile.document().clone(), version, updated_by, updated_at }
    }
}

/// All CA profiles, in the order of their ids.
///
/// A profile that was put a moment ago may be missing.
#[utoipa::path(get, path = "/v1/ca-profiles", params(PageParams),
    responses((status = 200, body = Page<CaProfile>), Problem))]
pub(super) async fn list(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Params(page): Params<PageParams>,
    scope: Scope,
) -> Result<Json<Page<CaProfile>>, Problem> {
    let after = api.cursors.read::<CertificateId>(&scope, page.cursor.as_deref()).await?;
    let found = api.facts.profiles.all(after.as_ref(), page.limit.get().into()).await?;
    let cursor = match &found.next {
        Some(next) => Some(api.cursors.write(&scope, next).await?),
        None => None,
    };
    let items = found.rows.into_iter().map(|(ca_id, stored)| CaProfile::of(ca_id, stored)).collect();
    Ok(Json(Page { items, cursor }))
}

/// One CA profile.
#[utoipa::path(get, path = "/v1/ca-profiles/{caId}", params(CaPath),
    responses((status = 200, body = CaProfile, headers(("ETag" = String))), Problem))]
pub(super) async fn get(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Segments(path): Segments<CaPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<(ETag, Json<CaProfile>), Problem> {
    let ca_id = path.parse()?;
    let stored = api.facts.profiles.get(&ca_id).await?.ok_or_else(no_such_profile)?;
    Ok((ETag::of(stored.version), Json(CaProfile::of(ca_id, stored))))
}

/// Puts a CA profile: from now on its certificates are looked at.
///
/// With `If-Match` only over the version that it names. Types and groups must exist in the registry.
#[utoipa::path(put, path = "/v1/ca-profiles/{caId}", params(CaPath, IfMatch), request_body = ProfileDocument,
    responses((status = 200, body = CaProfile, headers(("ETag" = String))), (status = 201, body = CaProfile, headers(("ETag" = String, description = "Its version, for If-Match."))), Problem))]
pub(super) async fn put(
    State(api): State<Api>,
    Operator(caller): Operator,
    Segments(path): Segments<CaPath>,
    Params(NoParams {}): Params<NoParams>,
    call: Call,
    if_match: IfMatch,
    Body(document): Body<ProfileDocument>,
) -> Result<(StatusCode, ETag, Json<CaProfile>), Problem> {
    let ca_id = path.parse()?;
    let profile = Profile::check(document).map_err(invalid)?;
    for _ in 0..MOST_TRIES {
        let before = api.facts.profiles.get(&ca_id).await?.map(|stored| stored.version);
        if_match.check(before)?;
        let by = By { who: &caller.sub, at: call.now };
        if let Some(version) = api.facts.profiles.put(&ca_id, &profile, before, by).await? {
            let status = if before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
            let stored = StoredProfile { profile, version, updated_by: caller.sub, updated_at: call.now };
            return Ok((status, ETag::of(version), Json(CaProfile::of(ca_id, stored))));
        }
    }
    Err(contended())
}

/// Deletes a CA profile: its certificates are no longer looked at. Its things and its lists stay.
#[utoipa::path(delete, path = "/v1/ca-profiles/{caId}", params(CaPath, IfMatch), responses((status = 204), Problem))]
pub(super) async fn delete(
    State(api): State<Api>,
    Operator(_caller): Operator,
    Segments(path): Segments<CaPath>,
    Params(NoParams {}): Params<NoParams>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let ca_id = path.parse()?;
    for _ in 0..MOST_TRIES {
        let before = api.facts.profiles.get(&ca_id).await?.map(|stored| stored.version);
        if_match.check(before)?;
        let Some(version) = before else { return Err(no_such_profile()) };
        if api.facts.profiles.delete(&ca_id, version).await? {
            return Ok(StatusCode::NO_CONTENT);
        }
    }
    Err(contended())
}

fn invalid(mistakes: Vec<crate::profile::Mistake>) -> Problem {
    let mistakes = mistakes.into_iter().map(|mistake| Mistake::at(mistake.pointer, mistake.expected));
    Problem::bad_request("invalid-profile", "the profile breaks rules of the registry").with_mistakes(mistakes)
}

fn no_such_profile() -> Problem {
    Problem::not_found("no-such-profile", "this CA has no profile")
}

fn contended() -> Problem {
    Problem::conflict("contended", "others changed it at the same time; try again")
}
