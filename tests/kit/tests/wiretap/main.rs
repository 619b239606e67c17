//! The wiretap between real SDK clients and a stand-in for AWS.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod clients;
mod loops;
mod notice;
mod upstream;

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, PutRequest, WriteRequest};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use loam_kit::wiretap::{Effect, Fault, Record, Rule, Service, When, Wiretap};
use upstream::Upstream;

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:alerts";

async fn both() -> (Upstream, Wiretap) {
    let upstream = Upstream::start().await;
    let wiretap = Wiretap::start(&upstream.address).await.unwrap();
    (upstream, wiretap)
}

/// Puts one item; the error code, if it fails in the end.
async fn put(wiretap: &Wiretap) -> Result<(), Option<String>> {
    let put =
        clients::dynamodb(&wiretap.endpoint()).put_item().table_name("t").item("id", AttributeValue::S("1".into()));
    put.send().await.map(|_| ()).map_err(|error| error.code().map(str::to_owned))
}

fn effects(records: &[Record]) -> Vec<(Effect, Option<u16>)> {
    records.iter().map(|record| (record.outcome.effect, record.outcome.status)).collect()
}

const DONE: (Effect, Option<u16>) = (Effect::Answered(200), Some(200));

#[tokio::test]
async fn calls_of_four_services_are_recorded_in_order_with_operation_resource_and_caller() {
    let (upstream, wiretap) = both().await;
    put(&wiretap).await.unwrap();
    let sns = clients::sns(&wiretap.endpoint());
    sns.publish().topic_arn(TOPIC).message("dry").send().await.unwrap();
    let sqs = clients::sqs(&wiretap.endpoint());
    let url = format!("{}/000000000000/readings", wiretap.endpoint());
    sqs.send_message().queue_url(url).message_body("20").send().await.unwrap();
    let s3 = clients::s3(&wiretap.endpoint());
    let body = ByteStream::from_static(b"hello");
    s3.put_object().bucket("archive").key("device/a b/1").body(body).send().await.unwrap();
    let read = s3.get_object().bucket("archive").key("device/a b/1").send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().into_bytes(), "hello");
    s3.head_object().bucket("archive").key("device/a b/1").send().await.unwrap();
    let calls: Vec<String> = wiretap.calls().iter().map(ToString::to_string).collect();
    let expected = [
        "dynamodb PutItem table/t",
        "sns Publish alerts",
        "sqs SendMessage readings",
        "s3 PutObject archive/device/a b/1",
        "s3 GetObject archive/device/a b/1",
        "s3 HeadObject archive/device/a b/1",
    ];
    assert_eq!(calls, expected);
    assert!(wiretap.calls().iter().all(|call| call.caller.is("soil-alerts") && call.caller.is("AKIDTEST")));
    assert_eq!(wiretap.records()[0].outcome.units, Some(1.0));
    let host = upstream.held.lock().unwrap().headers["host"].to_str().unwrap().to_owned();
    assert_eq!(format!("http://{host}"), wiretap.endpoint(), "the signed host is left as it is");
}

#[tokio::test]
async fn a_call_that_fails_before_never_reaches_aws_and_its_code_reaches_the_client() {
    let (upstream, wiretap) = both().await;
    let fault = Fault::FailBefore { status: 400, code: "ResourceNotFoundException".into() };
    wiretap.rule(Rule::new(When::any().service(Service::DynamoDb), fault));
    assert_eq!(put(&wiretap).await, Err(Some("ResourceNotFoundException".into())));
    assert_eq!(upstream.held.lock().unwrap().requests, 0);
    assert_eq!(effects(&wiretap.records()), [(Effect::NotForwarded, Some(400))]);
    assert_eq!(wiretap.records()[0].outcome.error.as_deref(), Some("ResourceNotFoundException"));
}

#[tokio::test]
async fn each_service_reads_the_wiretaps_throttling_as_its_own_and_tries_three_times() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::Throttle));
    assert_eq!(put(&wiretap).await, Err(Some("ProvisionedThroughputExceededException".into())));
    let sns = clients::sns(&wiretap.endpoint()).publish().topic_arn(TOPIC).message("dry").send().await;
    assert_eq!(sns.unwrap_err().code(), Some("Throttling"));
    let url = format!("{}/000000000000/readings", wiretap.endpoint());
    let sqs = clients::sqs(&wiretap.endpoint()).send_message().queue_url(url).message_body("20").send().await;
    assert!(sqs.unwrap_err().into_service_error().is_request_throttled());
    let s3 = clients::s3(&wiretap.endpoint()).get_object().bucket("b").key("k").send().await;
    assert_eq!(s3.unwrap_err().code(), Some("SlowDown"));
    assert_eq!((wiretap.records().len(), wiretap.calls().len()), (12, 4));
    assert_eq!(upstream.held.lock().unwrap().requests, 0);
}

#[tokio::test]
async fn a_call_throttled_once_succeeds_at_its_second_attempt() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::Throttle).times(1));
    put(&wiretap).await.unwrap();
    assert_eq!(effects(&wiretap.records()), [(Effect::NotForwarded, Some(400)), DONE]);
}

#[tokio::test]
async fn a_lost_answer_is_a_call_that_was_done_and_the_client_tries_again() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::LoseAnswer).times(1));
    put(&wiretap).await.unwrap();
    assert_eq!(effects(&wiretap.records()), [(Effect::Answered(200), None), DONE]);
    assert_eq!(upstream.held.lock().unwrap().requests, 2);
}

