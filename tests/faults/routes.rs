//! A capability's routes in this process, as those who send a request once more use them.

use axum::Router;
use loam_domain::Timestamp;
use loam_kit::{api_event, ask_at, with_headers};
use serde_json::Value;

/// Routes behind one endpoint.
pub(crate) struct Routes(Router);

impl Routes {
    pub(crate) const fn new(router: Router) -> Self {
        Self(router)
    }

    /// The body of a good answer to somebody in these groups; the problem otherwise. Each moment is a run of its own.
    pub(crate) async fn send(
        &self,
        (sub, groups): (&str, &[&str]),
        (method, path): (&str, &str),
        body: Option<&Value>,
        headers: &[(&str, &str)],
        at: Timestamp,
    ) -> Result<Value, String> {
        let event = api_event(&format!("{method} /v1/test"), path, sub, groups, body);
        let event = with_headers(event, headers);
        ask_at(self.0.clone(), event, &at.as_millis().to_string(), at).await.succeeded()
    }
}
