use std::io;

use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::process_environment;

/// The namespace of Loam's own metrics in CloudWatch.
const NAMESPACE: &str = "Loam";

/// Counts through the `metrics` facade leave the function as CloudWatch embedded metric format: one log line an
/// invocation, no call. Dimensions: the stack's name and the function's.
///
/// A second recorder in one process cannot be installed; then nothing is flushed, and nothing breaks.
pub(crate) fn start(function: &'static str) -> Option<&'static Collector> {
    let stack = process_environment("STACK_NAME").unwrap_or_else(|| "local".to_owned());
    Builder::new()
        .cloudwatch_namespace(NAMESPACE)
        .with_dimension("Stack", stack)
        .with_dimension("Function", function)
        .init()
        .inspect_err(|error| tracing::warn!(%error, "metrics are off"))
        .ok()
}

/// Writes what was counted since the last time.
pub(crate) fn flush(collector: Option<&'static Collector>) {
    if let Some(collector) = collector
        && let Err(error) = collector.flush(io::stdout())
    {
        tracing::warn!(%error, "metrics of this invocation are lost");
    }
}
