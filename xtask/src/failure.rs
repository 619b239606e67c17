//! Why a verb stopped: a stable code and sentences for the person at the terminal.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug)]
pub(crate) struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    const INTERRUPTED: &'static str = "interrupted";

    /// `message` says what is wrong, what was expected and what to do.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn interrupted() -> Self {
        Self::new(Self::INTERRUPTED, "stopped by you; what this command had started was ended")
    }

    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::new("file", format!("cannot {what} {}: {error}", path.display()))
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// 130 after Ctrl-C as shells have it, else 1.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.code == Self::INTERRUPTED { ExitCode::from(130) } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
