//! One process of a candidate: its environment, its clock, its log.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::aws_stub::AwsStub;
use crate::candidate::{Candidate, Program, Roots, Way};
use crate::cpu;
use crate::failure::Failure;
use crate::memory;
use crate::tls::Trust;

/// So many bytes of a log are kept for the case that the candidate fails.
const LAST_WORDS: usize = 2000;

/// Where everything is that candidates are started from.
#[derive(Debug)]
pub(crate) struct Stand {
    /// The folder of the release builds.
    pub(crate) bootstraps: PathBuf,
    pub(crate) python: PathBuf,
    /// The folder of the reference's two files.
    pub(crate) reference: PathBuf,
    pub(crate) stub: AwsStub,
    pub(crate) trust: Trust,
}

/// A running process; it is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    log: Arc<Log>,
}

/// What the process wrote to both of its outputs.
#[derive(Debug, Default)]
struct Log {
    bytes: AtomicU64,
    last: Mutex<VecDeque<u8>>,
}

impl Stand {
    /// The program that is deployed for `candidate`; none for the reference, whose library comes with the runtime.
    pub(crate) fn bootstrap(&self, candidate: &Candidate) -> Option<PathBuf> {
        match candidate.program {
            Program::Bootstrap(name) => Some(self.bootstraps.join(name)),
            Program::Reference => None,
        }
    }

    /// Starts `candidate` with what Lambda sets, and nothing of this program's own environment.
    pub(crate) fn spawn(&self, candidate: &Candidate, way: Way, runtime_api: SocketAddr) -> Result<Process, Failure> {
        let mut command = self.bootstrap(candidate).map_or_else(
            || {
                let mut command = Command::new(&self.python);
                command.arg(self.reference.join("bootstrap.py"));
                command
            },
            Command::new,
        );
        command.env_clear().envs(LAMBDA.iter().copied()).envs(candidate.environment.iter().copied());
        command.env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string());
        self.lead(&mut command, way);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Process::start(command, candidate.name)
    }

    fn lead(&self, command: &mut Command, way: Way) {
        match way {
            Way::None => {}
            Way::Http => {
                command.env("AWS_ENDPOINT_URL", format!("http://{}", self.stub.http));
            }
            Way::Https(roots) => {
                command.env("AWS_ENDPOINT_URL", format!("https://{}", self.stub.https));
                let file = if roots == Roots::One { &self.trust.one } else { &self.trust.bundle };
                command.env("SSL_CERT_FILE", file).env("AWS_CA_BUNDLE", file);
                if roots == Roots::System {
                    command.env("SSL_CERT_DIR", &self.trust.folder);
                }
            }
        }
    }
}

/// Source: AWS Lambda developer guide, "Defined runtime environment variables"; the keys are no keys.
const LAMBDA: [(&str, &str); 14] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
    ("_HANDLER", "bootstrap"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_DEFAULT_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "bench"),
    ("AWS_SECRET_ACCESS_KEY", "bench"),
    ("AWS_SESSION_TOKEN", "bench"),
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
];

impl Process {
    fn start(mut command: Command, name: &'static str) -> Result<Self, Failure> {
        let failed = |why: String| Failure::Candidate { name: name.to_owned(), why, last_words: String::new() };
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| failed(format!("cannot start {program}: {error}")))?;
        let pid = child.id().ok_or_else(|| failed("it ended at once".to_owned()))?;
        let log = Arc::new(Log::default());
        if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
            tokio::spawn(drain(out, Arc::clone(&log)));
            tokio::spawn(drain(err, Arc::clone(&log)));
        }
        Ok(Self { child, pid, log })
    }

    /// CPU time since its start.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        cpu::of_process(self.pid)
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64, Failure> {
        memory::peak_kib(self.pid)
    }

    /// Bytes of log since its start.
    pub(crate) fn logged(&self) -> u64 {
        self.log.bytes.load(Ordering::Relaxed)
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let last = self.log.last.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&last.iter().copied().collect::<Vec<_>>()).into_owned()
    }

    /// Ends it, so that the next one has the machine for itself.
    pub(crate) async fn end(mut self) {
        // It may have ended by itself.
        drop(self.child.kill().await);
    }
}

async fn drain(mut from: impl AsyncRead + Unpin, log: Arc<Log>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        log.bytes.fetch_add(length as u64, Ordering::Relaxed);
        let mut last = log.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend(buffer.iter().take(length));
        let surplus = last.len().saturating_sub(LAST_WORDS);
        last.drain(..surplus);
    }
}
