use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use loam_http::{Caller, Problem, ThingPath};

use crate::{Access, Grant, Role};

/// The route is for who sees the thing of its path.
///
/// An extractor, like the two others: 401 without a caller, 400 for a name that no thing can have, 404 `no-such-thing` for
/// whoever may not know of the thing, 403 `role-too-low` for a member with a lower role.
#[derive(Debug, Clone, PartialEq)]
pub struct Viewer(pub Grant);

/// The route is for who controls the thing of its path.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller(pub Grant);

/// The route is for who owns the thing of its path.
#[derive(Debug, Clone, PartialEq)]
pub struct Owner(pub Grant);

async fn granted<S: Send + Sync>(parts: &mut Parts, state: &S, role: Role) -> Result<Grant, Problem>
where
    Access: FromRef<S>,
{
    let caller = Caller::from_request_parts(parts, state).await?;
    let ThingPath(thing) = ThingPath::from_request_parts(parts, state).await?;
    Access::from_ref(state).grant(&caller, &thing, role).await
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer
where
    Access: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        granted(parts, state, Role::Viewer).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Controller
where
    Access: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        granted(parts, state, Role::Controller).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Owner
where
    Access: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        granted(parts, state, Role::Owner).await.map(Self)
    }
}
