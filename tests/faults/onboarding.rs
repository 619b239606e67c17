//! onboarding: a device's description, and a thing's retirement.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iotdataplane::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_domain::{CertificateId, ThingName};
use loam_kit::wiretap::{Call, Fault, Rule, Scenario, When, Wiretap};
use loam_kit::{DeadLetterQueue, Stack, copy_item, now, twin_of_table, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{Registration, RetirementOrder, Things};
use onboarding::retire::CAPABILITIES;
use onboarding::{Config, Handler, RetireConfig, Retirer};
use serde_json::{Value, json};

use crate::soil_sweep::Tables;
use crate::{all_done, survives_crashes, survives_strain};

/// A description: how many came before it, and whether it is one at all.
pub(crate) struct Story {
    name: &'static str,
    before: usize,
    good: bool,
}

pub(crate) const STORIES: [Story; 3] = [
    Story { name: "the first description of a thing", before: 0, good: true },
    Story { name: "a description that changes the version", before: 1, good: true },
    Story { name: "a description that is no JSON", before: 0, good: false },
];

/// A thing as JITR leaves it, with the clients of the tester.
pub(crate) struct Known {
    thing: ThingName,
    certificate: CertificateId,
    arn: String,
    policy: String,
    catalog: String,
    things: Things,
    things_table: String,
    iot: aws_sdk_iot::Client,
    shadows: aws_sdk_iotdataplane::Client,
    tables: aws_sdk_dynamodb::Client,
}

/// What of a thing is to be seen, without what differs by nature.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    certificate: Option<String>,
    policy: bool,
    attributes: Option<BTreeMap<String, String>>,
    shadow: Option<Value>,
    named_shadow: bool,
    item: Option<BTreeMap<String, String>>,
    state: String,
    awaiting: Option<BTreeSet<String>>,
    events: Vec<&'static str>,
    seeded: bool,
    kept: BTreeSet<String>,
}

