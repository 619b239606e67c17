//! Smart mode against the local AWS: the real tables and the real topic.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "the figures of a run are its result")]

mod histories;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use histories::{Event, HANDLERS, History, Kind, histories, oracle};
use loam_access::Access;
use loam_domain::{Reading, Readings, ThingName, Timestamp};
use loam_kit::{Budget, Inbox, Mail, Stack, eventually, now, number_of, reading, unique_thing};
use loam_things::Things;
use serde_json::{Value, json};
use soil_alerts::Notices;
use soil_alerts::smart::{
    AlertRule, Alerts, Decision, NearestRules, NoticeKind, Observation, State, StateStore, Status, decide,
};

/// One test's world: a thing of its own, its mail, its rules.
struct World {
    alerts: Alerts,
    /// The same, under the role of the schedule's function.
    sweeper: Alerts,
    states: StateStore,
    rules_table: String,
    admin: SdkConfig,
    inbox: Inbox,
    thing: ThingName,
    now: Timestamp,
}

impl World {
    async fn new(purpose: &str) -> Self {
        let stack = Stack::deployed();
        let function = stack.function("SoilAlerts");
        let variable = |name: &str| function.variable(name).unwrap();
        let (alerts, states) = alerts_of(&stack, "SoilAlerts").await;
        let (admin, thing) = (stack.admin().await, unique_thing(purpose));
        Self {
            alerts,
            states,
            sweeper: alerts_of(&stack, "SoilAlertsSweep").await.0,
            rules_table: variable("ALERT_RULES_TABLE"),
            inbox: Inbox::open(&admin, &variable("alert_sns"), thing.as_str()).await,
            admin,
            thing,
            now: now(),
        }
    }

    async fn write_rules(&self, scope: String, rules: &Value, thing_type: Option<&str>) {
        let put = aws_sdk_dynamodb::Client::new(&self.admin).put_item().table_name(&self.rules_table);
        let put = put.item("scope", AttributeValue::S(scope)).item("rules", AttributeValue::S(rules.to_string()));
        let put = match thing_type {
            Some(thing_type) => put.item("thingType", AttributeValue::S(thing_type.to_owned())),
            None => put,
        };
        put.send().await.unwrap();
    }

    async fn own_rule(&self, rule: &Value) {
        self.write_rules(format!("thing:{}", self.thing), &json!([rule]), None).await;
    }

    /// A reading that is measured and arrives `second` seconds after the test began.
    async fn deliver(&self, second: i64, humidity: i64) {
        let at = self.now.plus_millis(second * 1000);
        let reading = understood(&reading("Balcony", &json!(humidity), at), at);
        self.alerts.apply(&self.thing, &[&reading], at, self.now).await.unwrap();
    }

    async fn state(&self) -> State {
        self.states.load(&self.thing, AlertRule::HUMIDITY).await.unwrap()
    }

    /// All mails, when there are `count`; more would show, as they are taken after the last delivery.
    async fn mails(&self, count: usize) -> Vec<Mail> {
        let mails = self.mails_at_least(count).await;
        assert_eq!(mails.len(), count);
        mails
    }

    async fn mails_at_least(&self, count: usize) -> Vec<Mail> {
        let taken = Mutex::new(Vec::new());
        eventually(&format!("{count} mails"), async || {
            let more = self.inbox.take().await;
            let mut taken = taken.lock().unwrap();
            taken.extend(more);
            (taken.len() >= count).then_some(())
        })
        .await;
        taken.into_inner().unwrap()
    }
}

/// Smart mode under the role of one of the functions.
async fn alerts_of(stack: &Stack, function: &str) -> (Alerts, StateStore) {
    let function = stack.function(function);
    let variable = |name: &str| function.variable(name).unwrap();
    let sdk = stack.role_of(function, &stack.endpoint).await;
    let client = aws_sdk_dynamodb::Client::new(&sdk);
    let states = StateStore::new(client.clone(), variable("ALERT_STATES_TABLE"));
    let rules = NearestRules::new(client, variable("ALERT_RULES_TABLE"), variable("TWINS_TABLE"));
    let access = Access::new(&sdk, variable("MEMBERSHIPS_TABLE"), Things::new(&sdk, variable("THINGS_TABLE")));
    let notices = Notices::new(aws_sdk_sns::Client::new(&sdk), access, variable("alert_sns"));
    (Alerts::new(states.clone(), rules, notices, 35.0), states)
}

