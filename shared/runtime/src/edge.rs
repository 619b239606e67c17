use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, service_fn};
use loam_domain::Timestamp;
use metrics_cloudwatch_embedded::Collector;
use serde_json::{Value, json};

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

/// One record of a table's stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamItem {
    /// Its place in the stream: what a partial batch response names. `None` in what no stream wrote.
    pub sequence_number: Option<String>,
    /// The record, as the stream gives it.
    pub record: Value,
}

impl StreamItem {
    /// A record of a stream's batch.
    #[must_use]
    pub fn new(record: Value) -> Self {
        let number = record.pointer("/dynamodb/SequenceNumber").and_then(Value::as_str);
        Self { sequence_number: number.filter(|number| !number.is_empty()).map(str::to_owned), record }
    }

    /// The records of what Lambda hands over; an event of another shape counts as one record, so that it is looked at
    /// and kept.
    #[must_use]
    pub fn all_of(event: Value) -> Vec<Self> {
        let Value::Object(mut fields) = event else { return vec![Self::new(event)] };
        match fields.remove("Records") {
            Some(Value::Array(records)) => return records.into_iter().map(Self::new).collect(),
            Some(other) => drop(fields.insert("Records".to_owned(), other)),
            None => {}
        }
        vec![Self::new(Value::Object(fields))]
    }
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

    /// Serves a stream's function: `handle` answers the sequence number of the first record that must come again; all
    /// behind it come again too, so that their order is kept.
    ///
    /// # Errors
    /// Only when the Lambda runtime itself is gone.
    pub async fn serve_stream<F, H>(self, handle: H) -> Result<(), Error>
    where
        F: Failure,
        H: AsyncFn(Vec<StreamItem>, &Invocation) -> Result<Option<String>, F>,
    {
        let handle = &handle;
        let collector = self.collector;
        lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
            let invocation = invocation(&event.context);
            let work = handle(StreamItem::all_of(event.payload), &invocation);
            let outcome = within(&event.context, Box::pin(work)).await;
            meter::flush(collector);
            outcome.map(stream_response)
        }))
        .await
    }
}

/// What Lambda reads: the record from which on all come again; none when all is done.
/// Source: AWS Lambda developer guide, "Configuring partial batch response with DynamoDB and Lambda".
fn stream_response(again_from: Option<String>) -> Value {
    let failures: Vec<_> = again_from.into_iter().map(|number| json!({"itemIdentifier": number})).collect();
    json!({"batchItemFailures": failures})
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streams_batch_is_its_records_each_with_its_place() {
        let record = json!({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7"}});
        let items = StreamItem::all_of(json!({"Records": [record, {}]}));
        assert_eq!(items[0], StreamItem { sequence_number: Some("7".to_owned()), record });
        assert_eq!(items[1], StreamItem { sequence_number: None, record: json!({}) });
        assert!(StreamItem::all_of(json!({"Records": []})).is_empty());
    }

    #[test]
    fn an_event_that_no_stream_wrote_is_one_record_without_a_place_and_stays_whole() {
        for event in [json!(null), json!("x"), json!([1]), json!({}), json!({"Records": {"a": 1}, "b": 2})] {
            assert_eq!(StreamItem::all_of(event.clone()), [StreamItem { sequence_number: None, record: event }]);
        }
    }

    #[test]
    fn lambda_is_told_from_where_on_records_come_again() {
        assert_eq!(stream_response(None), json!({"batchItemFailures": []}));
        assert_eq!(stream_response(Some("7".to_owned())), json!({"batchItemFailures": [{"itemIdentifier": "7"}]}));
    }
}
