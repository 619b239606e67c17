use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use loam_domain::Timestamp;

use crate::Problem;

/// One request, as the edge took it in: its time and until when it may run. An extractor; 500 outside of [`crate::serve`]
/// and [`crate::answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Lambda's id of the request, unique to this run.
    pub request_id: String,
    /// When the request began; the only clock of a route.
    pub now: Timestamp,
    /// When Lambda ends this run, whatever it does. May lie before `now`.
    pub deadline: Timestamp,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}
