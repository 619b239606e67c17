use tracing_subscriber::filter::LevelFilter;

use crate::process_environment;

/// JSON lines with a time, flat fields and the invocation's span (it carries the request id).
///
/// The level follows `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets from the template's `LoggingConfig`; `info` without it.
pub(crate) fn start() {
    let level = process_environment("AWS_LAMBDA_LOG_LEVEL").and_then(|level| level.to_lowercase().parse().ok());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .init();
}
