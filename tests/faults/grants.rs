//! Least privilege, both ways: what the stories call is granted, what is granted the stories use.

use std::collections::BTreeMap;

use loam_kit::Stack;
use loam_kit::wiretap::{Account, Call, Fault, Grants, Names, Rule, Scenario, Service, When, Wiretap, two_way};
use serde_json::Value;

use crate::jitr_api::Routes;
use crate::soil_sweep::{Silence, Tables};
use crate::{
    catalog, catalog_routes, commands, erasures, event_relay, file_transfer, firmware, firmware_releases, jitr,
    onboarding, owners, pairing_api, pairing_relay, presence, soil_alerts, soil_alerts_routes, sync_invoke, telemetry,
    telemetry_routes,
};

/// The calls of a story without faults.
async fn calls_of<S: Scenario>(story: &S) -> Vec<Call> {
    let wiretap = Wiretap::start(&Stack::deployed().endpoint).await.unwrap();
    let world = story.world(&wiretap.endpoint()).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    wiretap.clear_records();
    story.deliver(&world).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    wiretap.calls()
}

#[expect(clippy::disallowed_methods, reason = "a test's own edge")]
fn template() -> Value {
    let path = std::env::var("LOAM_TEMPLATE").unwrap_or_else(|_| panic!("run this test through `cargo xtask test`"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn names(stack: &Stack, template: &Value) -> Names {
    let kinds = template.pointer("/cloudformation/Resources").and_then(Value::as_object).unwrap();
    let account = Account::default();
    let arn = |(id, physical): (&String, &String)| {
        let kind = kinds.get(id)?.get("Type")?.as_str()?;
        let Account { partition, region, id: owner } = &account;
        let arn = match kind {
            "AWS::SNS::Topic" => physical.clone(),
            "AWS::SQS::Queue" => format!("arn:{partition}:sqs:{region}:{owner}:{}", physical.rsplit('/').next()?),
            "AWS::S3::Bucket" => format!("arn:{partition}:s3:::{physical}"),
            "AWS::KMS::Key" => format!("arn:{partition}:kms:{region}:{owner}:key/{physical}"),
            "AWS::IAM::Role" => format!("arn:{partition}:iam::{owner}:role/{physical}"),
            "AWS::DynamoDB::Table" => format!("arn:{partition}:dynamodb:{region}:{owner}:table/{physical}"),
            _ => return None,
        };
        Some((id.clone(), arn))
    };
    let arns: BTreeMap<_, _> = stack.resources.iter().filter_map(arn).collect();
    let conditions = BTreeMap::from([("InvokesByPublish".to_owned(), false)]);
    Names { arns, conditions, stack: stack.stack.clone(), ..Names::default() }
}

fn assert_exact(function: &str, calls: &[Call]) {
    assert_exact_but(function, calls, |_| false);
}

/// As [`assert_exact`], but for grants of which it is shown `elsewhere` that they are used.
fn assert_exact_but(function: &str, calls: &[Call], elsewhere: impl Fn(&str) -> bool) {
    assert!(!calls.is_empty());
    let (stack, template) = (Stack::deployed(), template());
    let grants = Grants::from_template(&template, function, &names(&stack, &template)).unwrap();
    let mut difference = two_way(calls, &grants, &Account::default());
    difference.unused.retain(|unused| !elsewhere(unused));
    println!("{function}: {difference}");
    assert!(difference.is_exact(), "{function}: {difference}");
}

/// The key of cursors is made once in a stack's life: by whichever test comes first.
fn makes_the_key_of_cursors(unused: &str) -> bool {
    unused.starts_with("dynamodb:PutItem") && unused.contains("HttpTable")
}

#[tokio::test]
async fn event_relay_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &event_relay::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact("EventRelay", &calls);
}

/// Identity pools take no signature: who asks them needs no grant. The wiretap tells nothing else of such a call.
fn is_of_an_identity_pool(call: &Call) -> bool {
    call.service == Service::Unknown(String::new()) && call.operation.name() == "unsigned POST /"
}

#[tokio::test(flavor = "multi_thread")]
async fn pairings_routes_may_do_exactly_what_they_do() {
    let stage = pairing_api::Stage::new().await;
    let (mut calls, mut unsigned) = (Vec::new(), 0);
    for story in stage.stories(Tables::OfTheStack) {
        let (of_pools, signed): (Vec<_>, Vec<_>) = calls_of(&story).await.into_iter().partition(is_of_an_identity_pool);
        assert!(of_pools.is_empty() || story.way == pairing_api::Way::Credentials, "{of_pools:?}");
        unsigned += of_pools.len();
        calls.extend(signed);
    }
    assert!(unsigned > 0, "nobody asked for credentials");
    assert_exact("PairingApi", &calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn pairing_relay_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &pairing_relay::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact("PairingRelay", &calls);
}

#[tokio::test]
async fn soil_alerts_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &soil_alerts::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact("SoilAlerts", &calls);
}

#[tokio::test]
async fn the_routes_of_soil_alerts_may_do_exactly_what_they_do() {
    let mut calls = Vec::new();
    for story in soil_alerts_routes::STORIES.iter().map(soil_alerts_routes::Story::cold) {
        calls.extend(calls_of(&story).await);
    }
    assert_exact_but("SoilAlertsApi", &calls, makes_the_key_of_cursors);
}

#[tokio::test]
async fn the_sweep_may_do_exactly_what_it_does() {
    assert_exact("SoilAlertsSweep", &calls_of(&Silence(Tables::OfTheStack)).await);
}

#[tokio::test]
async fn telemetry_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &telemetry::STORIES {
        calls.extend(calls_of(story).await);
    }
    calls.extend(calls_of(&erasures::Series(Tables::OfTheStack)).await);
    assert_exact("Telemetry", &calls);
}

#[tokio::test]
async fn telemetrys_routes_may_do_exactly_what_they_do() {
    let mut calls = Vec::new();
    for story in &telemetry_routes::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact_but("TelemetryApi", &calls, makes_the_key_of_cursors);
}

#[tokio::test]
async fn pairing_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &owners::stories(Tables::OfTheStack) {
        calls.extend(calls_of(story).await);
    }
    assert_exact("Pairing", &calls);
}

