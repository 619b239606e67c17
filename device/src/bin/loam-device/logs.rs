//! The log on stderr.

use crate::flags::LogFormat;
use tracing_subscriber::EnvFilter;

/// What is shown unless `RUST_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,rumqttc=off";

/// Starts logging to stderr.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Compact => builder.compact().with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}