fn understood(json: &Value, received_at: Timestamp) -> Reading {
    let mut readings = Readings::parse(json.to_string().as_bytes(), received_at).unwrap();
    readings.accepted.remove(0).1
}

fn kinds(mails: &[Mail]) -> BTreeMap<&str, usize> {
    let mut kinds = BTreeMap::new();
    for mail in mails {
        *kinds.entry(mail.attributes["kind"].as_str()).or_default() += 1;
    }
    kinds
}

#[tokio::test]
async fn an_episode_sends_the_classic_notice_once_and_its_end_with_duration_and_extreme() {
    let world = World::new("episode").await;
    for (second, humidity) in [(0, 20), (30, 12), (30, 12), (60, 50)] {
        world.deliver(second, humidity).await;
    }
    let mails = world.mails(2).await;
    let text = |kind: &str| mails.iter().find(|mail| mail.attributes["kind"] == kind).unwrap().clone();
    assert_eq!(text("opened").subject, "Attention:Humidity Under Threshold");
    assert_eq!(text("opened").message, "Humidity 20 under threshold for device name Balcony");
    let end = "Humidity 50 no longer under threshold for device name Balcony, after 1 min 0 s, lowest 12";
    assert_eq!(text("recovered").message, end);
    let state = world.state().await;
    assert_eq!((state.status(), state.outbox.len(), state.version), (Status::Ok, 0, 5));
}

#[tokio::test]
async fn a_notice_of_a_run_that_died_before_sending_is_sent_when_the_event_comes_again() {
    let world = World::new("died").await;
    let reading = understood(&reading("Balcony", &json!(20), world.now), world.now);
    let observation = Observation::of(&reading, AlertRule::HUMIDITY).unwrap();
    let fresh = State::new(world.thing.as_str(), AlertRule::HUMIDITY);
    let Decision::Save(state, _) = decide(&fresh, &AlertRule::classic(35.0), &[observation], world.now) else {
        panic!()
    };
    world.states.save(&state).await.unwrap();
    let applied = world.alerts.apply(&world.thing, &[&reading], world.now, world.now).await.unwrap();
    assert_eq!((applied.tally.duplicate, applied.notices), (1, 1));
    assert_eq!(kinds(&world.mails(1).await), BTreeMap::from([("opened", 1)]));
    assert!(world.state().await.outbox.is_empty());
}

#[tokio::test]
async fn the_nearest_rule_of_the_table_holds() {
    let world = World::new("layers").await;
    let thing_type = format!("type-{}", world.thing);
    let path_rule = |path: &str, threshold: i64| json!({"path": path, "threshold": threshold});
    world.write_rules(format!("type:{thing_type}"), &json!([path_rule("humidity", 25)]), Some("ignored")).await;
    world.write_rules(format!("thing:{}", world.thing), &json!([path_rule("battery", 3)]), Some(&thing_type)).await;
    world.deliver(0, 30).await;
    assert_eq!(world.state().await.status(), Status::Ok);
    world.deliver(1, 24).await;
    assert_eq!(world.state().await.status(), Status::Alarm);
}

#[tokio::test]
async fn a_sweep_tells_once_that_readings_stay_away() {
    let world = World::new("silence").await;
    world.own_rule(&json!({"path": "humidity", "threshold": 35, "noDataSeconds": 60})).await;
    // The sweep looks after every thing of the stack, also those of other tests: so this reading is late, not the sweep
    // early.
    world.deliver(-61, 50).await;
    for _ in 0..2 {
        world.sweeper.sweep(world.now).await.unwrap();
    }
    let mails = world.mails(1).await;
    assert_eq!(mails[0].subject, "Attention:No Humidity Data");
    assert_eq!((world.state().await.status(), world.state().await.look_at()), (Status::NoData, None));
    world.deliver(0, 50).await;
    assert_eq!(kinds(&world.mails(1).await), BTreeMap::from([("data-back", 1)]));
}

