//! jitr's routes: an operator's request that breaks off and is sent again.

use aws_sdk_iot::types::CertificateStatus;
use jitr::{ApiConfig, Config, Handler, api};
use loam_domain::{CertificateId, ThingName};
use loam_kit::wiretap::Scenario;
use loam_kit::{Authority, Stack, api_event, ask, now, unique_thing};
use loam_runtime::{BatchItem, Invocation};
use loam_things::Things;
use serde_json::{Value, json};

use crate::{survives_crashes, survives_strain};

/// What an operator does, request by request.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Routes {
    /// Revokes a thing.
    Revoke,
    /// Uses each route once.
    All,
}

/// One run's world.
pub(crate) struct World {
    api: api::Api,
    thing: ThingName,
    certificate: CertificateId,
    pem: String,
    ca_id: CertificateId,
    iot: aws_sdk_iot::Client,
    things: Things,
}

impl Scenario for Routes {
    type World = World;
    type State = (String, &'static str, usize);
    type Error = String;

    fn name(&self) -> &str {
        match self {
            Self::Revoke => "an operator revokes a thing",
            Self::All => "an operator uses each route",
        }
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let (worker, function) = (stack.function("Jitr"), stack.function("JitrApi"));
        let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let admin = stack.admin().await;
        let (authority, thing) = (Authority::register(&admin).await, unique_thing("route"));
        let pem = authority.issue(thing.as_str()).0;
        let world = World {
            certificate: authority.present(&pem).await,
            ca_id: authority.ca_id.clone(),
            iot: aws_sdk_iot::Client::new(&admin),
            things: Things::new(&admin, config.things_table.clone()),
            api: api::Api::new(&stack.role_of(function, endpoint).await, config.clone()),
            pem,
            thing,
        };
        let direct = World { api: api::Api::new(&stack.role_of(function, &stack.endpoint).await, config), ..world };
        direct.ask("PUT", &direct.profile(), Some(json!({"enabled": true}))).await?;
        let config = Config::from_lookup(&|name| worker.variable(name)).unwrap();
        let handler = Handler::new(&stack.role_of(worker, &stack.endpoint).await, config);
        let body = json!({"certificateId": direct.certificate, "caCertificateId": direct.ca_id}).to_string();
        let invocation = Invocation { request_id: format!("before-{}", direct.thing), now: now() };
        let batch = vec![BatchItem { message_id: "0".to_owned(), body }];
        let failed = Box::pin(handler.handle(batch, &invocation)).await.map_err(|error| error.to_string())?;
        assert!(failed.is_empty());
        Ok(World { api: world.api, ..direct })
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        let revoke = (format!("/v1/things/{}/revoke", world.thing), json!({"reason": "stolen"}));
        if *self == Self::All {
            let (profile, entry) = (world.profile(), format!("{}/deny/name/{}", world.profile(), world.thing));
            let question = json!({"certificatePem": world.pem, "caId": world.ca_id});
            world.ask("PUT", &profile, Some(json!({"enabled": true}))).await?;
            world.ask("GET", &profile, None).await?;
            world.ask("GET", "/v1/ca-profiles?limit=1", None).await?;
            world.ask("PUT", &entry, None).await?;
            world.ask("GET", &format!("{profile}/entries?list=deny&limit=1"), None).await?;
            world.ask("DELETE", &entry, None).await?;
            world.ask("POST", "/v1/jitr/evaluate", Some(question)).await?;
            world.ask("POST", "/v1/jitr/evaluate", Some(world.question_about_nobody())).await?;
        }
        world.ask("POST", &revoke.0, Some(revoke.1)).await?;
        if *self == Self::All {
            world.ask("DELETE", &world.profile(), None).await?;
        }
        Ok(())
    }

    async fn state(&self, world: &World) -> Result<Self::State, String> {
        let answer = world.iot.describe_certificate().certificate_id(world.certificate.as_str()).send().await.unwrap();
        let status = answer.certificate_description.unwrap().status.unwrap_or(CertificateStatus::Active);
        let record = world.things.get(&world.thing).await.unwrap().unwrap();
        Ok((status.as_str().to_owned(), record.state.as_str(), record.live().count()))
    }
}

impl World {
    fn profile(&self) -> String {
        format!("/v1/ca-profiles/{}", self.ca_id)
    }

    /// A certificate whose name no record has, so that the registry is asked for it.
    fn question_about_nobody(&self) -> Value {
        let pem = include_str!("../../functions/jitr/tests/certificates/p256.pem");
        json!({"certificatePem": pem, "caId": self.ca_id})
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<(), String> {
        let event = api_event(&format!("{method} {path}"), path, "operator", &["operators"], body.as_ref());
        let answer = ask(api::routes().with_state(self.api.clone()).into(), event).await;
        if answer.status < 300 { Ok(()) } else { Err(format!("{method} {path}: {}", answer.status)) }
    }
}

#[tokio::test]
async fn a_revocation_that_breaks_off_anywhere_is_finished_when_it_is_sent_again() {
    survives_crashes(&Routes::Revoke).await;
}

#[tokio::test]
async fn a_revocation_under_throttling_and_failures_is_never_a_wrong_success() {
    survives_strain(&Routes::Revoke).await;
}
