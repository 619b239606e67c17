//! The proxy itself: reads a request, asks the rules, forwards, answers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::answer::{self, Answer};
use super::batch::unprocessed;
use super::call::{Call, Service};
use super::capacity;
use super::fault::Fault;
use super::record::Effect;
use super::state::{State, Verdict};

/// Headers that concern one connection only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Ends a connection without an answer.
fn hang_up() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

/// What a connection needs to serve its requests.
pub(super) struct Proxy {
    upstream: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
    state: Arc<State>,
}

impl Proxy {
    pub(super) fn new(upstream: Authority, state: Arc<State>) -> Self {
        // An idle connection is not used again: the server may close it at the very moment, and then it would be open
        // whether the call was done.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { upstream, client, state }
    }

    /// Serves connections until it is dropped, and its connections with it.
    pub(super) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(Arc::clone(&self).serve(stream));
            while connections.try_join_next().is_some() {}
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(|request| Arc::clone(&self).answer(request));
        // Without this, small answers wait for the caller's delayed acknowledgement.
        if stream.set_nodelay(true).is_ok() {
            // A caller that leaves in the middle is what crash tests are about.
            let _left = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Answer> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let call = Call::parse(&parts.method, &parts.uri, &parts.headers, body);
        let (id, fault) = self.state.arrive(&call);
        let answer = Arc::clone(&self).with_fault(id, fault, &parts, &call).await?;
        self.note_answer(id, &answer).await;
        Ok(if parts.method == Method::HEAD { without_body(answer) } else { answer })
    }

    async fn with_fault(
        self: Arc<Self>,
        id: u64,
        fault: Option<Fault>,
        parts: &Parts,
        call: &Call,
    ) -> io::Result<Answer> {
        let service = &call.service;
        let hold = async |state: &State| match state.hold(call).await {
            Verdict::Release => Ok(()),
            Verdict::Forget => Err(hang_up()),
        };
        match fault {
            Some(Fault::FailBefore { status, code }) => return Ok(answer::refused(service, status, &code)),
            Some(Fault::Throttle) => return Ok(answer::throttled(service)),
            Some(Fault::Unavailable) => return Ok(answer::unavailable(service)),
            Some(Fault::Cancelled { reason }) => return Ok(answer::cancelled(&reason)),
            Some(Fault::Unprocessed) => return Ok(unprocessed(call).unwrap_or_else(|| answer::throttled(service))),
            Some(Fault::HoldBefore) => hold(&self.state).await?,
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::LoseAnswer | Fault::DenyAnswer | Fault::HoldAfter) | None => {}
        }
        let answer = Arc::clone(&self).forward(id, parts, call).await?;
        match fault {
            Some(Fault::LoseAnswer) => return Err(hang_up()),
            Some(Fault::DenyAnswer) => return Ok(answer::failed(service)),
            Some(Fault::HoldAfter) => hold(&self.state).await?,
            _done => {}
        }
        Ok(answer)
    }

    /// Forwards in a task of its own: once a call is on its way, a caller that leaves does not stop it.
    async fn forward(self: Arc<Self>, id: u64, parts: &Parts, call: &Call) -> io::Result<Answer> {
        let request = self.forwarded(parts, call.body.clone()).map_err(io::Error::other)?;
        let of = call.clone();
        self.state.note(id, |outcome| outcome.effect = Effect::UnderWay);
        self.state.forwarding_begins();
        let task = tokio::spawn(async move {
            let answer = self.exchange(request).await;
            self.state.note(id, |outcome| match &answer {
                Ok(answer) => {
                    outcome.effect = Effect::Answered(answer.status().as_u16());
                    outcome.response_bytes = answer.body().len();
                    outcome.units =
                        answer::consumed_units(&of.service, answer.body()).or_else(|| computed(&of, answer));
                }
                Err(_) => outcome.effect = Effect::Broken,
            });
            self.state.forwarding_ends();
            answer
        });
        task.await.map_err(io::Error::other)?.map(|answer| answer.map(Full::new))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> io::Result<Response<Bytes>> {
        let (mut parts, body) = self.client.request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        without_hop_by_hop(&mut parts.headers);
        Ok(Response::from_parts(parts, body))
    }

    /// The same request for the upstream; `Host` stays, because it is signed.
    fn forwarded(&self, parts: &Parts, body: Bytes) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.upstream.clone()).path_and_query(path).build()?;
        let mut request = Request::builder().method(parts.method.clone()).uri(uri).body(Full::new(body))?;
        *request.headers_mut() = parts.headers.clone();
        without_hop_by_hop(request.headers_mut());
        Ok(request)
    }

    async fn note_answer(&self, id: u64, answer: &Answer) {
        let status = answer.status().as_u16();
        let body = answer.body().clone().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let error = answer::error_code(status, answer.headers(), &body);
        self.state.note(id, |outcome| {
            outcome.status = Some(status);
            outcome.error = error;
        });
    }
}

fn computed(call: &Call, answer: &Response<Bytes>) -> Option<f64> {
    (call.service == Service::DynamoDb)
        .then(|| capacity::units(call.operation.name(), &call.body, answer.body()))
        .flatten()
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The answer to a HEAD request has headers only.
fn without_body(answer: Answer) -> Answer {
    answer.map(|_| Full::default())
}
