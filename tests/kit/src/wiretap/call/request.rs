//! The parts of an HTTP request that every protocol's reader needs.

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

/// A request's parts, borrowed.
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
}

impl<'a> Request<'a> {
    /// A header's text, `None` when absent or not readable as text.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The path's segments, percent-decoded; empty segments stay, because S3 keys may hold them.
    pub(super) fn segments(&self) -> Vec<String> {
        let path = self.uri.path();
        path.strip_prefix('/').unwrap_or(path).split('/').map(decoded).collect()
    }

    /// The value of a query parameter, empty for one without a value.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Path and query without what a presigned URL carries.
    pub(super) fn safe_path(&self) -> String {
        match self.uri.query() {
            Some(query) if !query.contains("X-Amz-Signature") => format!("{}?{query}", self.uri.path()),
            Some(_) | None => self.uri.path().to_owned(),
        }
    }

    /// The SDK's application id: `app/<name>` in either of the user agents that SDKs send.
    pub(super) fn application(&self) -> Option<String> {
        ["x-amz-user-agent", "user-agent"]
            .into_iter()
            .filter_map(|name| self.header(name))
            .flat_map(str::split_whitespace)
            .find_map(|part| part.strip_prefix("app/"))
            .map(str::to_owned)
    }
}

/// What a signature says: `Credential=<access key>/<date>/<region>/<service>/aws4_request`, in the `Authorization`
/// header or, for a presigned URL, in `X-Amz-Credential`.
#[derive(Default)]
pub(super) struct Scope {
    pub(super) access_key: Option<String>,
    pub(super) service: String,
}

impl Scope {
    pub(super) fn read(request: &Request<'_>) -> Self {
        let header = request.header("authorization").and_then(|value| value.split_once("Credential="));
        let credential = match header {
            Some((_, rest)) => rest.split(',').next().map(str::to_owned),
            None => request.query("X-Amz-Credential"),
        };
        credential.map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Access keys hold no slash, so the parts are counted from the front.
    fn parse(credential: &str) -> Self {
        let mut parts = credential.split('/');
        let access_key = parts.next().map(str::to_owned);
        Self { access_key, service: parts.nth(2).unwrap_or_default().to_owned() }
    }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