#[tokio::test]
async fn the_catalogs_projector_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &catalog::STORIES {
        calls.extend(calls_of(story).await);
    }
    for story in owners::erasures(Tables::OfTheStack).iter().filter(|story| story.by == owners::By::Catalog) {
        calls.extend(calls_of(story).await);
    }
    assert_exact("CatalogProjector", &calls);
}

#[tokio::test]
async fn the_catalogs_routes_may_do_exactly_what_they_do() {
    let mut calls = Vec::new();
    for story in catalog_routes::STORIES.iter().map(catalog_routes::Story::in_the_stack) {
        calls.extend(calls_of(&story).await);
    }
    assert_exact_but("CatalogApi", &calls, makes_the_key_of_cursors);
}

#[tokio::test]
async fn jitrs_routes_may_do_exactly_what_they_do() {
    assert_exact_but("JitrApi", &calls_of(&Routes::All).await, makes_the_key_of_cursors);
}

#[tokio::test]
async fn jitr_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &jitr::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact("Jitr", &calls);
}

/// The calls of presence's stories that come by one of its functions.
async fn of_presence(by: presence::By) -> Vec<Call> {
    let mut calls = Vec::new();
    for story in presence::STORIES.iter().filter(|story| story.by == by) {
        calls.extend(calls_of(story).await);
    }
    calls
}

#[tokio::test]
async fn presence_may_do_exactly_what_it_does() {
    assert_exact("Presence", &of_presence(presence::By::Rule).await);
}

#[tokio::test]
async fn presence_delayed_may_do_exactly_what_it_does() {
    assert_exact("PresenceDelayed", &of_presence(presence::By::Queue).await);
}

#[tokio::test]
async fn presence_api_may_do_exactly_what_it_does() {
    assert_exact_but("PresenceApi", &of_presence(presence::By::Api).await, makes_the_key_of_cursors);
}

/// What the session for answers may: the broker checks it, and sync-invoke's own tests show that nothing more is granted.
fn is_of_the_session(unused: &str) -> bool {
    ["iot:Connect", "iot:Subscribe", "iot:Receive"].iter().any(|action| unused.starts_with(action))
}

#[tokio::test]
async fn sync_invoke_may_do_exactly_what_it_does() {
    let stage = sync_invoke::Stage::new(sync_invoke::BRISK).await;
    let mut calls = Vec::new();
    for story in &stage.stories() {
        calls.extend(calls_of(story).await);
    }
    assert_exact_but("SyncInvoke", &calls, is_of_the_session);
}

#[tokio::test]
async fn soil_alerts_things_may_do_exactly_what_it_does() {
    let mut calls = Vec::new();
    for story in &erasures::alerts(Tables::OfTheStack) {
        calls.extend(calls_of(story).await);
    }
    for story in owners::erasures(Tables::OfTheStack).iter().filter(|story| story.by == owners::By::Alerts) {
        calls.extend(calls_of(story).await);
    }
    assert_exact("SoilAlertsThings", &calls);
}

#[tokio::test]
async fn onboarding_may_do_exactly_what_it_does() {
    let mut calls = onboarding::calls_of_a_thing_that_retires_in_between().await;
    for story in &onboarding::STORIES {
        calls.extend(calls_of(story).await);
    }
    assert_exact("Onboarding", &calls);
}

#[tokio::test]
async fn onboarding_retire_may_do_exactly_what_it_does() {
    let mut calls = onboarding::calls_of_an_odd_message().await;
    for story in &onboarding::retirements(Tables::OfTheStack) {
        calls.extend(calls_of(story).await);
    }
    assert_exact("OnboardingRetire", &calls);
}

