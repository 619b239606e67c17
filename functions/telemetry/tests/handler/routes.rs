//! The HTTP routes, without the gateway in front, under their own role.

use std::collections::BTreeMap;

use axum::Router;
use loam_domain::Timestamp;
use loam_kit::{Stack, api_event, ask, now, reading, register, seed_membership, seed_membership_since, unique_thing};
use loam_things::Things;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use telemetry::aggregate::Aggregate;
use telemetry::point::{HOUR_MILLIS, Sample, Value};
use telemetry::{Api, ApiConfig};

use crate::{World, deliver_as_the_queue_does};

/// A thing of ours with what it measured, and the routes.
struct Routes {
    world: World,
    stack: Stack,
    router: Router,
    user: String,
}

impl Routes {
    /// With a viewer of the thing.
    async fn new(purpose: &str) -> Self {
        let (world, stack) = (World::new(purpose).await, Stack::deployed());
        let function = stack.function("TelemetryApi");
        let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
        let things = Things::new(&stack.admin().await, config.things_table.clone());
        register(&things, &world.thing).await;
        let api = Api::new(&stack.role_of(function, &stack.endpoint).await, config);
        let user = unique_thing("user").to_string();
        seed_membership(&stack, &user, &world.thing, "viewer", 1).await;
        Self { world, router: telemetry::routes().with_state(api).into(), stack, user }
    }

    /// What the viewer is answered on `GET /v1/things/{thing}/{path}`.
    async fn get(&self, path: &str) -> (u16, Json) {
        self.get_as(&self.user, &[], path).await
    }

    async fn get_as(&self, sub: &str, groups: &[&str], path: &str) -> (u16, Json) {
        let (bare, _) = path.split_once('?').unwrap_or((path, ""));
        let route = format!("GET /v1/things/{{thing}}/{bare}");
        let event = api_event(&route, &format!("/v1/things/{}/{path}", self.world.thing), sub, groups, None);
        let answer = ask(self.router.clone(), event).await;
        (answer.status, answer.json())
    }

    /// The items of a good answer.
    async fn items(&self, path: &str) -> Vec<Json> {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["items"].as_array().unwrap().clone()
    }

    /// The items of all pages, and how many pages there were; `between` happens before each further page.
    async fn pages(&self, path: &str, between: impl AsyncFn()) -> (Vec<Json>, usize) {
        let (mut items, mut pages, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let (status, page) = self.get(&format!("{path}{cursor}")).await;
            assert_eq!(status, 200, "{path}: {page}");
            items.extend(page["items"].as_array().unwrap().clone());
            pages += 1;
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (items, pages),
            }
            between().await;
        }
    }

    /// The code of a refusal with 400, and the parameter that it blames.
    async fn blamed(&self, path: &str) -> (String, String) {
        let (status, problem) = self.get(path).await;
        assert_eq!(status, 400, "{path}: {problem}");
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        (text(&problem["code"]), text(&problem["errors"][0]["parameter"]))
    }

    /// A time around all that a test measures, as parameters.
    fn around(&self) -> String {
        let [from, to] = [-5 * DAY, DAY].map(|millis| self.world.at(millis).as_millis());
        format!("from={from}&to={to}")
    }

    /// The thing measures.
    async fn measured(&self, readings: &[(i64, f64)]) {
        let readings: Vec<_> =
            readings.iter().map(|(at, value)| reading("Balcony", &json!(value), self.world.at(*at))).collect();
        let soil = self.world.message(json!(readings).to_string().as_bytes());
        deliver_as_the_queue_does(&self.world, vec![soil]).await;
    }

    /// Another sensor of the thing says something.
    async fn another_sensor(&self) {
        let said = json!({"humidity": 5, "t": {"in": 51.5}}).to_string();
        let body = self.world.message(said.as_bytes()).replace("/devicePayload", "/sensor/air/v1");
        deliver_as_the_queue_does(&self.world, vec![body]).await;
    }
}

const DAY: i64 = 24 * HOUR_MILLIS;

/// Milliseconds of each item, by this field, after the test's hour.
fn times(world: &World, items: &[Json], field: &str) -> Vec<i64> {
    items.iter().map(|item| item[field].as_i64().unwrap() - world.hour.as_millis()).collect()
}

