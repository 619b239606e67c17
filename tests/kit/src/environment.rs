use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};

use crate::{Function, Stack};

/// Time that a function has for an event.
const DEADLINE: Duration = Duration::from_secs(30);

/// An execution environment of a function: its program as a process of its own, under the function's role and with its
/// variables, and Lambda's Runtime API for it. Source: AWS Lambda developer guide, "Using the Lambda runtime API".
#[derive(Debug)]
pub struct ExecutionEnvironment {
    child: Child,
    events: mpsc::Sender<Bytes>,
    answers: mpsc::Receiver<Result<Bytes, String>>,
    log: Arc<StdMutex<Vec<Value>>>,
}

/// The API's end towards the process.
#[derive(Debug)]
struct Api {
    events: Mutex<mpsc::Receiver<Bytes>>,
    answers: mpsc::Sender<Result<Bytes, String>>,
}

impl ExecutionEnvironment {
    /// Starts `program` as `function`, with `endpoint` for all of AWS.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(stack: &Stack, function: &Function, program: &Path, endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let (events, waiting) = mpsc::channel(1);
        let (sender, answers) = mpsc::channel(1);
        tokio::spawn(accept(listener, Arc::new(Api { events: Mutex::new(waiting), answers: sender })));
        let mut command = Command::new(program);
        command.env_clear().envs(&function.environment).envs(function.key_variables());
        command.env("AWS_REGION", &stack.region).env("AWS_ENDPOINT_URL", endpoint);
        command.env("AWS_LAMBDA_RUNTIME_API", address).env("AWS_LAMBDA_FUNCTION_NAME", &function.name);
        command.env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST").env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut child = command.spawn().expect("the function's program starts");
        let log = Arc::default();
        tokio::spawn(keep(child.stdout.take().expect("it is piped"), Arc::clone(&log)));
        Self { child, events, answers, log }
    }

    /// Hands it an event, and waits for what it answers.
    ///
    /// # Panics
    /// When it reports an error, or answers nothing for a minute.
    pub async fn invoke(&mut self, event: &Value) -> Value {
        self.events.send(event.to_string().into()).await.expect("the API runs as long as this");
        let answer = tokio::time::timeout(DEADLINE * 2, self.answers.recv()).await.expect("an answer in time");
        let answer = answer.expect("the API runs as long as this").expect("the function does not fail");
        serde_json::from_slice(&answer).expect("the answer is JSON")
    }

    /// The value of `field` in each line of its log that says `message`.
    ///
    /// # Panics
    /// When a line of the log could not be kept.
    #[must_use]
    pub fn logged(&self, message: &str, field: &str) -> Vec<Value> {
        let log = self.log.lock().expect("a line of the log could not be kept");
        let lines = log.iter().filter(|line| line.get("message").is_some_and(|said| said == message));
        lines.filter_map(|line| line.get(field).cloned()).collect()
    }

    /// Freezes it, as Lambda does between two events.
    pub async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status().await;
        assert!(status.expect("kill starts").success(), "kill {signal}");
    }

    fn pid(&self) -> u32 {
        self.child.id().expect("the process lives")
    }

    /// The memory that it has now, in KiB.
    #[must_use]
    pub fn resident_kib(&self) -> i64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// CPU time of its threads so far.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the process lives");
        let nanos = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(tasks.flatten().filter_map(nanos).sum())
    }
}

async fn keep(from: ChildStdout, log: Arc<StdMutex<Vec<Value>>>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let (Ok(line), Ok(mut log)) = (serde_json::from_str(&line), log.lock()) {
            log.push(line);
        }
    }
}

async fn accept(listener: TcpListener, api: Arc<Api>) {
    loop {
        tokio::select! {
            () = api.answers.closed() => return,
            connection = listener.accept() => {
                let Ok((stream, _)) = connection else { return };
                tokio::spawn(serve(stream, Arc::clone(&api)));
            }
        }
    }
}

async fn serve(stream: TcpStream, api: Arc<Api>) {
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| handle(request, &api));
    // The process's end closes its connection in the middle of waiting.
    drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn handle(request: Request<Incoming>, api: &Api) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    if (request.method(), last.as_str()) == (&Method::GET, "next") {
        return Ok(next(api).await);
    }
    let body = request.into_body().collect().await?.to_bytes();
    let answer = if last == "response" { Ok(body) } else { Err(String::from_utf8_lossy(&body).into_owned()) };
    drop(api.answers.send(answer).await);
    Ok(empty(StatusCode::ACCEPTED))
}

async fn next(api: &Api) -> Response<Full<Bytes>> {
    let Some(event) = api.events.lock().await.recv().await else { return empty(StatusCode::GONE) };
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", uuid::Uuid::new_v4().to_string())
        .header("lambda-runtime-deadline-ms", deadline_millis().to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:000000000000:function:test");
    response.body(Full::new(event)).expect("a response")
}

fn deadline_millis() -> u128 {
    #[expect(clippy::disallowed_methods, reason = "a deadline is told by the clock")]
    let now = SystemTime::now();
    (now.duration_since(UNIX_EPOCH).unwrap_or_default() + DEADLINE).as_millis()
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
