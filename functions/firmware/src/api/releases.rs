use axum::Json;
use axum::extract::State as Shared;
use loam_domain::Timestamp;
use loam_http::{ETag, Limit, Operator, Page, Params, Problem, Scope};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::order::{IdPath, Order, Seen};
use super::{Api, told};
use crate::aws::releases::{Changed, Wanted};
use crate::release::{Intent, Release, State, Why, is_channel, next};

/// Which releases.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReleasesQuery {
    /// Only those of this channel.
    #[serde(default, deserialize_with = "channel")]
    #[param(pattern = "^[a-z0-9-]{1,32}$")]
    channel: Option<String>,
    /// Only `draft`, `published` or `deprecated` ones.
    #[param(value_type = Option<String>, pattern = "^(draft|published|deprecated)$")]
    state: Option<State>,
    /// How many items a page holds at most.
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 500, default = 50)]
    limit: Limit,
    /// What the page before gave; absent for the first page.
    cursor: Option<String>,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleaseView {
    /// Its id: 32 lower-case hexadecimal digits.
    release_id: String,
    /// From 1, one more with each change; the `ETag`.
    revision: u64,
    /// `draft`, `published` or `deprecated`.
    state: &'static str,
    /// The version of its firmware.
    version: String,
    /// What it runs on.
    hardware: Vec<String>,
    /// For whom it is.
    channel: String,
    /// For people.
    notes: String,
    /// The image's length in bytes.
    size: u64,
    /// The image's SHA-256, in hexadecimal digits.
    sha256: String,
    /// Whether the image is kept encrypted, and goes to devices so.
    sealed: bool,
    /// The oldest version from which it may be installed; absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_from: Option<String>,
    /// Never lower than that of what runs.
    security_counter: u32,
    /// The number of the manifest with which it was published; absent before.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    /// When it came in, in milliseconds since the epoch.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Who published it, and who deprecated it.
    by: Vec<String>,
}

fn channel<'de, D: Deserializer<'de>>(query: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(query)?;
    if is_channel(&text) { Ok(Some(text)) } else { Err(D::Error::custom("expected 1 to 32 characters of [a-z0-9-]")) }
}

impl From<Release> for ReleaseView {
    fn from(release: Release) -> Self {
        let Release { firmware, channel, notes, sealed, state, version, created_at, signed, by } = release;
        Self {
            release_id: firmware.release.to_string(),
            revision: version,
            state: state.as_str(),
            version: firmware.version.to_string(),
            hardware: firmware.hardware.iter().map(ToString::to_string).collect(),
            channel,
            notes,
            size: firmware.size,
            sha256: firmware.sha256.to_string(),
            sealed,
            minimum_from: firmware.minimum_from.map(|version| version.to_string()),
            security_counter: firmware.security_counter,
            sequence: signed,
            created_at,
            by,
        }
    }
}

/// Releases, newest first.
#[utoipa::path(get, path = "/v1/releases", tag = "firmware", params(ReleasesQuery),
    responses((status = 200, description = "The releases.", body = Page<ReleaseView>), Problem))]
pub(super) async fn list(
    Shared(api): Shared<Api>,
    Operator(_): Operator,
    Params(query): Params<ReleasesQuery>,
    scope: Scope,
) -> Result<Json<Page<ReleaseView>>, Problem> {
    let after: Option<String> = api.cursors.read(&scope, query.cursor.as_deref()).await?;
    let wanted = Wanted { channel: query.channel, state: query.state };
    let (found, last) = api.releases.page(&wanted, after.as_deref(), usize::from(query.limit.get())).await?;
    let cursor = match last {
        Some(last) => Some(api.cursors.write(&scope, &last).await?),
        None => None,
    };
    Ok(Json(Page { items: found.into_iter().map(ReleaseView::from).collect(), cursor }))
}

/// Publishes a draft: its manifest is made and signed, and from then on it can be rolled out. It never changes after that.
#[utoipa::path(post, path = "/v1/releases/{id}/publish", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The release, published.", body = ReleaseView, headers(("ETag" = String))),
        Seen, Problem))]
pub(super) async fn publish(Shared(api): Shared<Api>, order: Order) -> Result<(ETag, Json<ReleaseView>), Problem> {
    let before = api.release(&order.id).await?;
    order.check(before.version)?;
    if before.state != State::Draft {
        // Nothing is signed for what cannot be published.
        let why = if before.state == State::Published { Why::Already } else { Why::Deprecated };
        return unchanged(before, why);
    }
    let (signed, verified) = api.signing.sign(&before.firmware, false, order.now).await?;
    let after = match next(&before, &Intent::Publish(Box::new(verified)), &order.by) {
        Ok(after) => after,
        Err(why) => return unchanged(before, why),
    };
    let Some(event) = told::of_release(&after, &order.by, order.now) else { return Err(Problem::stale()) };
    done(api.releases.publish(&after, &signed, &event).await?, after)
}

/// Lets no new rollout of a release begin; those under way go on.
#[utoipa::path(post, path = "/v1/releases/{id}/deprecate", tag = "firmware", params(IdPath, Seen),
    responses((status = 200, description = "The release, deprecated.", body = ReleaseView, headers(("ETag" = String))),
        Seen, Problem))]
pub(super) async fn deprecate(Shared(api): Shared<Api>, order: Order) -> Result<(ETag, Json<ReleaseView>), Problem> {
    let before = api.release(&order.id).await?;
    order.check(before.version)?;
    let after = match next(&before, &Intent::Deprecate, &order.by) {
        Ok(after) => after,
        Err(why) => return unchanged(before, why),
    };
    let Some(event) = told::of_release(&after, &order.by, order.now) else { return Err(Problem::stale()) };
    done(api.releases.deprecate(&after, &event).await?, after)
}

fn done(changed: Changed, after: Release) -> Result<(ETag, Json<ReleaseView>), Problem> {
    match changed {
        Changed::Yes => Ok((ETag::of(after.version), Json(after.into()))),
        Changed::Stale => Err(Problem::stale()),
        Changed::VersionTaken => {
            let detail = "another release of this version is published for one of these kinds of hardware: \
                          upload it once more with another version";
            Err(Problem::conflict("version-taken", detail))
        }
    }
}

/// What is so already is answered as if it had just come to be so.
fn unchanged(release: Release, why: Why) -> Result<(ETag, Json<ReleaseView>), Problem> {
    let detail = match why {
        Why::Already => return Ok((ETag::of(release.version), Json(release.into()))),
        Why::Deprecated => "a deprecated release never comes back: upload it once more with another version",
        Why::NotPublished => "only a published release can be deprecated; nobody can roll out a draft anyway",
        Why::OtherManifest => "what was signed is not this release",
    };
    Err(Problem::conflict(why.as_str(), detail))
}
