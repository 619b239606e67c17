//! What was before a request, and the request.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::TransactWriteItem;
use aws_sdk_iot::types::CertificateStatus;
use loam_device::State;
use loam_device::pairing::{PairingKey, Signing};
use loam_domain::pairing::challenge::{CHALLENGE_BYTES, Challenge, Statement};
use loam_domain::pairing::claim_code::ClaimCode;
use loam_domain::{CertificateId, ThingName, Timestamp, UserId};
use loam_kit::{Authority, Stack, claim_of, now, signed_token};
use loam_things::{Description, Intent as RecordIntent, Registration, Things};
use pairing::claim::Claim;
use pairing::code_hash::{CodeHash, SALT_BYTES};
use pairing::people::Guest;
use pairing::store::{Came, Pointer, PrintedCode, Saved, ShareKind, Store};
use pairing::tenancy::{Intent, SHARE_MILLIS};
use pairing::token::{ShareId, TOKEN_BYTES, Token};
use serde_json::{Value, json};

use super::{Stage, Way};

/// A thing and its people.
pub(super) struct Before {
    pub(super) store: Store,
    pub(super) thing: ThingName,
    pub(super) at: Timestamp,
}

/// One request.
pub(super) struct Request {
    pub(super) sub: String,
    pub(super) groups: &'static [&'static str],
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) claims: Vec<(&'static str, String)>,
    /// Codes of problems that are as good as done.
    pub(super) as_good: &'static [&'static str],
}

/// Registered, active and described. If it `signs`, AWS IoT knows its certificate: the private key of that, as PEM.
pub(super) async fn onboard(things: &Things, thing: &ThingName, admin: &SdkConfig, signs: bool) -> Option<String> {
    let (certificate, key) = if signs {
        let (pem, key) = Authority::register(admin).await.issue(thing.as_str());
        let register = aws_sdk_iot::Client::new(admin).register_certificate_without_ca().certificate_pem(pem);
        let made = register.status(CertificateStatus::Active).send().await.unwrap();
        (CertificateId::parse(&made.certificate_id.unwrap()).unwrap(), Some(key))
    } else {
        (claim_of(thing).certificate, None)
    };
    let registration = Registration { certificate: certificate.clone(), ..claim_of(thing) };
    things.register(thing, registration, now()).await.unwrap();
    things.certificate_activated(thing, &certificate, now()).await.unwrap();
    let record = things.get(thing).await.unwrap().unwrap();
    let description = Description { at: now(), told: BTreeMap::new(), capabilities: None, firmware: None };
    things.attempt(&record, &RecordIntent::Described(description), &[], now()).await.unwrap();
    key
}

/// What is printed on every device.
fn printed() -> ClaimCode {
    ClaimCode::from_random([5; 7])
}

/// The secret of every invitation and offer.
fn token() -> Token {
    Token::new([7; TOKEN_BYTES])
}

impl Request {
    fn new(sub: impl ToString, method: &'static str, path: impl Into<String>) -> Self {
        Self {
            sub: sub.to_string(),
            groups: &[],
            method,
            path: path.into(),
            body: None,
            headers: vec![],
            claims: vec![],
            as_good: &[],
        }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// A request that may be repeated; its person has no other.
    fn keyed(self) -> Self {
        Self { headers: vec![("idempotency-key", "k".to_owned())], ..self }
    }
}

impl Before {
    /// A person whom no other world knows.
    pub(super) fn user(&self, name: &str) -> UserId {
        UserId::parse(&format!("{name}-{}", self.thing)).unwrap()
    }

    /// The id of a claim, an invitation or an offer that no other world has.
    fn id(&self, word: &str) -> ShareId {
        ShareId::parse(&format!("{word}-{}", self.thing)).unwrap()
    }

    fn challenge() -> Challenge {
        Challenge::new([9; CHALLENGE_BYTES])
    }

    async fn change(&self, intent: Intent, also: &[TransactWriteItem]) {
        let came = self.store.change(&self.thing, &intent, also, self.at).await.unwrap();
        assert!(matches!(came, Came::Done { .. }), "{came:?}");
    }