/// The calls of the stories that one of the functions of commands does.
async fn of_commands(stage: &commands::Stage, function: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for story in stage.stories(Tables::OfTheStack).iter().filter(|story| story.function() == function) {
        calls.extend(if story.has_key() { Box::pin(calls_with_a_key(story)).await } else { calls_of(story).await });
    }
    calls
}

/// The calls of a request with a key: one that fails, so that the key is given back, and two that have the same answer.
async fn calls_with_a_key(story: &impl Scenario) -> Vec<Call> {
    let wiretap = Wiretap::start(&Stack::deployed().endpoint).await.unwrap();
    let world = story.world(&wiretap.endpoint()).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    wiretap.clear_records();
    let fails = Fault::FailBefore { status: 400, code: "ValidationException".to_owned() };
    wiretap.rule(Rule::new(When::any().service(Service::DynamoDb).operation("TransactWriteItems"), fails));
    assert!(story.deliver(&world).await.is_err(), "{}", story.name());
    wiretap.clear_rules();
    for _ in 0..2 {
        story.deliver(&world).await.unwrap_or_else(|error| panic!("{}: {error}", story.name()));
    }
    wiretap.calls()
}

#[tokio::test]
async fn the_functions_of_commands_may_do_exactly_what_they_do() {
    let stage = commands::Stage::new().await;
    assert_exact("Commands", &of_commands(&stage, "Commands").await);
    assert_exact("CommandsSweep", &of_commands(&stage, "CommandsSweep").await);
    assert_exact_but("CommandsApi", &of_commands(&stage, "CommandsApi").await, makes_the_key_of_cursors);
}

/// The calls of the stories that one of the functions of file-transfer does.
async fn of_files(function: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for story in file_transfer::stories(Tables::OfTheStack).iter().filter(|story| story.function() == function) {
        calls.extend(if story.has_key() { Box::pin(calls_with_a_key(story)).await } else { calls_of(story).await });
    }
    calls
}

/// Rights that no call shows: a missing object is 404 and not 403 for who may list its bucket only.
fn tells_what_is_missing(unused: &str) -> bool {
    unused.starts_with("s3:ListBucket ")
}

/// Rights that whoever signs a URL lends to the one who follows it, shown by `functions/file-transfer/tests`: a source is
/// PUT and encrypted, a body is read.
fn is_lent_with_a_url(unused: &str) -> bool {
    unused.starts_with("s3:PutObject") || unused.starts_with("kms:GenerateDataKey")
}

#[tokio::test]
async fn the_functions_of_files_may_do_exactly_what_they_do() {
    assert_exact_but("FileTransfer", &of_files("FileTransfer").await, tells_what_is_missing);
    assert_exact_but("FileTransferApi", &of_files("FileTransferApi").await, |unused| {
        makes_the_key_of_cursors(unused) || tells_what_is_missing(unused) || is_lent_with_a_url(unused)
    });
}

/// The calls of the stories that one of the functions of uploads and orders does.
async fn of_releases(function: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for story in firmware_releases::stories(Tables::OfTheStack).iter().filter(|story| story.function() == function) {
        calls.extend(if story.has_key() { Box::pin(calls_with_a_key(story)).await } else { calls_of(story).await });
    }
    calls
}

#[tokio::test]
async fn intake_and_routes_of_firmware_may_do_exactly_what_they_do() {
    assert_exact_but("FirmwareIntake", &of_releases("FirmwareIntake").await, tells_what_is_missing);
    // A dynamic group is looked at in `functions/firmware/tests`.
    let reads_a_group = |unused: &str| unused.starts_with("dynamodb:GetItem") && unused.contains("GroupsTable");
    assert_exact_but("FirmwareApi", &of_releases("FirmwareApi").await, |unused| {
        makes_the_key_of_cursors(unused) || reads_a_group(unused)
    });
}

/// The calls of the stories that one of the queues' functions of firmware does.
async fn of_firmware(function: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    for story in firmware::stories(Tables::OfTheStack).iter().filter(|story| story.function() == function) {
        calls.extend(Box::pin(calls_of(story)).await);
    }
    calls
}

#[tokio::test]
async fn the_queues_functions_of_firmware_may_do_exactly_what_they_do() {
    // AWS IoT is handed a role with a job: that is no call.
    let hands_a_role_on = |unused: &str| tells_what_is_missing(unused) || unused.starts_with("iam:PassRole");
    assert_exact_but("FirmwareConductor", &of_firmware("FirmwareConductor").await, hands_a_role_on);
    // Who follows a URL reads an image.
    let lends = |unused: &str| unused.starts_with("s3:GetObject");
    assert_exact_but("FirmwareProgress", &of_firmware("FirmwareProgress").await, lends);
}
