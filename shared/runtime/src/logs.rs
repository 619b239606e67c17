use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::process_environment;

/// The runtime's own log line of a failed invocation: the failure has been logged by then, at our boundary.
const SAID_ALREADY: &str = "lambda_runtime::layers::panic";

/// JSON lines with a time, flat fields and the invocation's span (it carries the request id).
///
/// The level follows `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets from the template's `LoggingConfig`; `info` without it.
pub(crate) fn start() {
    let level = process_environment("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.to_lowercase().parse().ok());
    let targets =
        Targets::new().with_default(level.unwrap_or(LevelFilter::INFO)).with_target(SAID_ALREADY, LevelFilter::OFF);
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    tracing_subscriber::registry().with(targets).with(lines).init();
}
