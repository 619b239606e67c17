use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use loam_runtime::process_environment;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The folder in which handlers that run inside tests leave their logs, one file per process: what
/// `LOAM_HANDLER_LOGS` names. `None` when nobody asked for them.
#[must_use]
pub fn handler_logs() -> Option<PathBuf> {
    process_environment("LOAM_HANDLER_LOGS").map(PathBuf::from)
}

/// From now on, what a handler inside this process logs goes to a file, at the level and in the shape of a deployed
/// function. Done once; nothing happens when nobody asked for logs.
///
/// # Panics
/// When the file cannot be made.
pub(crate) fn keep_handler_logs() {
    static KEPT: OnceLock<()> = OnceLock::new();
    if let Some(folder) = handler_logs() {
        KEPT.get_or_init(|| write_to(&folder));
    }
}

fn write_to(folder: &Path) {
    create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let path = folder.join(format!("{}-{}.jsonl", std::process::id(), uuid::Uuid::new_v4().simple()));
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(file);
    // A test that has a subscriber of its own looks at its logs itself.
    drop(tracing_subscriber::registry().with(LevelFilter::INFO).with(lines).try_init());
}
