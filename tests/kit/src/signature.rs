use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_sqs::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::{Stack, now};

/// The service that requests to an HTTP API are signed for.
const SERVICE: &str = "execute-api";

/// Whose key signs a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer<'a> {
    /// Who may everything.
    Admin,
    /// The administrator's key id, with another secret.
    Impostor,
    /// The role of the function with this logical id.
    Role(&'a str),
}

/// The headers that sign a `GET` of `path` (with its query) with SigV4.
///
/// # Panics
/// When the path cannot be signed.
#[must_use]
pub fn signature(stack: &Stack, signer: Signer<'_>, host: &str, path: &str) -> Vec<(String, String)> {
    let (id, secret, token) = stack.key(signer);
    let identity = Identity::from(Credentials::new(id, secret, token, None, "stack.json"));
    let time = UNIX_EPOCH + Duration::from_millis(now().as_millis().unsigned_abs());
    let parameters = v4::SigningParams::builder().identity(&identity).region(&stack.region).name(SERVICE).time(time);
    let parameters = parameters.settings(SigningSettings::default()).build().expect("all parameters are given").into();
    let url = format!("http://{host}{path}");
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[])).expect("a request");
    let (instructions, _) = sign(request, &parameters).expect("it can be signed").into_parts();
    instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
