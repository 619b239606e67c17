//! jitr: certificates on their way to a thing, refused, replaced, rotated out, revoked.

use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_iot::types::CertificateStatus;
use jitr::lists::{Entry, Kind, List};
use jitr::profile::{Profile, ProfileDocument};
use jitr::{By, Config, Handler, Ledger, Profiles};
use loam_device::Device;
use loam_domain::{CertificateId, ThingName};
use loam_kit::wiretap::Scenario;
use loam_kit::{Authority, DeadLetterQueue, Inbox, Stack, eventually, now, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use serde_json::{Value, json};

use crate::{all_done, survives_crashes, survives_strain};

/// What is delivered.
#[derive(Clone, Copy, PartialEq)]
enum Kinds {
    /// AWS's event of the story's certificate.
    Registered,
    /// The device connected with the story's certificate, which has taken another one's place.
    Connected,
    /// The story's certificate was revoked a minute ago.
    Revoked,
    /// The same, and its device is connected.
    RevokedWhileConnected,
    /// Something that nobody can read.
    Noise,
}

impl Kinds {
    /// Whether the story's certificate is active before the delivery.
    const fn is_after_registration(self) -> bool {
        matches!(self, Self::Connected | Self::Revoked | Self::RevokedWhileConnected)
    }
}

/// A certificate's story.
pub(crate) struct Story {
    name: &'static str,
    profile: &'static str,
    /// Whether a first certificate of the same thing is active already.
    has_first: bool,
    /// Whether the story's certificate is on the deny list.
    is_denied: bool,
    delivered: Kinds,
}

pub(crate) const STORIES: [Story; 8] = [
    Story {
        name: "a new certificate becomes a thing",
        profile: r#"{"enabled": true}"#,
        has_first: false,
        is_denied: false,
        delivered: Kinds::Registered,
    },
    Story {
        name: "a certificate on the deny list is refused",
        profile: r#"{"enabled": true}"#,
        has_first: false,
        is_denied: true,
        delivered: Kinds::Registered,
    },
    Story {
        name: "a second certificate is to take the first one's place",
        profile: r#"{"enabled": true, "secondCertificate": "rotate"}"#,
        has_first: true,
        is_denied: false,
        delivered: Kinds::Registered,
    },
    Story {
        name: "a second certificate takes the first one's place at once",
        profile: r#"{"enabled": true, "secondCertificate": "replace"}"#,
        has_first: true,
        is_denied: false,
        delivered: Kinds::Registered,
    },
    Story {
        name: "a device connects with the certificate that takes the first one's place",
        profile: r#"{"enabled": true, "secondCertificate": "rotate"}"#,
        has_first: true,
        is_denied: false,
        delivered: Kinds::Connected,
    },
    Story {
        name: "a revoked certificate is looked at again",
        profile: r#"{"enabled": true}"#,
        has_first: false,
        is_denied: false,
        delivered: Kinds::Revoked,
    },
    Story {
        name: "a certificate is revoked while its device is connected",
        profile: r#"{"enabled": true}"#,
        has_first: false,
        is_denied: false,
        delivered: Kinds::RevokedWhileConnected,
    },
    Story {
        name: "a message that nobody can read",
        profile: r#"{"enabled": true}"#,
        has_first: false,
        is_denied: false,
        delivered: Kinds::Noise,
    },
];

/// One run's world.
pub(crate) struct World {
    handler: Handler,
    body: String,
    thing: ThingName,
    certificates: Vec<CertificateId>,
    ca_id: CertificateId,
    iot: aws_sdk_iot::Client,
    ledger: Ledger,
    things: Things,
    inbox: Inbox,
    dead_letters: DeadLetterQueue,
    groups: String,
    runs: AtomicI64,
    connections: aws_sdk_iotdataplane::Client,
    device: Option<Device>,
}

/// What is left after a run: of each certificate AWS's status, its policies, our standing, its place in the record; the
/// record's state; who is attached; the distinct notices and refusals.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    certificates: Vec<(String, usize, String, String)>,
    state: Option<&'static str>,
    attached: usize,
    group: usize,
    connected: Option<bool>,
    notices: Vec<String>,
    kept: Vec<String>,
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let function = stack.function("Jitr");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        let (authority, thing) = (Authority::register(&admin).await, unique_thing("fault"));
        let (iot, groups) = (aws_sdk_iot::Client::new(&admin), format!("group-{thing}"));
        iot.create_thing_group().thing_group_name(&groups).send().await.unwrap();
        self.put_profile(&Profiles::new(&admin, config.profiles_table.clone()), &authority.ca_id, &groups, &thing)
            .await;
        let mut world = World {
            ledger: Ledger::new(&admin, config.certificates_table.clone()),
            things: Things::new(&admin, config.things_table.clone()),
            inbox: Inbox::open(&admin, stack.output("EventsTopic"), thing.as_str()).await,
            dead_letters: DeadLetterQueue::new(&admin, stack.output("JitrDeadLetters")),
            handler: Handler::new(&stack.role_of(function, endpoint).await, config),
            body: String::new(),
            certificates: vec![],
            ca_id: authority.ca_id.clone(),
            thing,
            iot,
            groups,
            runs: AtomicI64::new(0),
            connections: aws_sdk_iotdataplane::Client::new(&admin),
            device: None,
        };
        let before = usize::from(self.has_first) + usize::from(self.delivered.is_after_registration());
        let mut key_pair = (String::new(), String::new());
        for _ in 0..=usize::from(self.has_first) {
            key_pair = authority.issue(world.thing.as_str());
            world.certificates.push(authority.present(&key_pair.0).await);
        }
        for certificate in world.certificates.iter().take(before) {
            world.send(world.registered(certificate)).await?;
        }
        if self.delivered == Kinds::RevokedWhileConnected {
            world.device = Some(stack.device(world.thing.as_str(), &key_pair.0, &key_pair.1).await);
        }
        world.body = self.body(&world);
        Ok(world)
    }

    /// Looks first at what the run before left behind: whatever broke off, no certificate is active without its policy.
    async fn deliver(&self, world: &World) -> Result<(), String> {
        for certificate in &world.certificates {
            if world.status(certificate).await == CertificateStatus::Active && world.policies(certificate).await == 0 {
                return Err(format!("{certificate} is active without a policy"));
            }
        }
        world.send(world.body.clone()).await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        let record = world.things.get(&world.thing).await.unwrap();
        let mut certificates = Vec::new();
        for id in &world.certificates {
            let place = record.as_ref().and_then(|record| record.status_of(id)).map_or("none", |state| state.as_str());
            let standing = world.ledger.get(id).await.unwrap().map(|row| row.standing);
            let word = standing
                .map_or_else(|| "none".to_owned(), |standing| format!("{} {:?}", standing.word(), standing.reasons()));
            let status = world.status(id).await.as_str().to_owned();
            certificates.push((status, world.policies(id).await, word, place.to_owned()));
        }
        let event = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = |event: &Value| text(event, "type") == "certificate.refused";
        let mails = world.inbox.take().await;
        let events = mails.iter().map(|mail| event(&mail.message)).filter(refused);
        let reasons = |event: Value| event.pointer("/data/reasons").map(ToString::to_string).unwrap_or_default();
        let mut notices: Vec<_> = events.map(reasons).collect();
        notices.dedup();
        let letters = world.dead_letters.about(world.thing.as_str()).await;
        let mut kept: Vec<_> = letters.iter().map(|letter| text(letter, "code")).collect();
        kept.dedup();
        Ok(Left {
            certificates,
            state: record.map(|record| record.state.as_str()),
            attached: world.attached().await,
            group: world.members().await,
            connected: world.connected().await,
            notices,
            kept,
        })
    }
}

