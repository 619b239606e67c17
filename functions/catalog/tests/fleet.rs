//! Lists and searches of a whole fleet, and of a member with as many things as count: what they answer, and what that takes.
//!
//! Some hundreds of things with every test run; `LOAM_FLEET=100000` says how many, and the printed table is the result.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use axum::Router;
use axum::body::to_bytes;
use catalog::{Api, ApiConfig, routes};
use futures_util::StreamExt as _;
use loam_domain::{ThingName, Timestamp};
use loam_http::Call;
use loam_kit::{Stack, api_event, now, number_of, twin_of_table, unique_thing};
use loam_things::LifeCycle;
use loam_things::twins::{Notes, PresenceView, RecordView, ShadowView, Twin};
use serde_json::{Map, Value, json};

/// The `at`th thing of the fleet: every tenth is dry, every hundredth is called Küche.
fn twin(at: usize) -> Twin {
    let kitchen = at % 100 == 7;
    let name = if kitchen { format!("Küche {at}") } else { format!("Pot {at}") };
    Twin {
        thing: ThingName::parse(&format!("thing-{at:07}")).unwrap(),
        version: 1,
        record: RecordView {
            version: 3,
            epoch: 1,
            state: LifeCycle::Onboarded,
            thing_type: Some("pot".to_owned()),
            groups: BTreeSet::from(["batch-7".to_owned()]),
            attributes: BTreeMap::new(),
            registered_at: Timestamp::from_millis(1_600_000_000_000),
            told: BTreeMap::from([
                ("friendlyName".to_owned(), name),
                ("manufacturerName".to_owned(), "Acme Gardens".to_owned()),
                ("modelName".to_owned(), "Moist 2".to_owned()),
            ]),
            capabilities: None,
            firmware: Some(json!({"version": "1.4.2"})),
        },
        shadow: Some(ShadowView {
            version: 9,
            at: Timestamp::from_millis(1_600_000_000_000),
            deleted: false,
            desired: Map::from_iter([("interval".to_owned(), json!(30))]),
            reported: Map::from_iter([
                ("humidity".to_owned(), json!(if at % 10 == 3 { 20 } else { 50 })),
                ("interval".to_owned(), json!(30)),
            ]),
        }),
        presence: Some(PresenceView {
            version: 4,
            connectivity: Map::from_iter([("connected".to_owned(), json!(true)), ("since".to_owned(), json!(1))]),
        }),
        notes: Notes { version: 1, tags: Map::from_iter([("room".to_owned(), json!(at % 10))]), ..Notes::default() },
    }
}

/// Writes `items` 25 at a time, eight batches at once.
async fn write_all(sdk: &SdkConfig, table: &str, items: impl Iterator<Item = HashMap<String, AttributeValue>>) {
    let client = aws_sdk_dynamodb::Client::new(sdk);
    let request =
        |item| WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build().unwrap());
    let all: Vec<WriteRequest> = items.map(|item| request(item).build()).collect();
    let batches = all.chunks(25).map(|batch| {
        let write = client.batch_write_item().request_items(table, batch.to_vec());
        async move { assert!(write.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty()) }
    });
    futures_util::stream::iter(batches).buffer_unordered(8).collect::<Vec<()>>().await;
}

/// The largest fleet of which all pages are asked for.
const LARGEST_WHOLE: u64 = 10_000;

struct Fleet {
    router: Router,
    size: usize,
    member: String,
}