impl Known {
    /// A thing whose record lies in a table of its own, of which nobody hears, or in the stack's.
    async fn new(tables: Tables) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("OnboardingRetire");
        let config = RetireConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        let iot = aws_sdk_iot::Client::new(&admin);
        let made = iot.create_keys_and_certificate().set_as_active(true).send().await.unwrap();
        let things_table = match tables {
            Tables::Own => twin_of_table(&admin, &config.things_table).await,
            Tables::OfTheStack => config.things_table,
        };
        let known = Self {
            thing: unique_thing("fault"),
            certificate: CertificateId::parse(made.certificate_id().unwrap()).unwrap(),
            arn: made.certificate_arn.unwrap(),
            policy: config.device_policies.first().unwrap().clone(),
            catalog: config.catalog_table,
            things: Things::new(&admin, things_table.clone()),
            things_table,
            shadows: aws_sdk_iotdataplane::Client::new(&admin),
            tables: aws_sdk_dynamodb::Client::new(&admin),
            iot,
        };
        known.register().await;
        known
    }

    async fn register(&self) {
        let registration = Registration {
            certificate: self.certificate.clone(),
            ca_id: CertificateId::parse(&"c".repeat(64)).unwrap(),
            thing_type: None,
            groups: BTreeSet::new(),
            attributes: BTreeMap::new(),
            initial_desired: json!({"interval": 30}).as_object().cloned(),
            max_devices: None,
        };
        let name = self.thing.as_str();
        self.things.register(&self.thing, registration, now()).await.unwrap();
        self.iot.create_thing().thing_name(name).send().await.unwrap();
        self.iot.attach_thing_principal().thing_name(name).principal(&self.arn).send().await.unwrap();
        self.iot.attach_policy().policy_name(&self.policy).target(&self.arn).send().await.unwrap();
        self.things.certificate_activated(&self.thing, &self.certificate, now()).await.unwrap();
    }

    /// The rule's event of a description of this version, or of something else.
    fn event(&self, version: usize, good: bool) -> Value {
        let description = json!({
            "endpoint": "x-ats.iot.us-east-1.amazonaws.com", "clientId": self.thing.as_str(), "thingId": "4711",
            "manufacturerName": "Acme Gardens", "modelName": "Moist 2", "version": version.to_string(),
            "friendlyName": "Balcony", "friendlyDescription": "The pot on the balcony", "type": "soil",
        });
        let payload = if good { description.to_string() } else { "clientId=soilSensor1".to_owned() };
        json!({
            "payload": STANDARD.encode(payload), "topic": format!("loam/{}/describe", self.thing),
            "clientId": self.thing.as_str(), "receivedAt": 1_598_536_072_700_i64 + i64::try_from(version).unwrap(),
        })
    }

    async fn begin_retirement(&self) {
        let awaiting = CAPABILITIES.map(str::to_owned).into();
        let order = RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
        self.things.begin_retirement(&self.thing, order, now()).await.unwrap();
    }

    async fn left(&self) -> Left {
        let thing = self.thing.as_str();
        let certificate = self.iot.describe_certificate().certificate_id(self.certificate.as_str()).send().await.ok();
        let status = certificate.and_then(|found| found.certificate_description?.status);
        let targets = self.iot.list_targets_for_policy().policy_name(&self.policy).send().await.unwrap();
        let found = self.iot.describe_thing().thing_name(thing).send().await.ok();
        let named = self.shadows.get_thing_shadow().thing_name(thing).shadow_name("config").send().await;
        let get = self.tables.get_item().table_name(&self.catalog).consistent_read(true);
        let item = get.key("clientId", AttributeValue::S(thing.to_owned())).send().await.unwrap().item;
        let text = |(name, value): (String, AttributeValue)| (name, value.as_s().unwrap().replace(thing, "{thing}"));
        let record = self.things.get(&self.thing).await.unwrap().unwrap();
        let history = self.things.history(&self.thing, None, 100).await.unwrap();
        let letters =
            DeadLetterQueue::new(&Stack::deployed().admin().await, Stack::deployed().output("OnboardingDeadLetters"));
        let code = |letter: &Value| letter.get("code").and_then(Value::as_str).unwrap_or("no code").to_owned();
        Left {
            certificate: status.map(|status| status.as_str().to_owned()),
            policy: targets.targets.unwrap_or_default().contains(&self.arn),
            attributes: found.map(|found| found.attributes.unwrap_or_default().into_iter().collect()),
            shadow: self.shadow().await,
            named_shadow: named.is_ok(),
            item: item.map(|item| item.into_iter().map(text).collect()),
            state: record.state.to_string(),
            awaiting: record.retirement.map(|retirement| retirement.awaiting),
            events: history.events.iter().map(|event| event.kind.as_str()).collect(),
            seeded: record.shadow_seeded,
            kept: letters.about(thing).await.iter().map(code).collect(),
        }
    }

    async fn shadow(&self) -> Option<Value> {
        let found = self.shadows.get_thing_shadow().thing_name(self.thing.as_str()).send().await.ok()?;
        let document: Value = serde_json::from_slice(found.payload?.as_ref()).unwrap();
        document.get("state").cloned()
    }

    async fn write_shadow(&self, name: Option<&str>) {
        let update = self.shadows.update_thing_shadow().thing_name(self.thing.as_str());
        let update = update.set_shadow_name(name.map(str::to_owned));
        update.payload(Blob::new(r#"{"state":{"reported":{"a":1}}}"#)).send().await.unwrap();
    }
}

fn invocation() -> Invocation {
    Invocation { request_id: "fault".to_owned(), now: now() }
}

/// The function that takes descriptions, under its own role on the stack's records.
async fn describer(endpoint: &str) -> Handler {
    let stack = Stack::deployed();
    let function = stack.function("Onboarding");
    let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
    Handler::new(&stack.role_of(function, endpoint).await, config)
}

/// The function that retires, under its own role on the stack's records.
async fn retirer(endpoint: &str) -> Retirer {
    let stack = Stack::deployed();
    let function = stack.function("OnboardingRetire");
    let config = RetireConfig::from_lookup(&|name| function.variable(name)).unwrap();
    Retirer::new(&stack.role_of(function, endpoint).await, config)
}

impl Known {
    /// Takes a description into the thing's own records.
    async fn describe(&self) -> Result<(), String> {
        let stack = Stack::deployed();
        let function = stack.function("Onboarding");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let config = Config { things_table: self.things_table.clone(), ..config };
        let handler = Handler::new(&stack.admin().await, config);
        handler.handle(self.event(0, true), &invocation()).await.map_err(|error| error.to_string())
    }

    /// Who retires it: the administrator on records of its own, or the function on the stack's, in which the record is
    /// put without its events, so that no deployed function acts on it.
    async fn retirer(&self, endpoint: &str, tables: Tables) -> Retirer {
        let stack = Stack::deployed();
        let function = stack.function("OnboardingRetire");
        let config = RetireConfig::from_lookup(&|name| function.variable(name)).unwrap();
        match tables {
            Tables::Own => {
                let config = RetireConfig { things_table: self.things_table.clone(), ..config };
                Retirer::new(&stack.admin_through(endpoint).await, config)
            }
            Tables::OfTheStack => {
                self.copy_to(&config.things_table).await;
                Retirer::new(&stack.role_of(function, endpoint).await, config)
            }
        }
    }

    async fn copy_to(&self, table: &str) {
        let keys = [("thing", self.thing.as_str()), ("item", "record")];
        copy_item(&Stack::deployed().admin().await, &self.things_table, table, keys).await;
    }
}

impl Scenario for Story {
    type World = (Known, Handler);
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<Self::World, String> {
        let known = Known::new(Tables::OfTheStack).await;
        for version in 0..self.before {
            let straight = describer(&Stack::deployed().endpoint).await;
            let done = straight.handle(known.event(version, true), &invocation()).await;
            done.map_err(|error| error.to_string())?;
        }
        Ok((known, describer(endpoint).await))
    }

    async fn deliver(&self, (known, handler): &Self::World) -> Result<(), String> {
        let event = known.event(self.before, self.good);
        handler.handle(event, &invocation()).await.map_err(|error| error.to_string())
    }

    async fn state(&self, (known, _): &Self::World) -> Result<Left, String> {
        Ok(known.left().await)
    }
}

/// A thing that described itself retires; the others have acknowledged by then, or will later.
pub(crate) struct Retirement {
    name: &'static str,
    others: bool,
    tables: Tables,
}

/// The stories on records of their own, or on the stack's.
pub(crate) const fn retirements(tables: Tables) -> [Retirement; 2] {
    [
        Retirement { name: "a thing retires, and others have not acknowledged", others: false, tables },
        Retirement { name: "a thing retires, and it is the last to acknowledge", others: true, tables },
    ]
}

impl Scenario for Retirement {
    type World = (Known, Retirer);
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<Self::World, String> {
        let known = Known::new(Tables::Own).await;
        known.describe().await?;
        known.write_shadow(Some("config")).await;
        known.begin_retirement().await;
        for capability in CAPABILITIES.iter().skip(1).filter(|_| self.others) {
            known.things.acknowledge_retirement(&known.thing, capability, now()).await.unwrap();
        }
        let retirer = known.retirer(endpoint, self.tables).await;
        Ok((known, retirer))
    }

    async fn deliver(&self, (known, retirer): &Self::World) -> Result<(), String> {
        let body = json!({"id": "x", "type": "thing.retiring", "thing": known.thing, "at": 7, "epoch": 1, "data": {}});
        let item = BatchItem { message_id: "0".to_owned(), body: body.to_string() };
        all_done(retirer.handle(vec![item], &invocation()).await)
    }

    async fn state(&self, (known, _): &Self::World) -> Result<Left, String> {
        Ok(known.left().await)
    }
}

/// A message that is no event, for the grants.
pub(crate) async fn calls_of_an_odd_message() -> Vec<Call> {
    let wiretap = Wiretap::start(&Stack::deployed().endpoint).await.unwrap();
    let item = BatchItem { message_id: "0".to_owned(), body: "odd".to_owned() };
    retirer(&wiretap.endpoint()).await.handle(vec![item], &invocation()).await.unwrap();
    wiretap.calls()
}

/// The thing retires, and its shadow is deleted, in the moment in which its first description writes one.
pub(crate) async fn calls_of_a_thing_that_retires_in_between() -> Vec<Call> {
    let wiretap = Wiretap::start(&Stack::deployed().endpoint).await.unwrap();
    let (known, handler) = (Known::new(Tables::Own).await, describer(&wiretap.endpoint()).await);
    let stack = Stack::deployed();
    let records = stack.function("Onboarding").variable("THINGS_TABLE").unwrap();
    known.copy_to(&records).await;
    wiretap.rule(Rule::new(When::any().operation("UpdateThingShadow"), Fault::HoldBefore));
    let retires = async {
        wiretap.wait_held().await;
        known.begin_retirement().await;
        known.copy_to(&records).await;
        let ended = retirer(&stack.endpoint).await.retire(&known.thing, now()).await;
        assert_eq!(ended.unwrap(), "awaits-others");
        wiretap.clear_rules();
        wiretap.release();
    };
    let invocation = invocation();
    let (described, ()) = tokio::join!(Box::pin(handler.handle(known.event(0, true), &invocation)), Box::pin(retires));
    described.unwrap();
    assert_eq!(known.shadow().await, None, "a retired thing has a shadow again");
    wiretap.calls()
}

#[tokio::test]
async fn a_thing_that_retires_while_its_first_shadow_is_written_keeps_none() {
    assert!(!calls_of_a_thing_that_retires_in_between().await.is_empty());
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn a_retirement_that_crashes_at_any_call_leaves_nothing_in_the_end() {
    for story in &retirements(Tables::Own) {
        survives_crashes(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in &STORIES {
        survives_strain(story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_in_a_retirement_never_make_a_wrong_success() {
    // The second story makes all calls of the first.
    let [_, whole] = retirements(Tables::Own);
    survives_strain(&whole).await;
}