impl Story {
    /// Whether it makes a call that no shorter story makes.
    fn is_strained(&self) -> bool {
        !self.has_first || self.delivered == Kinds::Connected
    }

    async fn put_profile(&self, profiles: &Profiles, ca_id: &CertificateId, group: &str, thing: &ThingName) {
        let mut document: ProfileDocument = serde_json::from_str(self.profile).unwrap();
        document.groups.insert(group.to_owned());
        let by = By { who: "fault", at: now() };
        profiles.put(ca_id, &Profile::check(document).unwrap(), None, by).await.unwrap().unwrap();
        if self.is_denied {
            let entry = Entry::new(List::Deny, Kind::Name, thing.as_str()).unwrap();
            profiles.put_entry(ca_id, &entry, by).await.unwrap();
        }
    }

    fn body(&self, world: &World) -> String {
        let newest = world.certificates.last().unwrap();
        match self.delivered {
            Kinds::Registered => world.registered(newest),
            Kinds::Connected => {
                let data = json!({"principal": newest});
                let kind = "presence.principal-changed";
                json!({"id": "x.1", "type": kind, "thing": world.thing, "at": 1, "epoch": 1, "data": data}).to_string()
            }
            Kinds::Revoked | Kinds::RevokedWhileConnected => json!({
                "kind": "recheck", "thing": world.thing, "certificates": [newest], "status": "REVOKED", "by": "anna",
                "reasons": ["lost"], "attempt": 0,
            })
            .to_string(),
            Kinds::Noise => json!({"noise": format!("/{}/", world.thing)}).to_string(),
        }
    }
}