impl Fleet {
    async fn of(size: usize) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("CatalogApi");
        let admin = stack.admin().await;
        let table = twin_of_table(&admin, &function.variable("TWINS_TABLE").unwrap()).await;
        write_all(&admin, &table, (0..size).map(|at| twin(at).item().unwrap())).await;
        let member = unique_thing("user").to_string();
        let memberships = (0..size.min(1_000)).map(|at| {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let number = || AttributeValue::N("1".to_owned());
            HashMap::from([
                ("user".to_owned(), text(&member)),
                ("thing".to_owned(), text(twin(at).thing.as_str())),
                ("role".to_owned(), text("viewer")),
                ("since".to_owned(), number()),
                ("epoch".to_owned(), number()),
            ])
        });
        write_all(&admin, &function.variable("MEMBERSHIPS_TABLE").unwrap(), memberships).await;
        let lookup = |name: &str| if name == "TWINS_TABLE" { Some(table.clone()) } else { function.variable(name) };
        let router = routes().with_state(Api::new(&admin, ApiConfig::from_lookup(&lookup).unwrap())).into();
        Self { router, size, member }
    }

    async fn list(&self, operator: bool, query: &str) -> Value {
        let (sub, groups): (&str, &[&str]) = if operator { ("op", &["operators"]) } else { (&self.member, &[]) };
        let event = api_event("GET /v1/things", &format!("/v1/things?{query}"), sub, groups, None);
        // A hundred thousand things in a store that is no DynamoDB take longer than a gateway waits.
        let call = Call { request_id: "fleet".to_owned(), now: now(), deadline: now().plus_millis(600_000) };
        let answer = loam_http::answer(self.router.clone(), serde_json::from_value(event).unwrap(), call).await;
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 100_000_000).await.unwrap();
        assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// Asks some times; prints the middle time and what was read, and answers the count.
    async fn measured(&self, what: &str, operator: bool, query: &str) -> u64 {
        let (mut millis, mut last, rounds) = (Vec::new(), Value::Null, number_of("LOAM_ROUNDS", 3));
        for _ in 0..rounds {
            let began = Instant::now();
            last = self.list(operator, query).await;
            millis.push(began.elapsed().as_millis());
        }
        millis.sort_unstable();
        let (read, middle) = (&last["read"], millis[rounds / 2]);
        self.tell(what, middle, &read["things"], &read["units"]);
        last["count"].as_u64().unwrap()
    }

    /// All pages of 500, one after the other: prints the time and what was read, and answers how many things they hold.
    async fn whole(&self, what: &str, operator: bool) -> u64 {
        let (began, mut cursor, mut found) = (Instant::now(), String::new(), 0);
        let (mut things, mut units) = (0, 0.0);
        loop {
            let page = self.list(operator, &format!("limit=500{cursor}")).await;
            found += page["items"].as_array().unwrap().len() as u64;
            things += page["read"]["things"].as_u64().unwrap();
            units += page["read"]["units"].as_f64().unwrap();
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        self.tell(what, began.elapsed().as_millis(), &json!(things), &json!(units));
        found
    }

    fn tell(&self, what: &str, millis: u128, things: &Value, units: &Value) {
        println!("figure: fleet of {:>6}: {what:<42} {millis:>7} ms {things:>8} read {units:>9} units", self.size);
    }
}

#[tokio::test]
async fn a_fleet_is_listed_filtered_and_searched_whatever_its_size() {
    let fleet = Fleet::of(number_of("LOAM_FLEET", 400)).await;
    let (size, own) = (fleet.size as u64, fleet.size.min(1_000) as u64);
    let dry = "filter=properties.reported.humidity%20%3C%2035%20AND%20tags.room%20%3D%203&count=true";
    assert_eq!(fleet.measured("a member: first page of 50", false, "count=true").await, own);
    assert_eq!(fleet.measured("a member: a filter", false, dry).await, own / 10);
    assert_eq!(
        fleet
            .measured("a member: search by friendly name, sorted", false, "search=KUCHE&sort=friendlyName&count=true")
            .await,
        own / 100
    );
    assert_eq!(fleet.measured("the fleet: first page of 50", true, "count=true").await, size);
    assert_eq!(fleet.measured("the fleet: a filter", true, dry).await, size / 10);
    assert_eq!(fleet.measured("the fleet: search by friendly name", true, "search=KUCHE&count=true").await, size / 100);
    assert_eq!(fleet.whole("a member: whole list, pages of 500", false).await, own);
    // Each page reads the fleet: what all pages of a large one cost is a page's cost by their number.
    if size <= LARGEST_WHOLE {
        assert_eq!(fleet.whole("the fleet: whole list, pages of 500", true).await, size);
    }
    let page = fleet.list(true, "limit=3&sort=-deviceId&fields=deviceId").await;
    let names: Vec<_> = (1..=3).map(|back| json!({"deviceId": twin(fleet.size - back).thing})).collect();
    assert_eq!(page["items"], Value::from(names));
}
