use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use loam_access::Role;
use loam_http::{Caller, Operator, Problem, Segments};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use crate::smart::Scope;

/// The scope of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ScopePath {
    /// `thing:{name}`, `group:{name}`, `type:{name}` or `default`. Each character may stand in a path as it is; one that is
    /// percent-encoded is the same.
    #[param(pattern = "^(default|(thing|group|type):[A-Za-z0-9:_-]{1,128})$", max_length = 134)]
    scope: String,
}

/// A scope of which the caller may see the rules or, with any method but GET, change them: of a thing its members (to change
/// them its controllers), of all others operators.
///
/// 404 `no-such-thing` for a thing that the caller may not know of, 403 `role-too-low`, 403 `operators-only`, and for
/// operators 400 `invalid-scope`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ruled {
    pub(super) scope: Scope,
    pub(super) caller: Caller,
}

impl FromRequestParts<Api> for Ruled {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let Segments(ScopePath { scope }) = Segments::from_request_parts(parts, api).await?;
        let scope = Scope::parse(&scope);
        if let Ok(Scope::Thing(thing)) = &scope {
            let role = if parts.method == Method::GET { Role::Viewer } else { Role::Controller };
            api.access.grant(&caller, thing, role).await?;
        } else {
            Operator::from_request_parts(parts, api).await?;
        }
        let scope = scope.map_err(|error| Problem::bad_request("invalid-scope", error.to_string()))?;
        Ok(Self { scope, caller })
    }
}
