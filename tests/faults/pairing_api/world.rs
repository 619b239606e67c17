//! One run's world: the routes behind an endpoint, and what a request left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use loam_domain::{Timestamp, UserId};
use loam_kit::{api_event, ask_at};
use pairing::relay::IdentityId;
use pairing::tenancy::{InvitationState, Standing, Tenancy};
use pairing::token::Token;
use pairing::{Api, ApiConfig, routes};
use serde_json::Value;

use super::before::{Before, Request};

/// Between two deliveries: longer than a dead request holds its key, and all of them shorter than a challenge lives.
const LATER_MILLIS: i64 = 40_000;

pub(crate) struct World {
    router: Router,
    rows: aws_sdk_dynamodb::Client,
    memberships: String,
    things: String,
    place: Before,
    requests: Vec<Request>,
    deliveries: AtomicI64,
    /// The body of the last good answer.
    answered: Mutex<Value>,
}

/// What is left after a run, without times and versions: a repeat may tell again what it told.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    standing: (&'static str, Option<String>),
    epoch: u64,
    /// Each person's role, and whether they want mail.
    members: BTreeMap<String, (String, bool)>,
    invitations: Vec<String>,
    offered: bool,
    claims: Vec<String>,
    printed: bool,
    /// The record's state, epoch, and whose erasure is awaited.
    record: (String, u64, Option<BTreeSet<String>>),
    /// Whether the token that was answered is the one that counts.
    opens: Option<bool>,
    /// Whether who was given an identity listens there.
    listens: Option<bool>,
}

/// `bob` of `bob-fault-0123456789ab`.
fn short(user: &str) -> String {
    user.split('-').next().unwrap_or_default().to_owned()
}

fn put(event: &mut Value, place: &str, all: &[(&'static str, String)]) {
    let fields = event.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
    fields.extend(all.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))));
}

impl World {
    pub(super) fn new(
        sdk: &SdkConfig,
        admin: &SdkConfig,
        config: ApiConfig,
        place: Before,
        requests: Vec<Request>,
    ) -> Self {
        Self {
            rows: aws_sdk_dynamodb::Client::new(admin),
            memberships: config.memberships_table.clone(),
            things: config.things_table.clone(),
            router: routes().with_state(Api::new(sdk, config)).into(),
            place,
            requests,
            deliveries: AtomicI64::new(0),
            answered: Mutex::default(),
        }
    }

    /// Names that tests and the local AWS make up, and what stands for them in figures.
    pub(crate) fn own_names(&self) -> Vec<(String, String)> {
        let identity = self.answer("identityId").map(|identity| (identity, "identity".to_owned()));
        [(self.things.clone(), "ThingsTable".to_owned())].into_iter().chain(identity).collect()
    }

    /// A text of the last good answer.
    fn answer(&self, field: &str) -> Option<String> {
        self.answered.lock().unwrap().get(field).and_then(Value::as_str).map(str::to_owned)
    }

    /// All requests of the story, once.
    pub(super) async fn deliver(&self) -> Result<(), String> {
        let turn = self.deliveries.fetch_add(1, Ordering::SeqCst) + 1;
        for request in &self.requests {
            self.send(request, turn).await?;
        }
        Ok(())
    }

    async fn send(&self, request: &Request, turn: i64) -> Result<(), String> {
        let Request { sub, groups, method, path, body, headers, claims, as_good } = request;
        let mut event = api_event(&format!("{method} /v1/test"), path, sub, groups, body.as_ref());
        put(&mut event, "/headers", headers);
        put(&mut event, "/requestContext/authorizer/jwt/claims", claims);
        let at = self.place.at.plus_millis(turn * LATER_MILLIS);
        // Two runs are told apart by their ids.
        let request_id = format!("{}.{turn}", self.place.thing);
        let answer = ask_at(self.router.clone(), event, &request_id, at).await;
        if let Ok(body) = answer.succeeded() {
            *self.answered.lock().unwrap() = body;
            return Ok(());
        }
        let code = answer.code();
        if as_good.contains(&code.as_str()) { Ok(()) } else { Err(format!("{} {code}", answer.status)) }
    }