#[tokio::test]
async fn the_latest_value_of_each_series_comes_by_its_name_in_pages() {
    let routes = Routes::new("latest").await;
    assert_eq!(routes.get("telemetry/latest").await, (200, json!({"items": []})));
    routes.measured(&[(5, 20.0), (9, 29.5), (7, 1.0)]).await;
    routes.another_sensor().await;
    let (items, pages) = routes.pages("telemetry/latest?limit=1", async || {}).await;
    let shown: Vec<_> = items.iter().map(|item| (item["path"].as_str().unwrap(), &item["value"])).collect();
    let expected = [("air.humidity", &json!(5.0)), ("air.t.in", &json!(51.5)), ("humidity", &json!(29.5))];
    assert_eq!((shown, pages), (expected.to_vec(), 3));
    assert_eq!(times(&routes.world, &items[2..], "measuredAt"), [9]);
    assert_eq!(routes.items("telemetry/latest").await, items);
}

#[tokio::test]
async fn a_series_is_named_by_path_or_by_sensor_and_path_and_one_that_nobody_knows_is_empty() {
    let routes = Routes::new("names").await;
    routes.another_sensor().await;
    for query in ["path=air.t.in", "sensor=air&path=t.in", "sensor=air.t&path=in"] {
        let items = routes.items(&format!("telemetry?{query}")).await;
        assert_eq!((items.len(), &items[0]["value"]), (1, &json!(51.5)), "{query}");
    }
    for query in ["path=t.in", "sensor=water&path=t.in", "path=humidity", "path=air.t&resolution=day"] {
        assert!(routes.items(&format!("telemetry?{query}")).await.is_empty(), "{query}");
    }
    let (_, body) = routes.get(&format!("telemetry?path=x&{}", routes.around())).await;
    let [from, to] = [-5 * DAY, DAY].map(|millis| routes.world.at(millis));
    assert_eq!(body, json!({"path": "x", "resolution": "raw", "from": from, "to": to, "items": []}));
}

#[tokio::test]
async fn a_range_holds_its_first_millisecond_and_not_its_last_and_hours_that_begin_in_it() {
    let routes = Routes::new("range").await;
    routes.measured(&[(0, 1.0), (1, 2.0), (2, 3.0), (HOUR_MILLIS, 4.0)]).await;
    let world = &routes.world;
    let of = |resolution: &str, from: i64, to: i64| {
        let [from, to] = [from, to].map(|millis| world.at(millis).as_millis());
        format!("telemetry?path=humidity&resolution={resolution}&from={from}&to={to}")
    };
    assert_eq!(times(world, &routes.items(&of("raw", 1, 2)).await, "measuredAt"), [1]);
    assert!(routes.items(&of("raw", 1, 1)).await.is_empty());
    let hours = routes.items(&of("hour", 0, HOUR_MILLIS + 1)).await;
    assert_eq!(times(world, &hours, "start"), [0, HOUR_MILLIS]);
    let summary = json!({"start": world.hour, "count": 3, "sum": 6.0, "min": 1.0, "max": 3.0, "mean": 2.0, "last": 3.0,
        "lastAt": world.at(2)});
    assert_eq!(hours[0], summary);
    assert_eq!(times(world, &routes.items(&of("hour", 1, HOUR_MILLIS + 1)).await, "start"), [HOUR_MILLIS]);
    assert!(routes.items(&of("hour", 1, HOUR_MILLIS)).await.is_empty());
}

#[tokio::test]
async fn every_mistake_is_refused_with_its_code_and_its_parameter() {
    let routes = Routes::new("mistakes").await;
    let now = now().as_millis();
    let (reversed, wide) =
        (format!("path=x&from={now}&to=5"), format!("path=x&resolution=hour&from={}", now - 400 * DAY));
    let cases = [
        ("", "invalid-query", ""),
        ("path=", "invalid-query", "path"),
        ("path=x&sensor=", "invalid-query", "sensor"),
        ("path=x&resolution=week", "invalid-query", "resolution"),
        ("path=x&order=up", "invalid-query", "order"),
        ("path=x&limit=501", "invalid-query", "limit"),
        ("path=x&from=2026-11-21T10:00:00Z", "invalid-query", "from"),
        ("path=x&to=-1", "invalid-query", "to"),
        ("path=x&since=5", "invalid-query", "since"),
        (&reversed, "range-reversed", "to"),
        (&wide, "range-too-wide", "from"),
        ("path=x&from=5", "range-too-wide", "from"),
        ("path=x&cursor=forged", "invalid-cursor", ""),
    ];
    for (query, code, parameter) in cases {
        let expected = (code.to_owned(), parameter.to_owned());
        assert_eq!(routes.blamed(&format!("telemetry?{query}")).await, expected, "{query}");
    }
    assert_eq!(routes.blamed("telemetry/latest?path=x").await, ("invalid-query".to_owned(), "path".to_owned()));
}