    fn pointer(&self, id: &ShareId, kind: ShareKind) -> TransactWriteItem {
        let pointer = Pointer { thing: self.thing.clone(), kind };
        self.store.new_pointer(id, &pointer, self.at.plus_millis(SHARE_MILLIS)).unwrap()
    }

    async fn invited(&self, word: &str, guest: Guest) {
        let (by, id) = (self.user("ann"), self.id(word));
        let pointer = self.pointer(&id, ShareKind::Invitation);
        self.change(Intent::Invite { by, id, token: token().hash(), guest }, &[pointer]).await;
    }

    /// They are a viewer, by an invitation of their own.
    async fn joined(&self, user: UserId) {
        self.invited("first", Guest::Viewer).await;
        self.change(Intent::Accept { user, id: self.id("first"), token: token().hash() }, &[]).await;
    }

    async fn offered(&self) {
        let (by, id) = (self.user("ann"), self.id("offer"));
        let pointer = self.pointer(&id, ShareKind::Offer);
        self.change(Intent::Offer { by, id, token: token().hash() }, &[pointer]).await;
    }

    async fn labelled(&self) {
        let hash = CodeHash::new(&self.thing, &printed(), [3; SALT_BYTES]);
        let code = PrintedCode { hash, set_at: self.at, by: "operator".to_owned() };
        self.store.put_printed_code(&self.thing, &code).await.unwrap();
    }

    async fn begun(&self) {
        let claim = Claim::begun(self.thing.clone(), self.user("ann"), 1, Self::challenge(), self.at);
        assert_eq!(self.store.begin_claim(&self.id("claim"), &claim).await.unwrap(), Saved::Yes);
    }

    /// What was before.
    pub(super) async fn prepare(&self, way: Way, guest: &str) {
        match way {
            Way::Begin | Way::DeleteCode => return self.labelled().await,
            Way::Confirm | Way::Burn => return self.begun().await,
            Way::PutCode | Way::Credentials => return,
            Way::Invite | Way::Join | Way::Rise | Way::Revoke | Way::Remove | Way::Leave | Way::Mail => {}
            Way::Offer | Way::TakeOver | Way::Withdraw | Way::Unpair | Way::Reads => {}
        }
        self.change(Intent::Pair { user: self.user("ann"), epoch: 1 }, &[]).await;
        match way {
            Way::Begin | Way::DeleteCode | Way::Confirm | Way::Burn | Way::PutCode | Way::Credentials => {}
            Way::Invite | Way::Offer | Way::Unpair | Way::Reads => {}
            Way::Join | Way::Revoke => self.invited("second", Guest::Controller).await,
            Way::Rise => {
                self.joined(self.user("bob")).await;
                self.invited("second", Guest::Controller).await;
            }
            Way::Remove | Way::Leave => self.joined(self.user("bob")).await,
            Way::Mail => self.joined(UserId::parse(guest).unwrap()).await,
            Way::TakeOver | Way::Withdraw => self.offered().await,
        }
    }

    /// What the device signs.
    fn signed(&self, key: &str) -> Value {
        let state = State::open(&Stack::deployed().folder().join("signed").join(self.thing.as_str())).unwrap();
        let (thing, user) = (self.thing.clone(), self.user("ann"));
        let asked = Statement { thing, challenge: Self::challenge(), user, epoch: 1 };
        let key = PairingKey::from_pem(key.as_bytes()).unwrap();
        json!(Signing::sign(&state, &self.thing, &key, &asked).unwrap())
    }

    /// The requests of a story, in their order.
    pub(super) async fn requests(&self, way: Way, stage: &Stage, key: Option<&str>) -> Vec<Request> {
        let [ann, bob] = ["ann", "bob"].map(|name| self.user(name));
        let order = |code: String| json!({"thing": self.thing, "claimCode": code});
        let pairings = |user: &UserId| Request::new(user, "POST", "/v1/pairings");
        match way {
            Way::Begin => vec![pairings(&ann).with(order(printed().spelled())).keyed()],
            Way::Confirm | Way::Burn => vec![self.confirmation(&ann, way, key)],
            Way::PutCode | Way::DeleteCode => vec![self.of_operator(way)],
            Way::Credentials => vec![self.credentials(stage).await],
            Way::Reads => vec![
                Request::new(&ann, "GET", "/v1/pairings"),
                Request::new(&ann, "GET", self.of_thing("members")),
                // A key that is refused is given back.
                Request {
                    as_good: &["no-such-thing"],
                    ..pairings(&bob).with(order("0000-0000-0000".to_owned())).keyed()
                },
            ],
            Way::Invite | Way::Join | Way::Rise | Way::Revoke | Way::Remove | Way::Leave | Way::Mail => {
                vec![self.shared(way, &stage.guest)]
            }
            Way::Offer | Way::TakeOver | Way::Withdraw | Way::Unpair => vec![self.handed_over(way)],
        }
    }

