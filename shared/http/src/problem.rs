use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use loam_runtime::{Class, Failure, diagnostic};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// The media type of every error of ours. Source: RFC 9457, section 6.1.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a caller is told when a request is not answered as asked. Source: RFC 9457.
///
/// Everything in it is meant for the caller: it never holds what a service of AWS said, names of tables or code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    mistakes: Vec<Mistake>,
    retry_after: Option<u32>,
    cause: Option<Box<Cause>>,
}

/// A problem, as it is sent.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct Document<'a> {
    /// `urn:loam:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The code as words.
    title: String,
    /// The HTTP status, again.
    status: u16,
    /// What is wrong, what was expected, what to do.
    detail: &'a str,
    /// The stable word for programs, in kebab-case; of calls of devices in snake_case.
    code: &'a str,
    /// Each single mistake, where the request has some.
    #[serde(skip_serializing_if = "<[Mistake]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [Mistake],
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Document::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Document::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Document::schemas(schemas);
    }
}

/// One mistake in a request: where it is, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mistake {
    /// JSON pointer into the body (RFC 6901), for example `/groups/0`; the empty pointer is the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What was expected.
    pub detail: String,
    /// In a text of a language of Loam's own, such as a filter: how many bytes of UTF-8 stand before the mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub position: Option<usize>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub found: Option<String>,
    /// What can stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    pub expected: Option<&'static str>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    pub hint: Option<&'static str>,
    /// A text that has it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    pub example: Option<&'static str>,
}

impl Mistake {
    /// A mistake in the body, at a JSON pointer.
    #[must_use]
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..Self::of(detail) }
    }

    /// A mistake in a query parameter.
    #[must_use]
    pub fn of_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { parameter: Some(name.into()), ..Self::of(detail) }
    }

    fn of(detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: None,
            detail: detail.into(),
            position: None,
            found: None,
            expected: None,
            hint: None,
            example: None,
        }
    }
}

/// The failure behind a problem: logged once, at the edge, and never told to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) code: Cow<'static, str>,
    pub(crate) class: Class,
    pub(crate) chain: String,
}

/// The code of the problem that a response tells; for the edge's log line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldCode(pub(crate) &'static str);

impl Problem {
    /// A problem with its status, its stable code in kebab-case, and a sentence for the caller.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), mistakes: Vec::new(), retry_after: None, cause: None }
    }

    /// 400: the request can never succeed as it stands.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 403: the caller may know of it, but not do this.
    #[must_use]
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404: it does not exist, as far as the caller may know.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 404 `no-such-thing`: always the same bytes, whatever the reason, so that nobody learns which things exist.
    #[must_use]
    pub fn no_such_thing() -> Self {
        Self::not_found("no-such-thing", "there is no such thing")
    }

    /// 409: the request contradicts the present state.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412 `stale`: what `If-Match` names is no longer the current version.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "stale",
            "it was changed meanwhile; read it again and send its new ETag",
        )
    }

    /// The same problem with single mistakes.
    #[must_use]
    pub fn with_mistakes(mut self, mistakes: impl IntoIterator<Item = Mistake>) -> Self {
        self.mistakes.extend(mistakes);
        self
    }

    /// The same problem with a hint when to come again, in seconds (`Retry-After`).
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The single mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    pub(crate) fn caused(mut self, cause: Cause) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// 500 `internal`: the same for every mistake of ours.
    pub(crate) fn internal() -> Self {
        let detail = "a mistake of ours, which is logged; try again later";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503 with a hint when to come again.
    fn unavailable(code: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }

    /// 503 `deadline`: the time for one request was used up.
    pub(crate) fn deadline() -> Self {
        let detail =
            "the request took too long; it may be done or not: look, or send it again with the same Idempotency-Key";
        Self::unavailable("deadline", detail)
    }

    /// 404 `no-such-route`: the same for every path and method that is none of ours.
    pub(crate) fn no_such_route() -> Self {
        Self::not_found("no-such-route", "there is no such route; openapi.json lists all of them")
    }
}