#[tokio::test]
async fn a_cursor_is_good_for_its_query_and_its_caller_alone() {
    let routes = Routes::new("cursor").await;
    routes.measured(&[(0, 1.0), (1, 2.0)]).await;
    let path = format!("telemetry?path=humidity&limit=1&{}", routes.around());
    let cursor = routes.get(&path).await.1["cursor"].as_str().unwrap().to_owned();
    assert_eq!(routes.items(&format!("{path}&cursor={cursor}")).await.len(), 1);
    let cut = &cursor[..cursor.len() - 1];
    for other in [format!("{path}&order=desc&cursor={cursor}"), format!("{path}&cursor={cut}")] {
        assert_eq!(routes.blamed(&other).await.0, "invalid-cursor", "{other}");
    }
    let (status, problem) = routes.get_as("an-operator", &["operators"], &format!("{path}&cursor={cursor}")).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid-cursor")));
}

#[tokio::test]
async fn what_one_may_not_know_is_the_same_404_as_what_does_not_exist() {
    let routes = Routes::new("hidden").await;
    routes.measured(&[(0, 1.0)]).await;
    let (former, stranger) = (unique_thing("user").to_string(), unique_thing("user").to_string());
    seed_membership(&routes.stack, &former, &routes.world.thing, "owner", 0).await;
    let path = format!("telemetry?path=humidity&{}", routes.around());
    let missing =
        Routes { world: routes.world.another("missing"), router: routes.router.clone(), ..Routes::new("x").await };
    for path in [path.as_str(), "telemetry/latest", "telemetry?path="] {
        let (status, expected) = missing.get_as("an-operator", &["operators"], path).await;
        assert_eq!((status, &expected["code"]), (404, &json!("no-such-thing")), "{path}");
        for user in [&former, &stranger] {
            assert_eq!(routes.get_as(user, &["co-operators"], path).await, (404, expected.clone()), "{path}");
        }
    }
    assert_eq!(routes.get_as("an-operator", &["operators"], &path).await, routes.get(&path).await);
}

#[tokio::test]
async fn a_member_sees_nothing_that_was_measured_before_their_own_time() {
    let routes = Routes::new("since").await;
    routes.measured(&[(0, 1.0), (HOUR_MILLIS, 2.0), (HOUR_MILLIS + 5, 3.0), (2 * HOUR_MILLIS, 4.0)]).await;
    let (world, user) = (&routes.world, unique_thing("user").to_string());
    let becomes_owner = async |since: Timestamp| {
        seed_membership_since(&routes.stack, &user, &world.thing, ("owner", 1), since).await;
    };
    let get = async |query: &str| routes.get_as(&user, &[], query).await.1;
    let series = |resolution: &str, more: &str| {
        format!("telemetry?path=humidity&resolution={resolution}{more}&{}", routes.around())
    };
    becomes_owner(world.at(HOUR_MILLIS + 5)).await;
    let shown = get(&series("raw", "")).await["items"].as_array().unwrap().clone();
    assert_eq!(times(world, &shown, "measuredAt"), [HOUR_MILLIS + 5, 2 * HOUR_MILLIS]);
    let shown = get(&series("hour", "")).await["items"].as_array().unwrap().clone();
    assert_eq!(times(world, &shown, "start"), [2 * HOUR_MILLIS]);
    let shown = get(&series("day", "")).await["items"].as_array().unwrap().clone();
    assert_eq!(shown.iter().map(|day| day["count"].as_i64().unwrap()).sum::<i64>(), 1);
    assert_eq!(get("telemetry/latest").await["items"].as_array().unwrap().len(), 1);
    // Cursors of a time when they could see more go on where they now may look.
    for (order, left) in [("asc", vec![2 * HOUR_MILLIS]), ("desc", vec![])] {
        becomes_owner(world.at(0)).await;
        let path = series("raw", &format!("&limit=1&order={order}"));
        let mut cursor = get(&path).await["cursor"].as_str().unwrap().to_owned();
        if order == "desc" {
            cursor = get(&format!("{path}&cursor={cursor}")).await["cursor"].as_str().unwrap().to_owned();
        }
        becomes_owner(world.at(2 * HOUR_MILLIS)).await;
        let page = get(&format!("{path}&cursor={cursor}")).await;
        assert_eq!(times(world, page["items"].as_array().unwrap(), "measuredAt"), left, "{order}");
        becomes_owner(world.at(DAY)).await;
        assert_eq!(get(&path).await["items"], json!([]), "{order}");
        assert_eq!(get("telemetry/latest").await["items"], json!([]));
    }
}