impl World {
    fn registered(&self, certificate: &CertificateId) -> String {
        json!({"certificateId": certificate, "caCertificateId": self.ca_id}).to_string()
    }

    async fn send(&self, body: String) -> Result<(), String> {
        // A request id of its own, by which the lease tells runs apart; and later than the run before by as much as a
        // message is invisible, when the lease of a run that died is over.
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let invocation = Invocation { request_id: format!("fault-{run:03}"), now: now().plus_millis(run * 180_000) };
        let handled = self.handler.handle(vec![BatchItem { message_id: "0".to_owned(), body }], &invocation);
        all_done(Box::pin(handled).await)
    }

    async fn description(&self, certificate: &CertificateId) -> aws_sdk_iot::types::CertificateDescription {
        let answer = self.iot.describe_certificate().certificate_id(certificate.as_str()).send().await.unwrap();
        answer.certificate_description.unwrap()
    }

    async fn status(&self, certificate: &CertificateId) -> CertificateStatus {
        self.description(certificate).await.status.unwrap()
    }

    async fn policies(&self, certificate: &CertificateId) -> usize {
        let arn = self.description(certificate).await.certificate_arn.unwrap();
        self.iot.list_attached_policies().target(arn).send().await.unwrap().policies.unwrap_or_default().len()
    }

    async fn attached(&self) -> usize {
        let answer = self.iot.list_thing_principals().thing_name(self.thing.as_str()).send().await;
        answer.map_or(0, |answer| answer.principals.unwrap_or_default().len())
    }

    async fn members(&self) -> usize {
        let answer = self.iot.list_things_in_thing_group().thing_group_name(&self.groups).send().await.unwrap();
        answer.things.unwrap_or_default().len()
    }

    /// Whether the device is connected; `None` where the story has none.
    async fn connected(&self) -> Option<bool> {
        let device = self.device.as_ref()?;
        let ask = async || self.connections.get_connection().client_id(device.thing()).send().await.ok();
        Some(eventually("an answer about the connection", ask).await.connected)
    }

    /// What differs from run to run, and what stands for it in a table of calls.
    pub(crate) fn renames(&self) -> Vec<(String, String)> {
        let names = ["newest", "first"];
        let certificates = self.certificates.iter().rev().map(ToString::to_string);
        let mut renames: Vec<_> = certificates.zip(names.map(str::to_owned)).collect();
        renames.push((self.ca_id.to_string(), "ca".to_owned()));
        renames.push((self.groups.clone(), "group".to_owned()));
        renames.push((self.thing.to_string(), "thing".to_owned()));
        renames
    }
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in &STORIES {
        survives_crashes(story).await;
    }
}

/// The stories that together make each of the calls: joining, being refused, being rotated out.
#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    for story in STORIES.iter().filter(|story| story.is_strained()) {
        survives_strain(story).await;
    }
}