/// What a failure tells a caller. Only `BadInput` speaks for itself: its code and its own sentence. What is missing or
/// denied behind a route is our mistake, so `NotFound`, `Forbidden` and `Internal` are all `internal`: a route that
/// expects something to be absent says so with [`Problem::not_found`].
impl<F: Failure> From<F> for Problem {
    fn from(failure: F) -> Self {
        let told = match failure.class() {
            Class::BadInput => Self::bad_request(failure.code(), failure.to_string()),
            Class::Conflict => Self::conflict("contended", "others changed it at the same time; try again"),
            Class::Throttled => Self::unavailable("busy", "too much at once; try again in a moment"),
            Class::Unavailable => Self::unavailable("unavailable", "a service did not answer; try again in a moment"),
            Class::NotFound | Class::Forbidden | Class::Internal => Self::internal(),
        };
        let chain = diagnostic(&failure).error_message;
        told.caused(Cause { code: Cow::Borrowed(failure.code()), class: failure.class(), chain })
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, detail, mistakes, retry_after, cause } = self;
        let document = Document {
            kind: format!("urn:loam:problem:{code}"),
            title: code.replace('-', " "),
            status: status.as_u16(),
            detail: &detail,
            code,
            errors: &mistakes,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(1)) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let mut response = (status, headers, body).into_response();
        response.extensions_mut().insert(ToldCode(code));
        cause.and_then(|cause| response.extensions_mut().insert(*cause));
        response
    }
}

/// For `responses(...)` of a route: whatever else it answers is a [`Problem`].
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response = ResponseBuilder::new().description("Why the request was not answered as asked.");
        BTreeMap::from([("default".to_owned(), response.content(PROBLEM_JSON, content).build().into())])
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the row was not written")]
    struct Broken(Class, #[source] std::io::Error);

    impl Failure for Broken {
        fn class(&self) -> Class {
            self.0
        }
        fn code(&self) -> &'static str {
            "row-not-written"
        }
    }

    fn broken(class: Class) -> Broken {
        Broken(class, std::io::Error::other("table loam-Secret of account 123456789012"))
    }

    async fn body(problem: Problem) -> Value {
        serde_json::from_slice(&to_bytes(problem.into_response().into_body(), 10_000).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_tells_type_title_status_detail_and_code() {
        let problem = Problem::bad_request("invalid-body", "no JSON").with_mistakes([Mistake::at("/a", "a number")]);
        assert_eq!(
            body(problem).await,
            json!({"type": "urn:loam:problem:invalid-body", "title": "invalid body", "status": 400, "detail": "no JSON",
                   "code": "invalid-body", "errors": [{"pointer": "/a", "detail": "a number"}]})
        );
    }

    #[tokio::test]
    async fn a_failure_of_ours_tells_nothing_of_its_cause() {
        for class in
            [Class::Internal, Class::NotFound, Class::Forbidden, Class::Throttled, Class::Unavailable, Class::Conflict]
        {
            let text = body(Problem::from(broken(class))).await.to_string();
            assert!(!text.contains("Secret") && !text.contains("row"), "{text}");
        }
    }

    #[test]
    fn a_failure_keeps_its_chain_for_the_log() {
        let problem = Problem::from(broken(Class::Internal));
        let cause = problem.cause.unwrap();
        assert_eq!(cause.code, "row-not-written");
        assert!(cause.chain.contains("Secret"), "{}", cause.chain);
    }

    #[test]
    fn classes_become_statuses() {
        let status = |class| Problem::from(broken(class)).status().as_u16();
        let all =
            [Class::BadInput, Class::Conflict, Class::Throttled, Class::Unavailable, Class::NotFound, Class::Forbidden];
        assert_eq!(all.map(status), [400, 409, 503, 503, 500, 500]);
    }

    #[test]
    fn who_is_asked_to_come_again_is_told_when() {
        assert_eq!(Problem::from(broken(Class::Throttled)).into_response().headers()["retry-after"], "1");
    }
}
