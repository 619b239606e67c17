use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use loam_domain::Timestamp;
use loam_http::{Call, IfMatch, NoParams, Operator, PROBLEM_JSON, Params, Problem, Segments};
use loam_releases::names::Id;
use serde::Deserialize;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses};

use super::Api;

/// The release or rollout of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct IdPath {
    /// Its id.
    #[param(pattern = "^[0-9a-f]{32}$", min_length = 32, max_length = 32)]
    pub(super) id: String,
}

impl IdPath {
    /// The id; 400 `invalid-id`.
    pub(super) fn parse(&self) -> Result<Id, Problem> {
        Id::parse(&self.id).map_err(|no| Problem::bad_request("invalid-id", no.to_string()))
    }
}

/// For `params(...)` of a route that changes something: `If-Match` must be there. For `responses(...)`: what is answered
/// without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen;

impl IntoParams for Seen {
    fn into_params(within: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = IfMatch::into_params(within);
        all.iter_mut().for_each(|header| header.required = Required::True);
        all
    }
}

impl IntoResponses for Seen {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let unseen = ResponseBuilder::new().description("There is no If-Match: read it first, and send its ETag.");
        BTreeMap::from([("428".to_owned(), unseen.content(PROBLEM_JSON, content).build().into())])
    }
}

/// What an operator wants of one release or rollout, as it was when it was read: 403 for others, 428 without `If-Match`.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) id: Id,
    pub(super) by: String,
    pub(super) now: Timestamp,
    if_match: IfMatch,
}

impl Order {
    /// Whether what was seen is what is there; 412 if not.
    pub(super) fn check(&self, version: u64) -> Result<(), Problem> {
        self.if_match.check(Some(version))
    }
}

impl FromRequestParts<Api> for Order {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Operator(caller) = Operator::from_request_parts(parts, api).await?;
        let Segments(path) = Segments::<IdPath>::from_request_parts(parts, api).await?;
        let Params(NoParams {}) = Params::from_request_parts(parts, api).await?;
        let Call { now, .. } = Call::from_request_parts(parts, api).await?;
        let if_match = IfMatch::from_request_parts(parts, api).await?.required()?;
        Ok(Self { id: path.parse()?, by: caller.sub, now, if_match })
    }
}
