use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Adapter, LambdaEvent, RequestExt as _, Service as _, lambda_runtime, service_fn};
use loam_domain::Timestamp;
use loam_runtime::{Class, Edge};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use tower::ServiceExt as _;

use crate::problem::{Cause, ToldCode};
use crate::{Call, Problem, caller};

/// What is left of a function's time for telling the caller that it ran out.
const MARGIN: Duration = Duration::from_millis(500);
/// What stands in a path as it is: the unreserved characters, the slash, and what is encoded already.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'%');
/// What stands in a query as it is: printable ASCII but for what no URI holds.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'\\')
    .add(b'^');
/// The stage that stands in no path.
const DEFAULT: &str = "$default";

/// Serves an HTTP API's function: one request an event, payload version 2.
///
/// What the gateway hands over by the route `$default` is answered 404 `no-such-route` without being looked at (a browser's
/// preflight request 204): that route has no authorizer. Panics, failures and the deadline become problems that tell nothing of the inside.
///
/// # Errors
/// Only when the Lambda runtime itself is gone.
pub async fn serve(edge: Edge, router: impl Into<Router>) -> Result<(), lambda_http::Error> {
    let router = prepared(router.into());
    let (edge, router) = (&edge, &router);
    let adapter = Adapter::from(service_fn(move |request: lambda_http::Request| async move {
        let call = call(&request.lambda_context());
        let response = Box::pin(respond(router, request, call)).await;
        edge.flush();
        Ok::<_, Infallible>(response)
    }));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let request = LambdaRequest::ApiGatewayV2(harmless(event.payload));
        adapter.clone().call(LambdaEvent::new(request, event.context))
    }))
    .await
}

/// Answers one event as [`serve`] does; for tests that have no Lambda.
pub async fn answer(router: Router, event: ApiGatewayV2httpRequest, call: Call) -> Response {
    respond(&prepared(router), LambdaRequest::ApiGatewayV2(harmless(event)).into(), call).await
}

async fn respond(router: &Router, request: lambda_http::Request, call: Call) -> Response {
    let started = Instant::now();
    let context = request.request_context_ref().cloned();
    let left = u64::try_from(call.deadline.millis_since(call.now)).unwrap_or_default();
    let left = Duration::from_millis(left).saturating_sub(MARGIN);
    let work = AssertUnwindSafe(routed(router, request, context.as_ref(), call)).catch_unwind();
    let response = match tokio::time::timeout(left, Box::pin(work)).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::internal().caused(ours("panic", Class::Internal, "a route panicked")).into_response(),
        Err(_) => Problem::deadline()
            .caused(ours("deadline", Class::Unavailable, "the request's time ran out"))
            .into_response(),
    };
    log(&response, context.as_ref(), started.elapsed());
    response
}

/// The router with an answer of ours for every path and method that it does not have.
fn prepared(router: Router) -> Router {
    let none = || async { Problem::no_such_route() };
    router.fallback(none).method_not_allowed_fallback(none)
}

fn ours(code: &'static str, class: Class, text: &str) -> Cause {
    Cause { code: code.into(), class, chain: text.to_owned() }
}

async fn routed(
    router: &Router,
    request: lambda_http::Request,
    context: Option<&RequestContext>,
    call: Call,
) -> Response {
    if route(context) == DEFAULT {
        return if is_preflight(&request) {
            StatusCode::NO_CONTENT.into_response()
        } else {
            Problem::no_such_route().into_response()
        };
    }
    let target = target(request.raw_http_path(), stage(context), request.uri().query());
    let mut request: Request = request.map(axum::body::Body::new);
    match target {
        Some(uri) => *request.uri_mut() = uri,
        None => return Problem::no_such_route().into_response(),
    }
    request.extensions_mut().insert(call);
    let Ok(response) = router.clone().oneshot(request).await;
    response
}

/// A browser's question whether a page may ask. Where the stack allows origins, the gateway adds its headers to the answer,
/// which must be a success: without a route of its own for OPTIONS the question comes by `$default`. Source: API Gateway
/// developer guide, "Configure CORS for HTTP APIs"; Fetch standard, "CORS-preflight fetch".
fn is_preflight(request: &lambda_http::Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The event, such that lambda_http makes a request of it whatever a client sent: it panics where path, query, `Host` and
/// `X-Forwarded-Proto` make no URI. The gateway hands the path over decoded (`%25` alone stays), so that a `?` in it is
/// part of the path.
fn harmless(mut event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpRequest {
    let path = event.raw_path.take().filter(|path| path.starts_with('/')).unwrap_or_else(|| "/".to_owned());
    event.raw_path = Some(utf8_percent_encode(&path, PATH).to_string());
    event.raw_query_string = event.raw_query_string.map(|query| utf8_percent_encode(&query, QUERY).to_string());
    event.headers.remove(HOST);
    event.headers.remove("x-forwarded-proto");
    event.request_context.domain_name = None;
    event
}

/// Path and query for the router, without the stage, which stands in front of the path in every stage but `$default`.
fn target(path: &str, stage: &str, query: Option<&str>) -> Option<Uri> {
    let path = match stage {
        DEFAULT => path,
        stage => path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)).unwrap_or(path),
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Uri::try_from(format!("{path}{query}")).ok().filter(|uri| uri.path().starts_with('/') && uri.host().is_none())
}

fn stage(context: Option<&RequestContext>) -> &str {
    match context {
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref().unwrap_or(DEFAULT),
        _ => DEFAULT,
    }
}

/// The gateway's route, a template without values: `GET /v1/things/{thing}/presence`.
fn route(context: Option<&RequestContext>) -> &str {
    match context {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or(DEFAULT),
        _ => DEFAULT,
    }
}

/// One line a request. Never its path, query, headers or body.
fn log(response: &Response, context: Option<&RequestContext>, took: Duration) {
    let status = response.status().as_u16();
    let sub = context.and_then(caller::of_context).map(|caller| caller.sub).unwrap_or_default();
    let code = response.extensions().get::<ToldCode>().map_or("", |told| told.0);
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    metrics::counter!("Requests").increment(1);
    tracing::info!(route = route(context), status, caller.sub = sub, duration_ms, code, "request answered");
    if let Some(cause) = response.extensions().get::<Cause>() {
        metrics::counter!("Failures").increment(1);
        tracing::error!(code = %cause.code, class = cause.class.as_str(), error = cause.chain, "the request failed");
    }
}

fn call(context: &lambda_http::Context) -> Call {
    let millis = |time: std::time::SystemTime| {
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    };
    #[expect(clippy::disallowed_methods, reason = "this is the edge: the one place that reads the clock")]
    let now = std::time::SystemTime::now();
    Call { request_id: context.request_id.clone(), now: millis(now), deadline: millis(context.deadline()) }
}

#[cfg(test)]
mod tests;
