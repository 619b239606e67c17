//! The function's own program, as Lambda runs it: frozen between two events, cut off, used for long.

use std::path::Path;
use std::time::Duration;

use aws_sdk_iotdataplane::Client;
use loam_device::invoke::{Listen, carry_out};
use loam_domain::ThingName;
use loam_kit::{Budget, ExecutionEnvironment, eventually, number_of, unique_thing};
use serde_json::{Value, json};

use crate::routes::event;
use crate::world::{Answering, World};

/// AWS lets one device have 100 messages a second: calls take turns.
const DEVICES: usize = 3;
/// Beyond 1.5 keep-alives AWS IoT has ended the connection.
const LONG: Duration = Duration::from_secs(46);

struct Process {
    world: World,
    things: Vec<ThingName>,
    _devices: Vec<Answering>,
    environment: ExecutionEnvironment,
}

impl Process {
    async fn new(purpose: &str) -> Self {
        let world = World::new(purpose).await;
        let program = Path::new(env!("CARGO_BIN_EXE_sync-invoke"));
        let function = world.stack.function("SyncInvoke");
        let environment = ExecutionEnvironment::start(&world.stack, function, program, &world.cable.endpoint()).await;
        let (mut things, mut devices) = (Vec::new(), Vec::new());
        for _ in 0..DEVICES {
            let thing = unique_thing(purpose);
            devices.push(world.serving(&thing, Listen::Direct, carry_out).await);
            things.push(thing);
        }
        Self { world, things, _devices: devices, environment }
    }

    /// Status and body, without `elapsed`.
    async fn ask(&mut self, number: usize, method: &str, request: &str, timeout: u32) -> (u64, Value) {
        let thing = self.things.get(number % DEVICES).unwrap();
        let query = format!("method={method}&request={request}&target={thing}&timeout={timeout}");
        let event = event("GET", "GET /invoke", "/invoke", &query, "", &json!({}));
        let answer = self.environment.invoke(&event).await;
        let mut body: Value = serde_json::from_str(answer.get("body").and_then(Value::as_str).unwrap()).unwrap();
        let elapsed = body.as_object_mut().and_then(|fields| fields.remove("elapsed"));
        assert!(elapsed.is_some(), "{body}");
        (answer.get("statusCode").and_then(Value::as_u64).unwrap(), body)
    }

    async fn next_call_is_right(&mut self, number: usize) {
        let (status, body) = self.ask(number, "echo", &format!("call-{number}"), 10).await;
        assert_eq!((status, body), (200, json!({"result": "ok", "response": format!("call-{number}")})));
    }

    /// The client ids under which it opened sessions, the newest last.
    fn sessions(&self) -> Vec<String> {
        let ids = self.environment.logged("session opened", "client.id");
        ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// Asks the broker: only the newest session is there, with few subscriptions; none would outlive its connection.
    async fn leaves_nothing_behind(&self) -> String {
        let data = Client::new(&self.world.stack.admin().await);
        let sessions = self.sessions();
        let (newest, others) = sessions.split_last().unwrap();
        for session in others {
            eventually("an old session is gone", async || {
                let gone = match data.get_connection().client_id(session).send().await {
                    Ok(connection) => !connection.connected() && connection.clean_session(),
                    Err(error) => error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()),
                };
                gone.then_some(())
            })
            .await;
            assert!(data.list_subscriptions().client_id(session).send().await.is_err(), "{session}");
        }
        let newest_is = data.get_connection().client_id(newest).send().await.unwrap();
        assert!(newest_is.connected() && newest_is.clean_session());
        let held = data.list_subscriptions().client_id(newest).max_results(200).send().await.unwrap();
        assert!((1..=24).contains(&held.subscriptions().len()), "{}", held.subscriptions().len());
        format!("{} sessions opened, 1 left, {} subscriptions", sessions.len(), held.subscriptions().len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_was_cut_off_while_frozen_answers_its_next_call() {
    let mut process = Process::new("cut-off").await;
    let cuts = number_of("LOAM_INVOKE_CUTS", 5_usize);
    for number in 0..cuts {
        process.next_call_is_right(number).await;
        process.environment.freeze().await;
        process.world.cable.cut().await;
        process.environment.thaw().await;
    }
    process.next_call_is_right(cuts).await;
    let left = process.leaves_nothing_behind().await;
    println!("figure: invoke: frozen and cut off {cuts} times, next call right {cuts} times; {left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_frozen_beyond_its_keep_alive_answers_its_next_call() {
    let mut process = Process::new("frozen").await;
    let freezes = number_of("LOAM_INVOKE_FREEZES", 1_usize);
    for number in 0..freezes {
        process.next_call_is_right(number).await;
        process.environment.freeze().await;
        tokio::time::sleep(LONG).await;
        process.environment.thaw().await;
        process.next_call_is_right(number).await;
    }
    assert_eq!(process.environment.logged("session replaced", "why"), vec![json!("silent"); freezes]);
    let left = process.leaves_nothing_behind().await;
    println!("figure: invoke: frozen for {LONG:?} {freezes} times, next call right {freezes} times; {left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_is_used_for_long_never_answers_wrongly_and_does_not_grow() {
    let mut process = Process::new("long").await;
    let (budget, calls) = (Budget::start(), number_of("LOAM_INVOKE_CALLS", 60_usize));
    let (mut asked, mut resident, mut cpu) = (0, 0, Duration::ZERO);
    for number in 0..calls {
        let text = format!("call-{number}");
        let (method, request, timeout, expected) = match number % 100 {
            10 => ("silent", "r", 1, None),
            20 => ("wait", "%7B%22ms%22%3A1100%7D", 1, None),
            30 => ("flood", "%7B%22times%22%3A50%7D", 10, Some("flood")),
            number if number % 5 == 1 => ("double", "r", 10, Some("first")),
            number if number % 5 == 2 => ("foreign", "r", 10, Some("right")),
            _ => ("echo", text.as_str(), 10, Some(text.as_str())),
        };
        let (status, body) = process.ask(number, method, request, timeout).await;
        let right = expected.map_or_else(
            || (500, json!({"result": "timeout"})),
            |expected| (200, json!({"result": "ok", "response": expected})),
        );
        assert_eq!((status, body), right, "{method}");
        asked += 1;
        if number == calls / 10 {
            (resident, cpu) = (process.environment.resident_kib(), process.environment.cpu());
        }
        if budget.is_spent() {
            break;
        }
    }
    let grown = process.environment.resident_kib() - resident;
    let cpu = (process.environment.cpu() - cpu) * 10 / 9 / u32::try_from(asked).unwrap();
    let left = process.leaves_nothing_behind().await;
    println!(
        "figure: invoke: {asked} calls, 0 wrong, RSS {resident} KiB and {grown} KiB more, {cpu:?} CPU a call; {left}"
    );
    assert!(grown < 1024, "{grown} KiB");
    assert_eq!(process.sessions().len(), 1);
}
