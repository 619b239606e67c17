//! The record of things: a life from its first claim to its end, each intent repeated with each delivery.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use loam_domain::{CertificateId, EventType, ThingName, Timestamp};
use loam_kit::wiretap::Scenario;
use loam_kit::{Stack, now, unique_thing};
use loam_things::{
    Addition, Beside, CertificateState, Description, LifeCycle, Notice, Registration, RetirementOrder, Things,
    ThingsFailure,
};

use crate::{survives_crashes, survives_strain};

/// Which part of a life.
enum Story {
    /// Registered and active: what every longer story is made of, a read and a transaction each.
    Begun,
    /// Registered, active, described, with another certificate in the end.
    Useful,
    /// Registered, revoked, retired.
    Retired,
}

struct World {
    /// Through the wiretap.
    things: Things,
    /// Beside it.
    look: Things,
    table: String,
    thing: ThingName,
}

/// What is left: where the thing stands, its certificates, and what was told of it.
#[derive(Debug, PartialEq)]
struct Left {
    state: LifeCycle,
    version: u64,
    certificates: Vec<CertificateState>,
    told: Vec<EventType>,
}

/// The id whose digits are all `digit`.
fn id(digit: char) -> CertificateId {
    CertificateId::parse(&digit.to_string().repeat(CertificateId::LENGTH)).unwrap()
}

fn notice() -> Notice {
    Notice { by: "operator".to_owned(), reasons: vec!["lost".to_owned()] }
}

impl World {
    async fn register(&self) -> Result<(), ThingsFailure> {
        let claim = Registration::new(id('1'), id('c'));
        self.things.register(&self.thing, claim, now()).await?;
        self.things.certificate_activated(&self.thing, &id('1'), now()).await?;
        Ok(())
    }

    async fn describe(&self) -> Result<(), ThingsFailure> {
        let put = Put::builder().table_name(&self.table).item("thing", AttributeValue::S(self.thing.to_string()));
        let put = put.item("item", AttributeValue::S("also".to_owned())).build().unwrap();
        let also = TransactWriteItem::builder().put(put).build();
        let description = Description {
            at: Timestamp::from_millis(7),
            told: BTreeMap::from([("modelName".to_owned(), "A".to_owned())]),
            capabilities: None,
            firmware: None,
        };
        self.things.described(&self.thing, description, also, now()).await?;
        self.things.shadow_seeded(&self.thing, now()).await?;
        Ok(())
    }

    async fn rotate(&self) -> Result<(), ThingsFailure> {
        let addition = Addition { certificate: id('2'), ca_id: id('c'), beside: Beside::Others };
        self.things.add_certificate(&self.thing, addition, now()).await?;
        self.things.certificate_activated(&self.thing, &id('2'), now()).await?;
        self.things.certificate_retiring(&self.thing, &id('1'), now()).await?;
        self.things.certificate_removed(&self.thing, &id('1'), now()).await?;
        Ok(())
    }

    async fn retire(&self) -> Result<(), ThingsFailure> {
        self.things.suspend(&self.thing, notice(), now()).await?;
        let awaiting = BTreeSet::from(["presence".to_owned()]);
        let order = RetirementOrder { by: "operator".to_owned(), awaiting, expected_version: None };
        self.things.begin_retirement(&self.thing, order, now()).await?;
        self.things.acknowledge_retirement(&self.thing, "presence", now()).await?;
        self.things.retired(&self.thing, now()).await?;
        Ok(())
    }
}

impl Scenario for Story {
    type World = World;
    type State = Left;
    type Error = ThingsFailure;

    fn name(&self) -> &str {
        match self {
            Self::Begun => "things: registered, active",
            Self::Useful => "things: registered, active, described, rotated",
            Self::Retired => "things: registered, suspended, retired",
        }
    }

    async fn world(&self, endpoint: &str) -> Result<World, ThingsFailure> {
        let stack = Stack::deployed();
        let table = stack.resources.get("ThingsTable").unwrap().clone();
        Ok(World {
            things: Things::new(&stack.admin_through(endpoint).await, table.clone()),
            look: Things::new(&stack.admin().await, table.clone()),
            table,
            thing: unique_thing("fault"),
        })
    }

    async fn deliver(&self, world: &World) -> Result<(), ThingsFailure> {
        world.register().await?;
        match self {
            Self::Begun => Ok(()),
            Self::Useful => {
                world.describe().await?;
                world.rotate().await
            }
            Self::Retired => world.retire().await,
        }
    }

    async fn state(&self, world: &World) -> Result<Left, ThingsFailure> {
        let record = world.look.get(&world.thing).await?.unwrap();
        let history = world.look.history(&world.thing, None, 50).await?;
        Ok(Left {
            state: record.state,
            version: record.version,
            certificates: record.certificates.values().map(|certificate| certificate.status).collect(),
            told: history.events.iter().map(|event| event.kind).collect(),
        })
    }
}

#[tokio::test]
async fn a_crash_at_any_call_changes_nothing_in_the_end() {
    for story in [Story::Useful, Story::Retired] {
        survives_crashes(&story).await;
    }
}

#[tokio::test]
async fn throttling_and_failures_at_any_call_never_make_a_wrong_success() {
    survives_strain(&Story::Begun).await;
}