#[tokio::test]
async fn a_sweep_sends_what_a_dead_run_left_behind() {
    let world = World::new("behind").await;
    let (reading, long_ago) = (reading("Balcony", &json!(20), world.now), world.now.plus_millis(-60_001));
    let observation = Observation::of(&understood(&reading, world.now), AlertRule::HUMIDITY).unwrap();
    let fresh = State::new(world.thing.as_str(), AlertRule::HUMIDITY);
    let Decision::Save(state, _) = decide(&fresh, &AlertRule::classic(35.0), &[observation], world.now) else {
        panic!()
    };
    world.states.save(&state.committed_at(long_ago)).await.unwrap();
    world.sweeper.sweep(world.now).await.unwrap();
    assert_eq!(kinds(&world.mails(1).await), BTreeMap::from([("opened", 1)]));
    assert!(world.state().await.outbox.is_empty());
}

/// Plays `history` with eight handlers at a time; gives the notices that they say they sent.
async fn play(world: &World, history: &History) -> usize {
    world.own_rule(&serde_json::to_value(history.rule.spec()).unwrap()).await;
    let queue: VecDeque<Event> = history.deliveries.iter().map(|index| history.events[*index].clone()).collect();
    let queue = Arc::new(Mutex::new(queue));
    let handlers: Vec<_> = (0..HANDLERS)
        .map(|_| {
            let (alerts, thing, queue) = (world.alerts.clone(), world.thing.clone(), queue.clone());
            tokio::spawn(async move { work_off(&alerts, &thing, &queue).await })
        })
        .collect();
    let mut sent = 0;
    for handler in handlers {
        sent += handler.await.unwrap();
    }
    sent
}

async fn work_off(alerts: &Alerts, thing: &ThingName, queue: &Mutex<VecDeque<Event>>) -> usize {
    let mut sent = 0;
    loop {
        let Some(event) = queue.lock().unwrap().pop_front() else { return sent };
        let json = |observation: &Observation| {
            reading("soilSensor1", &json!(observation.sample.value()), observation.sample.at())
        };
        let readings: Vec<_> =
            event.observations.iter().map(|observation| understood(&json(observation), event.received_at)).collect();
        match alerts.apply(thing, &readings.iter().collect::<Vec<_>>(), event.received_at, now()).await {
            Ok(applied) => sent += applied.notices,
            Err(_) => queue.lock().unwrap().push_back(event),
        }
    }
}

/// Four at a time: more would be slower than a handler's patience with the one that sends.
async fn histories_end_as_their_readings_say(kind: Kind) {
    let (queue, played) =
        (Mutex::new(histories(kind, number_of("LOAM_STORE_HISTORIES", 12), 5_000)), AtomicU64::new(0));
    let budget = Budget::start();
    let player = async || {
        while !budget.is_spent() {
            let Some(history) = queue.lock().unwrap().next() else { return };
            ends_as_its_readings_say(kind, &history).await;
            played.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(Box::pin(player()), Box::pin(player()), Box::pin(player()), Box::pin(player()));
    println!(
        "figure: histories on the real store, soil-alerts, {kind:?}: {} played, 0 end elsewhere",
        played.into_inner()
    );
}

async fn ends_as_its_readings_say(kind: Kind, history: &History) {
    let seed = history.seed;
    let world = World::new("history").await;
    let sent = play(&world, history).await;
    let state = world.state().await;
    let barrier = if kind == Kind::Immediate { None } else { state.barrier() };
    assert_eq!(state.status() == Status::Alarm, oracle::alarm_after(history, barrier), "seed {seed}");
    assert!(state.outbox.is_empty(), "seed {seed}");
    // On a machine so slow that one handler takes another for dead, a notice goes out twice, under the same id.
    let mut mails = world.mails_at_least(sent).await;
    world.inbox.close().await;
    let mut ids = BTreeSet::new();
    mails.retain(|mail| ids.insert(mail.attributes["noticeId"].clone()));
    if kind == Kind::Immediate {
        let kinds = kinds(&mails);
        let count = |kind: NoticeKind| kinds.get(kind.as_str()).copied().unwrap_or_default();
        let open = count(NoticeKind::Opened) - count(NoticeKind::Recovered);
        assert_eq!(open == 1, state.status() == Status::Alarm, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_under_immediate_rules_end_on_the_real_table_as_if_they_had_arrived_in_order() {
    histories_end_as_their_readings_say(Kind::Immediate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn histories_under_any_rule_end_on_the_real_table_as_their_distinct_readings_say() {
    histories_end_as_their_readings_say(Kind::General).await;
}