    fn of_thing(&self, what: &str) -> String {
        format!("/v1/things/{}/{what}", self.thing)
    }

    fn confirmation(&self, ann: &UserId, way: Way, key: Option<&str>) -> Request {
        let path = format!("/v1/pairings/{}/confirm", self.id("claim").as_str());
        let request = Request::new(ann, "POST", path);
        if way == Way::Confirm {
            return request.with(self.signed(key.unwrap()));
        }
        let body = json!({"algorithm": "ecdsa-p256-sha256", "signature": "AAAA"});
        Request { as_good: &["not-signed-by-the-device", "challenge-burnt"], ..request.with(body) }
    }

    fn of_operator(&self, way: Way) -> Request {
        let groups = &["operators"];
        let path = self.of_thing("claim-code");
        if way == Way::DeleteCode {
            return Request { groups, ..Request::new("operator", "DELETE", path) };
        }
        let body = json!({"claimCode": printed().spelled()});
        Request { groups, ..Request::new("operator", "PUT", path).with(body) }
    }

    async fn credentials(&self, stage: &Stage) -> Request {
        let user = self.user("ann");
        let mut told = stage.id_token.clone();
        told.insert("sub".to_owned(), user.as_str().into());
        let token = signed_token(&Stack::deployed(), &told).await;
        let headers = vec![("authorization", format!("Bearer {token}"))];
        let claims = vec![("token_use", "id".to_owned())];
        Request { headers, claims, ..Request::new(user, "POST", "/v1/credentials") }
    }

    fn shared(&self, way: Way, guest: &str) -> Request {
        let [ann, bob] = ["ann", "bob"].map(|name| self.user(name));
        let invitation = format!("/v1/invitations/{}", self.id("second").as_str());
        let membership = self.of_thing(&format!("members/{bob}"));
        if way == Way::Invite {
            return Request::new(&ann, "POST", self.of_thing("invitations")).with(json!({"role": "viewer"})).keyed();
        }
        if way == Way::Revoke {
            return Request::new(&ann, "DELETE", invitation);
        }
        if way == Way::Remove {
            return Request::new(&ann, "DELETE", membership);
        }
        if way == Way::Leave {
            // They left before, and the answer was lost.
            return Request { as_good: &["no-such-thing"], ..Request::new(&bob, "DELETE", membership) };
        }
        if way == Way::Mail {
            let claims = vec![("email", format!("{guest}@example.com"))];
            let request = Request::new(guest, "PUT", self.of_thing("mail"));
            return Request { claims, ..request.with(json!({"wanted": true})) };
        }
        accepted(&bob, &invitation)
    }

    fn handed_over(&self, way: Way) -> Request {
        let [ann, bob] = ["ann", "bob"].map(|name| self.user(name));
        let offer = format!("/v1/transfers-of-ownership/{}", self.id("offer").as_str());
        if way == Way::Offer {
            return Request::new(&ann, "POST", self.of_thing("transfers-of-ownership")).with(json!({})).keyed();
        }
        if way == Way::TakeOver {
            return accepted(&bob, &offer);
        }
        if way == Way::Withdraw {
            return Request::new(&ann, "DELETE", offer);
        }
        Request::new(&ann, "DELETE", self.of_thing("pairing"))
    }
}

/// Somebody accepts what the path names.
fn accepted(user: &UserId, path: &str) -> Request {
    Request::new(user, "POST", format!("{path}/accept")).with(json!({"token": token().to_text()}))
}