    /// Each membership's row of the thing: its role, and whether mail is wanted.
    async fn rows(&self) -> BTreeMap<String, (String, bool)> {
        let query = self.rows.query().table_name(&self.memberships).index_name("byThing");
        let query = query.key_condition_expression("thing = :thing");
        let thing = AttributeValue::S(self.place.thing.to_string());
        let rows = query.expression_attribute_values(":thing", thing).send().await.unwrap().items.unwrap_or_default();
        let of = |row: std::collections::HashMap<String, AttributeValue>| {
            let text = |name: &str| row.get(name).and_then(|value| value.as_s().ok()).unwrap().clone();
            let mail = row.get("mail").and_then(|value| value.as_bool().ok()).copied().unwrap_or_default();
            (short(&text("user")), (text("role"), mail))
        };
        rows.into_iter().map(of).collect()
    }

    /// What is left; a text where tenancy, record and memberships do not agree, or it is not one owner's.
    pub(super) async fn left(&self) -> Result<Left, String> {
        let Before { store, thing, at } = &self.place;
        let known = store.known(thing).await.map_err(|error| error.to_string())?.unwrap();
        let (record, tenancy, rows) = (known.record, known.tenancy, self.rows().await);
        let claims = store.claims(&self.place.user("ann"), *at).await.map_err(|error| error.to_string())?;
        let members: BTreeMap<_, _> = tenancy
            .members
            .iter()
            .map(|(user, member)| (short(user.as_str()), (member.role.as_str().to_owned(), member.mail)))
            .collect();
        let owners = members.values().filter(|(role, _)| role == "owner").count();
        let paired = tenancy.standing == Standing::Paired;
        let agree = members == rows && record.epoch == tenancy.epoch && record.is_paired() == paired;
        if !agree || owners != usize::from(paired) {
            return Err(format!("they do not agree: {tenancy:?}, {rows:?}, {} {}", record.state, record.epoch));
        }
        Ok(Left {
            standing: standing(&tenancy),
            epoch: tenancy.epoch,
            members,
            invitations: invitations(&tenancy),
            offered: tenancy.offer.is_some(),
            claims: claims.iter().map(|known| format!("{:?}", known.claim.state)).collect(),
            printed: store.printed_code(thing).await.map_err(|error| error.to_string())?.is_some(),
            record: (record.state.to_string(), record.epoch, record.erasure.map(|erasure| erasure.awaiting)),
            opens: self.opens(&tenancy),
            listens: self.listens(*at).await,
        })
    }

    fn opens(&self, tenancy: &Tenancy) -> Option<bool> {
        let hash = Token::parse(&self.answer("token")?)?.hash();
        let invitations = tenancy.invitations.values().map(|invitation| invitation.token);
        let mut known = invitations.chain(tenancy.offer.iter().map(|offer| offer.token));
        Some(known.any(|token| token == hash))
    }

    async fn listens(&self, at: Timestamp) -> Option<bool> {
        let identity = IdentityId::parse(&self.answer("identityId")?).ok()?;
        let user = self.place.user("ann");
        let whose: Option<UserId> = self.place.store.user_of(&identity, at).await.unwrap();
        let boxes = self.place.store.mailboxes([&user]).await.unwrap();
        let own = boxes.get(&user).is_some_and(|mailbox| mailbox.identity == identity);
        Some(own && whose == Some(user))
    }
}

fn standing(tenancy: &Tenancy) -> (&'static str, Option<String>) {
    match &tenancy.standing {
        Standing::Vacant => ("vacant", None),
        Standing::Paired => ("paired", None),
        Standing::Erasing { heir } => ("erasing", heir.as_ref().map(|heir| short(heir.user.as_str()))),
        Standing::Gone => ("gone", None),
    }
}

fn invitations(tenancy: &Tenancy) -> Vec<String> {
    let word = |state: &InvitationState| match state {
        InvitationState::Open => "open".to_owned(),
        InvitationState::Accepted(user) => format!("accepted by {}", short(user.as_str())),
        InvitationState::Revoked => "revoked".to_owned(),
    };
    // By their ids: `first-...` before `second-...`.
    tenancy.invitations.values().map(|invitation| word(&invitation.state)).collect()
}
