//! Devices that behave, and devices that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::world::{World, thaw_after, told};
use loam_device::invoke::{Call, Listen, Reply, carry_out};
use loam_kit::{Budget, now, number_of};
use sync_invoke::{Called, Config, DeliveryMode, Invoker, Prefix, Request, Target};

/// What a caller waits beyond the time that it asked for.
const SLACK: Duration = Duration::from_millis(50);

async fn next_call_is_right(world: &World) {
    assert_eq!(told(&world.call("add", "[1, 2.5]", 10.0).await), "200 3.5");
    assert_eq!(world.invoker.sessions().load().await.0, 0, "no call waits any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_subscribed_to_nothing_is_called_and_answers() {
    let world = World::new("echo").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("echo", "hello é", 10.0).await), r#"200 "hello é""#);
    assert_eq!(told(&world.call("binary", "AQID", 10.0).await), r#"200 "AwIB""#);
    assert!(told(&world.call("fail", "", 10.0).await).starts_with("500 "));
    assert!(told(&world.call("no-such-method", "", 10.0).await).starts_with("404 "));
    next_call_is_right(&world).await;
    assert_eq!(world.cable.opened(), 1, "all of it on one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_not_connected_is_told_at_once() {
    let world = World::new("absent").await;
    let _device = world.answering().await;
    next_call_is_right(&world).await;
    let nobody = World { thing: loam_kit::unique_thing("nobody"), ..world };
    let started = Instant::now();
    assert_eq!(told(&nobody.call("echo", "", 10.0).await), "not-connected");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_too_large_once_it_is_wrapped_is_never_sent() {
    let world = World::new("large").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("echo", &"x".repeat(131_000), 10.0).await), "too-large");
    assert!(told(&world.call("fail", &"x".repeat(130_900), 10.0).await).starts_with("500 "));
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_connects_in_time_is_waited_for_where_the_caller_asks() {
    let world = World::new("awaited").await;
    let mut request = world.request("add", "[1, 2.5]", 15.0);
    request.connect_budget = Duration::from_secs(10);
    let arrives = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.answering().await
    };
    let (called, _device) = tokio::join!(world.invoker.call(&request), arrives);
    assert_eq!(told(&called), "200 3.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_device_is_told_from_an_absent_one_and_costs_the_time_that_was_asked() {
    let world = World::new("silent").await;
    let _device = world.answering().await;
    next_call_is_right(&world).await;
    let started = Instant::now();
    assert_eq!(told(&world.call("silent", "", 1.0).await), "no-answer");
    let late = started.elapsed().saturating_sub(Duration::from_secs(1));
    assert!(late < SLACK * 4, "{late:?} after its deadline");
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_awaited_and_a_late_one_reaches_nobody() {
    let world = World::new("slow").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("wait", r#"{"ms": 300}"#, 10.0).await), r#"200 "done""#);
    assert_eq!(told(&world.call("wait", r#"{"ms": 800}"#, 0.4).await), "no-answer");
    assert_eq!(told(&world.call("wait", r#"{"ms": 900}"#, 10.0).await), r#"200 "done""#);
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_and_one_under_another_id_reach_nobody() {
    let world = World::new("double").await;
    let _device = world.answering().await;
    for _ in 0..3 {
        assert_eq!(told(&world.call("double", "", 10.0).await), r#"200 "first""#);
        assert_eq!(told(&world.call("foreign", "", 10.0).await), r#"200 "right""#);
    }
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_replies_leave_the_next_calls_right() {
    let world = World::new("flood").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("flood", r#"{"times": 1000}"#, 10.0).await), r#"200 "flood""#);
    for _ in 0..10 {
        next_call_is_right(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_ends_a_call_only_where_it_shall() {
    let world = World::new("malformed").await;
    let _device = world.answering().await;
    assert_eq!(told(&world.call("malformed", "", 10.0).await), "malformed");
    let mut published = world.request("malformed", "", 0.5);
    published.ends_on_malformed = false;
    assert_eq!(told(&world.invoker.call(&published).await), "no-answer");
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_behind_a_hundred_that_are_none_is_heard_where_the_call_goes_on() {
    let world = World::new("nonsense").await;
    let methods = |call: &Call| {
        let right = carry_out(call).remove(0);
        let none = Reply { payload: b"no JSON".to_vec(), ..right.clone() };
        vec![none; 100].into_iter().chain([right]).collect()
    };
    let _device = world.serving(&world.thing, Listen::Direct, methods).await;
    let mut published = world.request("echo", "right", 10.0);
    published.ends_on_malformed = false;
    assert_eq!(told(&world.invoker.call(&published).await), r#"200 "right""#);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_a_device_has_for_connecting_is_none_for_answering() {
    let world = World::new("patient").await;
    let _device = world.answering().await;
    let mut request = world.request("silent", "", 20.0);
    (request.connect_budget, request.response_budget) = (Duration::from_secs(19), Duration::from_secs(1));
    let started = Instant::now();
    assert_eq!(told(&world.invoker.call(&request).await), "no-answer");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_an_id_of_its_own_runs_once_and_its_repeat_has_the_same_answer() {
    let world = World::new("repeat").await;
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let methods = move |call: &Call| {
        counted.fetch_add(1, Ordering::SeqCst);
        carry_out(call)
    };
    let _device = world.serving(&world.thing, Listen::Direct, methods).await;
    let mut request = world.request("echo", "once", 10.0);
    request.id = Some("6f1c7f2e-38ab-4d6a-9c53-0d6f2b1f0a11".to_owned());
    // Often enough that the ids that are spent are unsubscribed from in between.
    for _ in 0..20 {
        let called = world.invoker.call(&request).await;
        assert_eq!((told(&called), Some(called.id)), (r#"200 "once""#.to_owned(), request.id.clone()));
        assert!(told(&world.call("echo", "other", 10.0).await).starts_with("200"));
    }
    assert_eq!(ran.load(Ordering::SeqCst), 21, "the others ran as well");
    assert!(world.invoker.sessions().load().await.1 <= 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_without_direct_messaging_publishes_and_asks_who_is_there() {
    let world = World::new("publish").await;
    let config = Config { delivery: DeliveryMode::Publish, ..world.config.clone() };
    let world = world.called_as(config).await;
    assert_eq!(told(&world.call("echo", "", 10.0).await), "not-connected");
    let _device = world.serving(&world.thing, Listen::Subscribed, carry_out).await;
    next_call_is_right(&world).await;
    assert_eq!(told(&world.call("silent", "", 1.0).await), "no-delivery", "nothing tells that it has the request");
    assert_eq!(told(&world.call("double", "", 10.0).await), r#"200 "first""#);
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_opens_sessions_and_subscribes_under_the_stacks_prefix_alone() {
    let world = World::new("role").await;
    let _device = world.answering().await;
    next_call_is_right(&world).await;
    let function = world.stack.function("SyncInvoke");
    let sdk = world.stack.role_of(function, &world.stack.endpoint).await;
    // The first may not connect under that name; the second may, and not subscribe below it.
    for prefix in ["other".to_owned(), format!("{}_x", world.config.prefix)] {
        let prefix = Prefix::parse(&prefix).unwrap();
        let invoker = Invoker::new(&sdk, &Config { prefix: prefix.clone(), ..world.config.clone() }, now);
        let target = Target::parse(&prefix, world.thing.as_str(), "echo").unwrap();
        let called = invoker.call(&Request { target, ..world.request("echo", "", 5.0) }).await;
        assert_eq!(told(&called), "unavailable", "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_through_a_broker_that_restarts_while_it_is_awaited() {
    let world = World::new("restart").await;
    let _device = world.answering().await;
    next_call_is_right(&world).await;
    let request = world.request("wait", r#"{"ms": 1500}"#, 10.0);
    let cut = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.cable.cut().await;
    };
    let (called, ()) = tokio::join!(world.invoker.call(&request), cut);
    assert_eq!(told(&called), r#"200 "done""#);
    next_call_is_right(&world).await;
    assert_eq!(world.cable.opened(), 2);
}

/// On one thread, as the function runs: there the runtime looks at its sockets before a session is judged.
#[tokio::test]
async fn a_session_whose_connection_ended_between_two_calls_is_replaced() {
    let world = World::new("cut").await;
    let _device = world.answering().await;
    for _ in 0..number_of("LOAM_INVOKE_CUTS", 5) {
        next_call_is_right(&world).await;
        world.cable.cut().await;
    }
    next_call_is_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_frozen_for_longer_than_its_keep_alive_is_replaced_before_use() {
    let world = World::new("frozen").await;
    let _device = world.answering().await;
    next_call_is_right(&world).await;
    thaw_after(Duration::from_secs(20));
    next_call_is_right(&world).await;
    assert_eq!(world.cable.opened(), 1, "a freeze shorter than the keep-alive costs nothing");
    thaw_after(Duration::from_secs(46));
    next_call_is_right(&world).await;
    assert_eq!(world.cable.opened(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_at_once_get_each_their_own_answer() {
    let world = World::new("several").await;
    let _device = world.answering().await;
    // More than the subscriptions that one session may have.
    let calls = (0..60).map(|number| {
        let request = world.request("add", &format!("[{number}, 0.5]"), 10.0);
        let invoker = &world.invoker;
        async move { (number, invoker.call(&request).await) }
    });
    let called: Vec<(i32, Called)> = futures_util::future::join_all(calls).await;
    for (number, called) in called {
        assert_eq!(told(&called), format!("200 {number}.5"));
    }
    next_call_is_right(&world).await;
}

/// All of it mixed: in the soak 10,000 calls, and not one wrong answer, nor anything left behind.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_ever_another_call_s() {
    let world = World::new("mixed").await;
    let _device = world.answering().await;
    let (budget, before) = (Budget::start(), resident_kib());
    let mut calls = 0;
    for number in 0..number_of("LOAM_INVOKE_CALLS", 60_u64) {
        let (method, seconds, expected) = match number % 6 {
            0 => ("double", 10.0, r#"200 "first""#),
            1 => ("foreign", 10.0, r#"200 "right""#),
            2 => ("silent", 0.02, "no-answer no-delivery"),
            3 => ("wait", 0.01, "late"),
            _ => ("echo", 10.0, ""),
        };
        let text = format!("call {number}");
        let request = if method == "wait" { r#"{"ms": 15}"# } else { text.as_str() };
        let heard = told(&world.call(method, request, seconds).await);
        let echo = format!("200 {text:?}");
        let expected = if expected.is_empty() { echo.as_str() } else { expected };
        // A call that lasts 20 ms may end before the device's acknowledgement comes; and on a busy machine its own answer may
        // come before its time is looked at.
        let late = expected == "late" && ["no-answer", "no-delivery", r#"200 "done""#].contains(&heard.as_str());
        let ended = expected.split(' ').any(|word| word == heard);
        assert!(late || ended || expected == heard, "{method}: {heard}");
        calls += 1;
        if budget.is_spent() {
            break;
        }
    }
    let (waiting, subscriptions) = world.invoker.sessions().load().await;
    println!("{calls} calls, {waiting} waiting, {subscriptions} subscriptions, {} KiB more", resident_kib() - before);
    assert!(waiting == 0 && subscriptions <= 24, "{waiting} {subscriptions}");
    assert_eq!(world.cable.opened(), 1);
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
