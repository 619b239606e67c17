//! pairing-api: each of its routes that changes something, as one request that breaks off and is sent again. The records of
//! things lie in a table of which no deployed function hears; for grants they are brought to the stack's.

mod before;
mod world;

use loam_kit::wiretap::Scenario;
use loam_kit::{Person, Stack, claims, now, unique_thing};
use pairing::ApiConfig;
use pairing::store::{Store, Tables as PairingTables};
use serde_json::{Map, Value};

use crate::erasures::Records;
use crate::soil_sweep::Tables;
use crate::{survives_crashes, survives_strain};
use before::{Before, onboard};

pub(crate) use world::{Left, World};

/// Which request, after what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Somebody who knows the printed code asks for a challenge.
    Begin,
    /// The device's signature is handed in.
    Confirm,
    /// Another signature is handed in.
    Burn,
    /// The owner invites.
    Invite,
    /// A stranger accepts.
    Join,
    /// A viewer accepts to be a controller.
    Rise,
    /// The owner takes an invitation back.
    Revoke,
    /// The owner ends a membership.
    Remove,
    /// A member leaves.
    Leave,
    /// A member wants mail.
    Mail,
    /// The owner offers the thing.
    Offer,
    /// A stranger takes it over.
    TakeOver,
    /// The owner takes the offer back.
    Withdraw,
    /// The owner gives it up.
    Unpair,
    /// An operator says what is printed on it.
    PutCode,
    /// An operator says that nothing is.
    DeleteCode,
    /// A person asks for credentials.
    Credentials,
    /// What only reads, and a request with a key that is refused.
    Reads,
}

pub(crate) struct Story<'s> {
    name: &'static str,
    pub(crate) way: Way,
    tables: Tables,
    stage: &'s Stage,
}

/// What all stories share.
pub(crate) struct Stage {
    /// What an id token of the stack's user pool claims.
    id_token: Map<String, Value>,
    /// Whose mailbox is subscribed, once for all things.
    guest: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let person = Person::of(&Stack::deployed(), "fault-pairing", &[]).await;
        Self { id_token: claims(&person.id_token), guest: unique_thing("guest").to_string() }
    }

    /// The stories on records of their own, or on the stack's.
    pub(crate) fn stories(&self, tables: Tables) -> Vec<Story<'_>> {
        let all = [
            (Way::Begin, "POST pairings"),
            (Way::Confirm, "POST pairings/{id}/confirm"),
            (Way::Burn, "POST pairings/{id}/confirm: not signed by the device"),
            (Way::Invite, "POST things/{thing}/invitations"),
            (Way::Join, "POST invitations/{id}/accept"),
            (Way::Rise, "POST invitations/{id}/accept: a viewer becomes a controller"),
            (Way::Revoke, "DELETE invitations/{id}"),
            (Way::Remove, "DELETE things/{thing}/members/{user}: the owner"),
            (Way::Leave, "DELETE things/{thing}/members/{user}: the member"),
            (Way::Mail, "PUT things/{thing}/mail"),
            (Way::Offer, "POST things/{thing}/transfers-of-ownership"),
            (Way::TakeOver, "POST transfers-of-ownership/{id}/accept"),
            (Way::Withdraw, "DELETE transfers-of-ownership/{id}"),
            (Way::Unpair, "DELETE things/{thing}/pairing"),
            (Way::PutCode, "PUT things/{thing}/claim-code"),
            (Way::DeleteCode, "DELETE things/{thing}/claim-code"),
            (Way::Credentials, "POST credentials"),
            (Way::Reads, "GET pairings, GET things/{thing}/members, a POST with a key that is refused"),
        ];
        all.into_iter().map(|(way, name)| Story { name, way, tables, stage: self }).collect()
    }
}

impl Story<'_> {
    /// Whether each of its calls is also refused for long: one story for each way in which a route writes.
    fn is_strained(&self) -> bool {
        match self.way {
            Way::Begin | Way::Confirm | Way::Burn | Way::Invite | Way::Mail => true,
            Way::TakeOver | Way::Unpair | Way::Credentials => true,
            Way::Join | Way::Rise | Way::Revoke | Way::Remove | Way::Leave | Way::Offer | Way::Withdraw => false,
            Way::PutCode | Way::DeleteCode | Way::Reads => false,
        }
    }
}

impl Scenario for Story<'_> {
    type World = World;
    type State = Left;
    type Error = String;

    fn name(&self) -> &str {
        self.name
    }

    async fn world(&self, endpoint: &str) -> Result<World, String> {
        let stack = Stack::deployed();
        let function = stack.function("PairingApi");
        let mut config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let (admin, thing, at) = (stack.admin().await, unique_thing("fault"), now());
        let records = Records::beside(&config.things_table).await;
        let signs = matches!(self.way, Way::Confirm | Way::Burn);
        let key = onboard(&records.things, &thing, &admin, signs).await;
        let mut tables = PairingTables {
            pairings: config.pairings_table.clone(),
            memberships: config.memberships_table.clone(),
            things: records.table.clone(),
        };
        let before = Before { store: Store::new(&admin, tables.clone()), thing: thing.clone(), at };
        before.prepare(self.way, &self.stage.guest).await;
        let requests = before.requests(self.way, self.stage, key.as_deref()).await;
        config.things_table = records.bring(&thing, self.tables).await;
        tables.things = config.things_table.clone();
        let sdk = match self.tables {
            Tables::Own => stack.admin_through(endpoint).await,
            Tables::OfTheStack => stack.role_of(function, endpoint).await,
        };
        Ok(World::new(&sdk, &admin, config, Before { store: Store::new(&admin, tables), ..before }, requests))
    }

    async fn deliver(&self, world: &World) -> Result<(), String> {
        world.deliver().await
    }

    async fn state(&self, world: &World) -> Result<Left, String> {
        world.left().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_stopped_at_any_call_and_sent_again_leaves_one_owner_and_all_that_agrees() {
    let stage = Stage::new().await;
    for story in stage.stories(Tables::Own).iter().filter(|story| story.way != Way::Reads) {
        Box::pin(survives_crashes(story)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_meets_throttling_and_failures_never_claims_success_and_ends_where_it_should() {
    let stage = Stage::new().await;
    for story in stage.stories(Tables::Own).iter().filter(|story| story.is_strained()) {
        Box::pin(survives_strain(story)).await;
    }
}
