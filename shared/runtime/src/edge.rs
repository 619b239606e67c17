use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use loam_domain::Timestamp;
use metrics_cloudwatch_embedded::Collector;
use serde_json::Value;

use crate::failure::chain;
use crate::{Class, Failure, diagnostic, logs, meter};

/// What is left of a function's time for telling Lambda that it ran out.
const MARGIN: Duration = Duration::from_millis(500);

/// One call of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Lambda's id of the request; the same in Lambda's own log lines, and in each retry of one event.
    pub request_id: String,
    /// When the call began.
    pub now: Timestamp,
}

/// One message of a queue's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The queue's id of the message: what a partial batch response names.
    pub message_id: String,
    /// The body, as it was sent.
    pub body: String,
}

/// A function's edge towards Lambda.
pub struct Edge {
    collector: Option<&'static Collector>,
}

impl Edge {
    /// Starts logs and metrics of the function `name`; first thing in `main`.
    #[must_use]
    pub fn start(name: &'static str) -> Self {
        logs::start();
        Self { collector: meter::start(name) }
    }

    /// Writes what was counted since the last time; for edges that serve by themselves, once an invocation.
    pub fn flush(&self) {
        meter::flush(self.collector);
    }

    /// Serves an asynchronous function: a rule's action or a schedule.
    ///
    /// # Errors
    /// Only when the Lambda runtime itself is gone.
    pub async fn serve_event<F, H>(self, handle: H) -> Result<(), Error>
    where
        F: Failure,
        H: AsyncFn(Value, &Invocation) -> Result<(), F>,
    {
        let handle = &handle;
        let collector = self.collector;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
            let invocation = invocation(&event.context);
            let outcome = within(&event.context, Box::pin(handle(event.payload, &invocation))).await;
            meter::flush(collector);
            outcome
        }))
        .await
    }

    /// Serves a queue's function: `handle` answers the ids of the messages that must come again.
    ///
    /// # Errors
    /// Only when the Lambda runtime itself is gone.
    pub async fn serve_batch<F, H>(self, handle: H) -> Result<(), Error>
    where
        F: Failure,
        H: AsyncFn(Vec<BatchItem>, &Invocation) -> Result<Vec<String>, F>,
    {
        let handle = &handle;
        let collector = self.collector;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| async move {
            let invocation = invocation(&event.context);
            let outcome = within(&event.context, Box::pin(handle(items(event.payload), &invocation))).await;
            meter::flush(collector);
            outcome.map(|failed| {
                let mut response = SqsBatchResponse::default();
                failed.into_iter().for_each(|id| response.add_failure(id));
                response
            })
        }))
        .await
    }
}

fn items(event: SqsEvent) -> Vec<BatchItem> {
    let item = |record: aws_lambda_events::sqs::SqsMessage| BatchItem {
        message_id: record.message_id.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    };
    event.records.into_iter().map(item).collect()
}

/// Runs a handler up to its deadline and logs its failure, once, here. Handlers come boxed: their futures nest deeper than
/// the compiler follows.
async fn within<T, F: Failure>(context: &Context, work: impl Future<Output = Result<T, F>>) -> Result<T, Diagnostic> {
    let left = context.deadline().duration_since(now()).unwrap_or_default().saturating_sub(MARGIN);
    match tokio::time::timeout(left, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(failure)) => {
            log(&failure);
            Err(diagnostic(&failure))
        }
        Err(_) => {
            tracing::error!(code = "deadline", class = Class::Unavailable.as_str(), "the function's time ran out");
            metrics::counter!("Failures").increment(1);
            Err(Diagnostic {
                error_type: "deadline".to_owned(),
                error_message: "the function's time ran out; the event is tried again".to_owned(),
            })
        }
    }
}

fn log(failure: &impl Failure) {
    metrics::counter!("Failures").increment(1);
    tracing::error!(
        code = failure.code(),
        class = failure.class().as_str(),
        error = chain(failure),
        "the event failed"
    );
}

fn invocation(context: &Context) -> Invocation {
    let millis = now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Invocation {
        request_id: context.request_id.clone(),
        now: Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
    }
}

fn now() -> SystemTime {
    #[expect(clippy::disallowed_methods, reason = "this is the edge: the one place that reads the clock")]
    SystemTime::now()
}
