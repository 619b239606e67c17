//! One test's world: a thing with a device's key, and people.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_iot::types::CertificateStatus;
use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loam_domain::{CertificateId, ThingName};
use loam_kit::wiretap::Wiretap;
use loam_kit::{Stack, api_event, ask_at, claim_of, now, unique_thing};
use loam_things::{Description, Intent, Registration, Things};
use pairing::store::{Store, Tables};
use pairing::tenancy::{Standing, Tenancy};
use pairing::{Api, ApiConfig, routes};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who<'a> {
    Operator,
    User(&'a str),
}

/// A device's key and its certificate.
#[derive(Clone)]
pub(crate) struct Device {
    key: Arc<EcdsaKeyPair>,
    pem: String,
}

impl Device {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec!["device".to_owned()]).unwrap().self_signed(&key).unwrap();
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der(), &random).unwrap();
        Self { key: Arc::new(pair), pem: certificate.pem() }
    }

    fn sign(&self, text: &str) -> String {
        BASE64_STANDARD.encode(self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap())
    }
}

/// What a route answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: axum::http::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) thing: ThingName,
    pub(crate) device: Device,
    stack: Arc<Stack>,
    router: Router,
    things: Things,
    store: Store,
    iot: aws_sdk_iot::Client,
    rows: aws_sdk_dynamodb::Client,
    memberships: String,
    later: i64,
}

/// A world whose calls are counted.
pub(crate) struct Tapped {
    pub(crate) world: World,
    wiretap: Wiretap,
}

impl Tapped {
    pub(crate) fn calls(&self) -> usize {
        self.wiretap.calls().len()
    }
}

