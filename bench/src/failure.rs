use std::path::{Path, PathBuf};

/// Why the measurement stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or folder.
    #[error("error[file]: cannot {what} {path}: {error}")]
    File { what: &'static str, path: PathBuf, error: std::io::Error },
    /// The system that this runs on.
    #[cfg(not(target_os = "linux"))]
    #[error("error[needs-linux]: CPU clocks and memory of other processes are read in Linux's way; run this on Linux")]
    NeedsLinux,
    /// The loopback network, a certificate: what the measurement itself stands on.
    #[error("error[stand]: {what}: {why}")]
    Stand { what: &'static str, why: String },
    /// A candidate that ended, failed or said nothing. Its last words are its own log lines on events made up here.
    #[error("error[candidate]: {name}: {why}\n{last_words}")]
    Candidate { name: String, why: String, last_words: String },
}

impl Failure {
    pub(crate) fn file(what: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::File { what, path: path.to_path_buf(), error }
    }

    pub(crate) fn stand(what: &'static str, why: impl ToString) -> Self {
        Self::Stand { what, why: why.to_string() }
    }
}