#[tokio::test]
async fn a_denied_answer_is_a_call_that_was_done_and_told_to_have_failed() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::DenyAnswer).times(1));
    put(&wiretap).await.unwrap();
    assert_eq!(effects(&wiretap.records()), [(Effect::Answered(200), Some(500)), DONE]);
}

#[tokio::test]
async fn an_unprocessed_batch_succeeds_and_gives_all_its_entries_back() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::Unprocessed));
    let item = PutRequest::builder().item("id", AttributeValue::S("1".into())).build().unwrap();
    let writes = vec![WriteRequest::builder().put_request(item).build()];
    let dynamodb = clients::dynamodb(&wiretap.endpoint());
    let written = dynamodb.batch_write_item().request_items("t", writes.clone()).send().await.unwrap();
    assert_eq!(written.unprocessed_items().unwrap()["t"], writes);
    let keys =
        KeysAndAttributes::builder().keys([("id".into(), AttributeValue::S("1".into()))].into()).build().unwrap();
    let read = dynamodb.batch_get_item().request_items("t", keys.clone()).send().await.unwrap();
    assert_eq!(read.unprocessed_keys().unwrap()["t"], keys);
    let url = format!("{}/000000000000/readings", wiretap.endpoint());
    let entry = SendMessageBatchRequestEntry::builder().id("a").message_body("20").build().unwrap();
    let sqs = clients::sqs(&wiretap.endpoint());
    let sent = sqs.send_message_batch().queue_url(url).entries(entry).send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.failed()[0].id()), (0, "a"));
    assert!(put(&wiretap).await.is_err(), "a call that is no batch is throttled");
    assert_eq!(upstream.held.lock().unwrap().requests, 0);
}

#[tokio::test]
async fn an_unavailable_service_answers_503_to_all_attempts() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::Unavailable));
    assert_eq!(put(&wiretap).await, Err(Some("ServiceUnavailable".into())));
    assert_eq!(effects(&wiretap.records()), [(Effect::NotForwarded, Some(503)); 3]);
}

#[tokio::test]
async fn a_delayed_call_takes_at_least_its_delay() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::Delay(Duration::from_millis(80))));
    let start = Instant::now();
    put(&wiretap).await.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn only_the_call_with_the_rules_index_is_refused_and_its_retries_count_as_the_same_call() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any().operation("PutItem").nth(1), Fault::Throttle));
    put(&wiretap).await.unwrap();
    assert!(put(&wiretap).await.is_err());
    put(&wiretap).await.unwrap();
    assert_eq!(wiretap.count("PutItem"), 5);
}

#[tokio::test]
async fn a_rule_for_another_caller_leaves_this_one_alone() {
    let (_upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any().caller("telemetry"), Fault::Throttle));
    put(&wiretap).await.unwrap();
    wiretap.rule(Rule::new(When::any().caller("soil-alerts"), Fault::Throttle));
    assert!(put(&wiretap).await.is_err());
}

#[tokio::test]
async fn a_call_held_before_is_not_forwarded_until_it_is_released() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::HoldBefore));
    let put = put(&wiretap);
    let release = async {
        let held = wiretap.wait_held().await;
        assert_eq!(held.operation.name(), "PutItem");
        assert_eq!(upstream.held.lock().unwrap().requests, 0);
        wiretap.release();
    };
    let (done, ()) = tokio::join!(put, release);
    done.unwrap();
    assert_eq!(effects(&wiretap.records()), [DONE]);
}

#[tokio::test]
async fn a_caller_dropped_at_a_call_held_before_leaves_nothing_done() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::HoldBefore));
    tokio::select! {
        _held = wiretap.wait_held() => {}
        _done = put(&wiretap) => panic!("answered although held"),
    }
    wiretap.forget();
    wiretap.settled().await;
    assert_eq!(upstream.held.lock().unwrap().requests, 0);
    assert_eq!(effects(&wiretap.records()), [(Effect::NotForwarded, None)]);
}

#[tokio::test]
async fn a_caller_dropped_at_a_call_held_after_leaves_it_done() {
    let (upstream, wiretap) = both().await;
    wiretap.rule(Rule::new(When::any(), Fault::HoldAfter));
    tokio::select! {
        _held = wiretap.wait_held() => {}
        _done = put(&wiretap) => panic!("answered although held"),
    }
    assert_eq!(upstream.held.lock().unwrap().items.len(), 1);
    assert_eq!(effects(&wiretap.records()), [(Effect::Answered(200), None)]);
}

#[tokio::test]
async fn an_aws_that_is_gone_is_a_broken_call() {
    let upstream = Upstream::start().await;
    let wiretap = Wiretap::start(&upstream.address).await.unwrap();
    drop(upstream);
    assert!(put(&wiretap).await.is_err());
    assert_eq!(effects(&wiretap.records()), [(Effect::Broken, None); 3]);
}

#[tokio::test]
async fn a_dropped_wiretap_no_longer_listens() {
    let (_upstream, wiretap) = both().await;
    let address = wiretap.endpoint().replace("http://", "");
    drop(wiretap);
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_upstream_that_is_no_plain_http_address_is_refused() {
    for address in ["127.0.0.1:4566", "https://127.0.0.1:4566", ""] {
        assert!(Wiretap::start(address).await.is_err(), "{address}");
    }
}
