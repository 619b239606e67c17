//! Lambda's Runtime API, for one process: it hands out events and takes answers. Source: AWS Lambda developer guide,
//! "Using the Lambda runtime API".

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};

use crate::failure::Failure;

/// Time that a function has for an event.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the process did.
#[derive(Debug)]
pub(crate) enum Signal {
    /// It asked for the next event.
    Idle(Instant),
    /// It answered an event, with this.
    Answered(Instant, Bytes),
    /// It reported an error, of an event or of its start.
    Failed(String),
}

/// The API's end towards the measurement.
#[derive(Debug)]
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    events: mpsc::Sender<Bytes>,
    signals: mpsc::Receiver<Signal>,
}

/// The API's end towards the process.
#[derive(Debug)]
struct Shared {
    events: Mutex<mpsc::Receiver<Bytes>>,
    signals: mpsc::Sender<Signal>,
    handed_out: AtomicU64,
}

impl RuntimeApi {
    /// Listens on a free port of the loopback until it is dropped.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let failed = |error| Failure::stand("listen on the loopback", error);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (events, waiting) = mpsc::channel(1);
        let (sender, signals) = mpsc::channel(8);
        let shared = Shared { events: Mutex::new(waiting), signals: sender, handed_out: AtomicU64::new(0) };
        tokio::spawn(accept(listener, Arc::new(shared)));
        Ok(Self { address, events, signals })
    }

    /// Hands `event` to the process as soon as it asks.
    pub(crate) async fn send(&self, event: Bytes) {
        // The receiver lives as long as `self`'s signals are waited for: then the process's silence is the failure.
        drop(self.events.send(event).await);
    }

    /// What the process does next; `None` if nothing comes in `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> Option<Signal> {
        tokio::time::timeout(patience, self.signals.recv()).await.ok().flatten()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.signals.closed() => return,
            connection = listener.accept() => {
                let Ok((stream, _)) = connection else { return };
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| handle(request, &shared));
    // The process's end closes its connection in the middle of waiting.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn handle(request: Request<Incoming>, shared: &Shared) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let now = Instant::now();
    let last = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let signal = match (request.method(), last.as_str()) {
        (&Method::GET, "next") => {
            drop(shared.signals.send(Signal::Idle(now)).await);
            return Ok(next(shared).await);
        }
        (&Method::POST, "response") => Signal::Answered(now, request.into_body().collect().await?.to_bytes()),
        (&Method::POST, "error") => {
            Signal::Failed(String::from_utf8_lossy(&request.into_body().collect().await?.to_bytes()).into_owned())
        }
        _ => return Ok(empty(StatusCode::NOT_FOUND)),
    };
    drop(shared.signals.send(signal).await);
    Ok(empty(StatusCode::ACCEPTED))
}

async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    let Some(event) = shared.events.lock().await.recv().await else { return empty(StatusCode::GONE) };
    let number = shared.handed_out.fetch_add(1, Ordering::Relaxed);
    let mut response = Response::new(Full::new(event));
    for (name, value) in [
        ("lambda-runtime-aws-request-id", format!("00000000-0000-4000-8000-{number:012}")),
        ("lambda-runtime-deadline-ms", deadline_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench".to_owned()),
    ] {
        // All three are digits, letters and punctuation.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn deadline_millis() -> u128 {
    #[expect(clippy::disallowed_methods, reason = "a deadline is told by the clock; nothing is decided by it")]
    let now = SystemTime::now();
    (now.duration_since(UNIX_EPOCH).unwrap_or_default() + DEADLINE).as_millis()
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