impl World {
    /// A thing that described itself, with an active certificate in AWS IoT.
    pub(crate) async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let admin = stack.admin().await;
        let config = ApiConfig::from_lookup(&|name| stack.function("PairingApi").variable(name)).unwrap();
        let tables = Tables {
            pairings: config.pairings_table.clone(),
            memberships: config.memberships_table.clone(),
            things: config.things_table.clone(),
        };
        let world = Self {
            thing: unique_thing(purpose),
            device: Device::new(),
            router: Self::router(&stack, &stack.endpoint).await,
            things: Things::new(&admin, config.things_table),
            store: Store::new(&admin, tables),
            iot: aws_sdk_iot::Client::new(&admin),
            rows: aws_sdk_dynamodb::Client::new(&admin),
            memberships: config.memberships_table,
            stack: Arc::new(stack),
            later: 0,
        };
        world.onboard().await;
        world
    }

    async fn router(stack: &Stack, endpoint: &str) -> Router {
        let function = stack.function("PairingApi");
        let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        routes().with_state(Api::new(&stack.role_of(function, endpoint).await, config)).into()
    }

    /// The same clients, with another thing and device.
    pub(crate) async fn another(&self, purpose: &str) -> Self {
        let world = Self { thing: unique_thing(purpose), device: Device::new(), ..self.clone() };
        world.onboard().await;
        world
    }

    /// The same clients, with a name that no thing has.
    pub(crate) fn nothing(&self) -> Self {
        Self { thing: unique_thing("nothing"), ..self.clone() }
    }

    /// The same world, so many milliseconds later.
    pub(crate) fn later(&self, millis: i64) -> Self {
        Self { later: millis, ..self.clone() }
    }

    /// The same world behind a wiretap.
    pub(crate) async fn tapped(&self) -> Tapped {
        let wiretap = Wiretap::start(&self.stack.endpoint).await.unwrap();
        let router = Self::router(&self.stack, &wiretap.endpoint()).await;
        wiretap.clear_records();
        Tapped { world: Self { router, ..self.clone() }, wiretap }
    }

    async fn onboard(&self) {
        let register = self.iot.register_certificate_without_ca().certificate_pem(&self.device.pem);
        let made = register.status(CertificateStatus::Active).send().await.unwrap();
        let certificate = CertificateId::parse(made.certificate_id().unwrap()).unwrap();
        let registration = Registration { certificate: certificate.clone(), ..claim_of(&self.thing) };
        self.things.register(&self.thing, registration, now()).await.unwrap();
        self.things.certificate_activated(&self.thing, &certificate, now()).await.unwrap();
        let record = self.things.get(&self.thing).await.unwrap().unwrap();
        let description = Description { at: now(), told: BTreeMap::new(), capabilities: None, firmware: None };
        self.things.attempt(&record, &Intent::Described(description), &[], now()).await.unwrap();
    }

    /// Gives the thing a printed code.
    pub(crate) async fn label(&self) -> String {
        let (route, path) = self.of_thing("PUT", "claim-code");
        let made = self.ask(Who::Operator, &route, &path, Some(&json!({}))).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["claimCode"].as_str().unwrap().to_owned()
    }

    pub(crate) fn of_thing(&self, method: &str, what: &str) -> (String, String) {
        (format!("{method} /v1/things/{{thing}}/{what}"), format!("/v1/things/{}/{what}", self.thing))
    }

    /// The person pairs the thing.
    pub(crate) async fn pair(&self, user: &str) {
        let code = self.label().await;
        let claim = self.begin(user, Some(&code)).await;
        let owned = self.confirm(user, &claim.json(), &self.device).await;
        assert_eq!(owned.status, 200, "{} {}", claim.body, owned.body);
    }

    pub(crate) async fn begin(&self, user: &str, code: Option<&str>) -> Answer {
        let mut order = json!({"thing": self.thing});
        if let Some(code) = code {
            order["claimCode"] = json!(code);
        }
        self.ask(Who::User(user), "POST /v1/pairings", "/v1/pairings", Some(&order)).await
    }

    pub(crate) async fn confirm(&self, user: &str, claim: &Value, device: &Device) -> Answer {
        let signature = device.sign(claim["signedText"].as_str().unwrap_or_default());
        let body = json!({"algorithm": "ecdsa-p256-sha256", "signature": signature});
        let path = format!("/v1/pairings/{}/confirm", claim["id"].as_str().unwrap_or("none"));
        self.ask(Who::User(user), "POST /v1/pairings/{id}/confirm", &path, Some(&body)).await
    }

    pub(crate) async fn unpair(&self, who: Who<'_>) -> Answer {
        let (route, path) = self.of_thing("DELETE", "pairing");
        self.ask(who, &route, &path, None).await
    }

    pub(crate) async fn invite(&self, user: &str, role: &str) -> Answer {
        let (route, path) = self.of_thing("POST", "invitations");
        self.ask(Who::User(user), &route, &path, Some(&json!({ "role": role }))).await
    }

    pub(crate) async fn offer(&self, user: &str) -> Answer {
        let (route, path) = self.of_thing("POST", "transfers-of-ownership");
        self.ask(Who::User(user), &route, &path, Some(&json!({}))).await
    }

    /// Accepts an invitation or an offer.
    pub(crate) async fn accept(&self, user: &str, what: &str, made: &Value) -> Answer {
        let path = format!("/v1/{what}/{}/accept", made["id"].as_str().unwrap_or("none"));
        let body = json!({"token": made["token"]});
        self.ask(Who::User(user), &format!("POST /v1/{what}/{{id}}/accept"), &path, Some(&body)).await
    }

    pub(crate) async fn revoke(&self, user: &str, made: &Value) -> Answer {
        let path = format!("/v1/invitations/{}", made["id"].as_str().unwrap_or("none"));
        self.ask(Who::User(user), "DELETE /v1/invitations/{id}", &path, None).await
    }

    pub(crate) async fn members(&self, user: &str) -> Answer {
        let (route, path) = self.of_thing("GET", "members");
        self.ask(Who::User(user), &route, &path, None).await
    }

    pub(crate) async fn mail(&self, user: &str, wanted: bool, address: Option<&str>) -> Answer {
        let (route, path) = self.of_thing("PUT", "mail");
        let mut event = api_event(&route, &path, &self.sub(user), &[], Some(&json!({ "wanted": wanted })));
        if let Some(address) = address {
            event["requestContext"]["authorizer"]["jwt"]["claims"]["email"] = json!(address);
        }
        self.send(event).await
    }

    /// A request with `Idempotency-Key`.
    pub(crate) async fn keyed(&self, user: &str, route: &str, path: &str, body: &Value, key: &str) -> Answer {
        let mut event = api_event(route, path, &self.sub(user), &[], Some(body));
        event["headers"]["idempotency-key"] = json!(key);
        self.send(event).await
    }

    pub(crate) async fn ask(&self, who: Who<'_>, route: &str, path: &str, body: Option<&Value>) -> Answer {
        let event = match who {
            Who::Operator => api_event(route, path, "an-operator", &["operators"], body),
            Who::User(name) => api_event(route, path, &self.sub(name), &["co-operators"], body),
        };
        self.send(event).await
    }

    /// A person whom no other world knows.
    pub(crate) fn sub(&self, name: &str) -> String {
        format!("{name}-{}", self.thing)
    }

    async fn send(&self, event: Value) -> Answer {
        let now = now().plus_millis(self.later);
        // Two runs are told apart by their ids.
        let answer = ask_at(self.router.clone(), event, unique_thing("run").as_str(), now).await;
        Answer { status: answer.status, headers: answer.headers, body: answer.body }
    }

    pub(crate) async fn tenancy(&self) -> Tenancy {
        self.store.known(&self.thing).await.unwrap().unwrap().tenancy
    }

    /// Tenancy, record and memberships say the same.
    pub(crate) async fn assert_agrees(&self) {
        let known = self.store.known(&self.thing).await.unwrap().unwrap();
        let (record, tenancy) = (known.record, known.tenancy);
        let paired = tenancy.standing == Standing::Paired;
        assert_eq!((record.epoch, record.is_paired()), (tenancy.epoch, paired), "{tenancy:?}");
        let query = self.rows.query().table_name(&self.memberships).index_name("byThing");
        let query = query.key_condition_expression("thing = :thing");
        let rows = query.expression_attribute_values(":thing", AttributeValue::S(self.thing.to_string()));
        let rows = rows.send().await.unwrap().items.unwrap_or_default();
        let text = |row: &std::collections::HashMap<String, AttributeValue>, name: &str| {
            row.get(name).unwrap().as_s().unwrap().clone()
        };
        let rows: BTreeMap<_, _> = rows.iter().map(|row| (text(row, "user"), text(row, "role"))).collect();
        let members = tenancy.members.iter();
        let members: BTreeMap<_, _> =
            members.map(|(user, member)| (user.to_string(), member.role.as_str().to_owned())).collect();
        assert_eq!(rows, members);
        let owners = members.values().filter(|role| *role == "owner").count();
        assert_eq!(owners, usize::from(paired));
    }
}
