//! One test's world: a CA of its own with a profile, the function's handler under its own role.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_iot::types::CertificateStatus;
use jitr::profile::{Profile, ProfileDocument};
use jitr::{By, Config, Handler, Ledger, Profiles, Standing};
use loam_domain::{CertificateId, ThingName};
use loam_kit::{Authority, Inbox, Stack, now};
use loam_runtime::{BatchItem, Invocation};
use loam_things::{ThingRecord, Things};
use serde_json::{Value, json};

/// Counts runs, so that each has a request id of its own.
static RUNS: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct World {
    pub(crate) handler: Handler,
    pub(crate) authority: Authority,
    pub(crate) profiles: Profiles,
    pub(crate) ledger: Ledger,
    pub(crate) things: Things,
    pub(crate) iot: aws_sdk_iot::Client,
    pub(crate) policy: String,
    admin: aws_config::SdkConfig,
}

impl World {
    /// A world whose CA has this profile.
    pub(crate) async fn new(profile: Value) -> Self {
        let world = Self::without_profile().await;
        world.put_profile(profile).await;
        world
    }

    pub(crate) async fn without_profile() -> Self {
        let stack = Stack::deployed();
        let function = stack.function("Jitr");
        let config = Config::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        Self {
            authority: Authority::register(&admin).await,
            profiles: Profiles::new(&admin, config.profiles_table.clone()),
            ledger: Ledger::new(&admin, config.certificates_table.clone()),
            things: Things::new(&admin, config.things_table.clone()),
            iot: aws_sdk_iot::Client::new(&admin),
            policy: config.device_policies[0].clone(),
            handler: Handler::new(&stack.role_of(function, &stack.endpoint).await, config),
            admin,
        }
    }

    /// Puts the CA's profile, whatever there was.
    pub(crate) async fn put_profile(&self, profile: Value) {
        let document: ProfileDocument = serde_json::from_value(profile).unwrap();
        let profile = Profile::check(document).unwrap();
        let before = self.profiles.get(&self.authority.ca_id).await.unwrap().map(|stored| stored.version);
        let by = By { who: "test", at: now() };
        self.profiles.put(&self.authority.ca_id, &profile, before, by).await.unwrap().unwrap();
    }

    /// A certificate for this name, as AWS has it after its first connect.
    pub(crate) async fn present(&self, name: &str) -> CertificateId {
        self.authority.present(&self.authority.issue(name).0).await
    }

    pub(crate) fn event(&self, certificate: &CertificateId) -> String {
        json!({
            "certificateId": certificate, "caCertificateId": self.authority.ca_id, "timestamp": now().as_millis(),
            "certificateStatus": "PENDING_ACTIVATION", "awsAccountId": "000000000000",
            "certificateRegistrationTimestamp": null,
        })
        .to_string()
    }

    /// Delivers one batch; answers the places of the messages that must come again.
    pub(crate) async fn deliver(&self, bodies: impl IntoIterator<Item = String>) -> Vec<String> {
        let batch = bodies.into_iter().enumerate();
        let batch = batch.map(|(at, body)| BatchItem { message_id: at.to_string(), body }).collect();
        let request_id = format!("run-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        Box::pin(self.handler.handle(batch, &Invocation { request_id, now: now() })).await.unwrap()
    }

    /// Delivers the certificate's event once; it must be done after that.
    pub(crate) async fn register(&self, certificate: &CertificateId) {
        assert!(self.deliver([self.event(certificate)]).await.is_empty());
    }

    pub(crate) async fn status(&self, certificate: &CertificateId) -> CertificateStatus {
        let answer = self.iot.describe_certificate().certificate_id(certificate.as_str()).send().await.unwrap();
        answer.certificate_description.unwrap().status.unwrap()
    }

    pub(crate) async fn policies(&self, certificate: &CertificateId) -> Vec<String> {
        let answer = self.iot.list_attached_policies().target(self.arn(certificate).await).send().await.unwrap();
        answer.policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_name).collect()
    }

    pub(crate) async fn principals(&self, thing: &ThingName) -> Vec<String> {
        let answer = self.iot.list_thing_principals().thing_name(thing.as_str()).send().await.unwrap();
        let id = |arn: String| arn.rsplit('/').next().unwrap().to_owned();
        answer.principals.unwrap_or_default().into_iter().map(id).collect()
    }

    pub(crate) async fn arn(&self, certificate: &CertificateId) -> String {
        let answer = self.iot.describe_certificate().certificate_id(certificate.as_str()).send().await.unwrap();
        answer.certificate_description.unwrap().certificate_arn.unwrap()
    }

    pub(crate) async fn record(&self, thing: &ThingName) -> Option<ThingRecord> {
        self.things.get(thing).await.unwrap()
    }

    /// What the ledger says of a certificate; `None` without a row.
    pub(crate) async fn standing(&self, certificate: &CertificateId) -> Option<Standing> {
        self.ledger.get(certificate).await.unwrap().map(|row| row.standing)
    }

    /// The reasons for which a certificate was refused, as words; empty if it was not.
    pub(crate) async fn reasons(&self, certificate: &CertificateId) -> Vec<&'static str> {
        match self.standing(certificate).await {
            Some(Standing::Refused(_, reasons)) => reasons.into_iter().map(|reason| reason.as_str()).collect(),
            _ => vec![],
        }
    }

    /// A mailbox for the events of a thing.
    pub(crate) async fn inbox(&self, thing: &ThingName) -> Inbox {
        Inbox::open(&self.admin, Stack::deployed().output("EventsTopic"), thing.as_str()).await
    }
}