/// Up to 40 readings in three days, several of them in one hour, some in one millisecond.
fn readings() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let time = (0..72_i64, 0..3_i64).prop_map(|(hour, millis)| hour * HOUR_MILLIS - 3 * DAY + millis);
    vec((time, -100.0..100.0_f64), 1..40)
}

/// What a list of all readings must show, the oldest first: each item's time and what it says.
fn expected(world: &World, readings: &[(i64, f64)], resolution: &str) -> Vec<(i64, Json)> {
    let samples: BTreeMap<_, _> = readings
        .iter()
        .map(|(millis, value)| {
            let (measured_at, value) = (world.at(*millis), Value::new(*value).unwrap());
            let sample = Sample { measured_at, value, received_at: measured_at };
            ((measured_at, sample.digest()), sample)
        })
        .collect();
    let step = match resolution {
        "raw" => {
            let item = |sample: &Sample| (sample.measured_at.as_millis(), json!(sample.value.get()));
            return samples.values().map(item).collect();
        }
        "hour" => HOUR_MILLIS,
        _ => DAY,
    };
    let mut all: BTreeMap<i64, Aggregate> = BTreeMap::new();
    for sample in samples.values() {
        let (start, one) = (sample.measured_at.as_millis() / step * step, Aggregate::of(sample));
        all.entry(start).and_modify(|so_far| *so_far = so_far.merge(&one)).or_insert(one);
    }
    let said = |all: &Aggregate| {
        json!([all.count, all.sum.rounded(), all.min.get(), all.max.get(), all.mean(), all.last.get(), all.last_at])
    };
    all.iter().map(|(start, all)| (*start, said(all))).collect()
}

/// The same of what the routes show.
fn shown(item: &Json) -> (i64, Json) {
    if let Some(at) = item["measuredAt"].as_i64() {
        return (at, item["value"].clone());
    }
    let fields = ["count", "sum", "min", "max", "mean", "last", "lastAt"].map(|field| item[field].clone());
    (item["start"].as_i64().unwrap(), json!(fields))
}

/// 6 series from one seed, each in every resolution and both orders, by pages of any size, while another sensor of the thing
/// writes between any two pages.
#[tokio::test]
async fn what_was_written_is_what_is_read_over_all_pages_of_any_size_in_both_orders() {
    let mut chance = TestRunner::deterministic();
    let mut lists = 0;
    for _ in 0..6 {
        let routes = Routes::new("pages").await;
        let written = readings().new_tree(&mut chance).unwrap().current();
        routes.measured(&written).await;
        for resolution in ["raw", "hour", "day"] {
            let mut expected = expected(&routes.world, &written, resolution);
            for order in ["asc", "desc"] {
                let limit = any::<u16>().new_tree(&mut chance).unwrap().current() % 12 + 1;
                let path = format!(
                    "telemetry?path=humidity&resolution={resolution}&order={order}&limit={limit}&{}",
                    routes.around()
                );
                let (items, pages) = routes.pages(&path, async || routes.another_sensor().await).await;
                assert_eq!(items.iter().map(shown).collect::<Vec<_>>(), expected, "{path}");
                assert_eq!(pages, expected.len().div_ceil(limit.into()).max(1), "no page too many: {path}");
                expected.reverse();
                lists += 1;
            }
        }
    }
    println!("figure: lists of telemetry, page by page while others write: {lists} read, 0 differ");
}
