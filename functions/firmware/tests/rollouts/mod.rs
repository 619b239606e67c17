use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use firmware::execution::{Execution, Running};
use firmware::rollout::{Change, Rollout, apply};
use loam_domain::{ThingName, Timestamp};
use loam_kit::{DeadLetterQueue, eventually, now};
use loam_releases::names::Id;
use loam_releases::version::Version;
use serde_json::{Value, json};

use crate::operators::{Places, World, problem, text};

fn definition(release: &Id, name: &str) -> Value {
    let wave = json!({"size": "rest", "successPercent": 90, "errors": {"percent": 10}, "soakMinutes": 5});
    json!({"release": release, "targets": {"filter": format!("deviceId = '{name}'")}, "waves": [wave]})
}

/// A rollout of a published release, that nobody conducts.
async fn ordered(world: &World) -> Id {
    let release = world.published("2.1.0").await;
    ordered_of(world, &release).await
}

async fn ordered_of(world: &World, release: &Id) -> Id {
    let answer = world.order(&definition(release, &world.name), None).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    Id::parse(answer.json()["rolloutId"].as_str().unwrap()).unwrap()
}

async fn stored(world: &World, id: &Id) -> Rollout {
    let row = world.row(&format!("rollout#{id}"), "rollout").await.unwrap();
    serde_json::from_str(row["rollout"].as_s().unwrap()).unwrap()
}

/// What the conductor would write.
async fn conduct(world: &World, id: &Id, change: impl FnOnce(Rollout) -> Rollout) {
    let after = change(stored(world, id).await);
    let version = AttributeValue::N(after.version.to_string());
    let row = [("version", version), ("rollout", text(&serde_json::to_string(&after).unwrap()))];
    world.write(&format!("rollout#{id}"), "rollout", &row).await;
}

async fn filled(world: &World, id: &Id) {
    conduct(world, id, |rollout| apply(&rollout.dealt(&[1]), Change::Filled, now()).unwrap().0).await;
}

/// Fills it, starts it and stops it.
async fn stopped(world: &World, id: &Id) {
    filled(world, id).await;
    for (by, action) in [("bob", "approve"), ("ann", "start"), ("bob", "stop")] {
        assert_eq!(act(world, id, by, action).await.0, 200, "{action}");
    }
    conduct(world, id, |rollout| apply(&rollout, Change::Stopped, now()).unwrap().0).await;
}

async fn act(world: &World, id: &Id, by: &str, action: &str) -> (u16, String) {
    let etag = world.get(&format!("/v1/rollouts/{id}")).await.header("etag").to_owned();
    let answer = world.post(by, &format!("/v1/rollouts/{id}/{action}"), &etag).await;
    let status = answer.json()["status"].as_str().map(str::to_owned);
    (answer.status, status.unwrap_or_else(|| answer.code()))
}

fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

/// Writes a thing of the only wave, and counts it.
async fn seed(world: &World, id: &Id, things: &[(&str, Execution)]) {
    let partition = format!("things#{id}#0#0");
    let mut counts: Vec<(&str, u64)> = vec![];
    for (bucket, execution) in things {
        let row = [
            ("version", AttributeValue::N("1".to_owned())),
            ("execution", text(&serde_json::to_string(execution).unwrap())),
        ];
        world.write(&partition, &format!("{bucket}{}", execution.thing), &row).await;
        let counter = execution.state().counter();
        match counts.iter_mut().find(|(name, _)| *name == counter) {
            Some((_, count)) => *count += 1,
            None => counts.push((counter, 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| (*name, AttributeValue::N(count.to_string()))).collect();
    world.write(&partition, "tally", &counts).await;
}

fn execution(id: &Id, thing: &str) -> Execution {
    let target = Version::parse("2.1.0").unwrap();
    Execution::queued(id.clone(), ThingName::parse(thing).unwrap(), 0, target)
}

/// One that runs the target and ran `from` before.
fn succeeded(id: &Id, thing: &str, from: &str) -> Execution {
    let at = Timestamp::from_millis(5);
    Execution {
        from: Some(Version::parse(from).unwrap()),
        claimed_at: Some(at),
        running: Some(Running { at, version: Version::parse("2.1.0").unwrap() }),
        reached: true,
        ..execution(id, thing)
    }
}

#[tokio::test]
async fn a_repeated_order_is_one_rollout_and_another_under_its_key_is_refused() {
    let world = World::new(Places::Own).await;
    let release = world.published("2.1.0").await;
    let body = definition(&release, &world.name);
    let first = world.order(&body, Some("k")).await;
    assert_eq!((first.status, first.header("etag")), (202, "\"1\""), "{}", first.body);
    assert_eq!((&first.json()["status"], &first.json()["createdBy"]), (&json!("filling"), &json!("ann")));
    let again = world.order(&body, Some("k")).await;
    assert_eq!((again.status, again.json()), (202, first.json()));
    let mut other = body.clone();
    other["perMinute"] = json!(7);
    assert_eq!(problem(&world.order(&other, Some("k")).await), is(409, "idempotency-key-reused"));
    assert_eq!(world.order(&other, None).await.status, 202);
    let listed = world.get("/v1/rollouts?limit=1").await.json();
    let rest = world.get(&format!("/v1/rollouts?limit=1&cursor={}", listed["cursor"].as_str().unwrap())).await.json();
    let ids: BTreeSet<_> = [&listed, &rest].map(|page| page["items"][0]["rolloutId"].to_string()).into();
    assert_eq!(ids.len(), 2);
    let asked = DeadLetterQueue::new(&world.admin, &world.api.queue_url).texts().await;
    assert!(asked.iter().any(|body| body.contains(first.json()["rolloutId"].as_str().unwrap())));
}

#[tokio::test]
async fn an_order_that_is_repeated_after_its_late_joiners_had_their_time_is_answered_as_before() {
    let world = World::new(Places::Own).await;
    let release = world.published("2.1.0").await;
    let mut body = definition(&release, &world.name);
    let until = now().plus_millis(5_000);
    body["joinUntil"] = json!(until);
    let first = world.order(&body, Some("late")).await;
    assert_eq!(first.status, 202, "{}", first.body);
    eventually("the time of late joiners is over", async || (until < now()).then_some(())).await;
    let again = world.order(&body, Some("late")).await;
    assert_eq!((again.status, again.json()), (202, first.json()));
    assert_eq!(problem(&world.order(&body, Some("later")).await), is(400, "join-until-over"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_when_it_is_ordered() {
    let world = World::new(Places::Own).await;
    let release = world.published("2.1.0").await;
    let wave = |success: u32, errors: &Value| json!([{"size": "rest", "successPercent": success, "errors": errors}]);
    let first_of_five = |errors: u32| json!({"size": {"count": 5}, "successPercent": 50, "errors": {"count": errors}});
    let rest = json!({"size": "rest", "successPercent": 50, "errors": {"count": 5}});
    let left = json!({"left": {"rollout": "0".repeat(32), "version": "1.0.0"}});
    let nothing = Id::of("release", &["nothing"]);
    for (field, value, code) in [
        ("waves", wave(95, &json!({"percent": 10})), "thresholds-contradict"),
        ("waves", wave(0, &json!({"percent": 10})), "out-of-range"),
        ("waves", json!([first_of_five(5), rest]), "thresholds-contradict"),
        ("waves", json!([]), "invalid-waves"),
        ("waves", json!("rest"), "invalid-body"),
        ("targets", json!({"filter": "tags.a ="}), "invalid-targets"),
        ("targets", left, "invalid-targets"),
        ("perMinute", json!(0), "out-of-range"),
        ("window", json!({"days": [], "fromMinute": 0, "minutes": 60}), "invalid-window"),
        ("joinUntil", json!(1), "join-until-over"),
        ("joinUntil", json!(now().as_millis() * 1_000), "out-of-range"),
        ("release", json!(nothing), "no-such-release"),
        ("surprise", json!(1), "invalid-body"),
    ] {
        let mut body = definition(&release, &world.name);
        body[field] = value;
        assert_eq!(problem(&world.order(&body, None).await), is(400, code), "{field}");
    }
    assert_eq!(world.get("/v1/rollouts").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_draft_and_a_deprecated_release_are_not_rolled_out() {
    let world = World::new(Places::Own).await;
    let draft = world.upload("draft", &world.descriptor("3.0.0"), b"image").await;
    let refused = is(409, "release-not-published");
    assert_eq!(problem(&world.order(&definition(&draft, &world.name), None).await), refused);
    let old = world.published("2.0.0").await;
    assert_eq!(world.post("ann", &format!("/v1/releases/{old}/deprecate"), "*").await.status, 200);
    assert_eq!(problem(&world.order(&definition(&old, &world.name), None).await), refused);
}

#[tokio::test]
async fn a_dynamic_group_is_the_filter_that_it_is_when_it_is_ordered() {
    let mut world = World::new(Places::Own).await;
    world.api.groups_table = loam_kit::twin_of_table(&world.admin, &world.api.groups_table).await;
    let put = aws_sdk_dynamodb::Client::new(&world.admin).put_item().table_name(&world.api.groups_table);
    let put = put.item("group", text("dry")).item("item", text("group")).item("filter", text("tags.soil = 'dry'"));
    put.send().await.unwrap();
    let world = world.again();
    let release = world.published("2.1.0").await;
    for (group, expected) in [("dry", json!({"filter": "tags.soil = 'dry'"})), ("unknown", json!({"group": "unknown"}))]
    {
        let mut body = definition(&release, &world.name);
        body["targets"] = json!({"group": group});
        let ordered = world.order(&body, None).await.json();
        let shown = world.get(&format!("/v1/rollouts/{}", ordered["rolloutId"].as_str().unwrap())).await.json();
        assert_eq!(shown["definition"]["targets"], expected);
    }
}

#[tokio::test]
async fn a_rollout_is_approved_by_somebody_else_and_goes_as_operators_say() {
    let world = World::new(Places::Own).await;
    let id = ordered(&world).await;
    assert_eq!(act(&world, &id, "bob", "approve").await, is(409, "rollout-filling"));
    filled(&world, &id).await;
    assert_eq!(act(&world, &id, "ann", "start").await, is(409, "rollout-not-approved"));
    assert_eq!(act(&world, &id, "ann", "approve").await, is(403, "own-rollout"));
    for (by, action, expected) in [
        ("bob", "approve", is(200, "approved")),
        ("ann", "resume", is(409, "rollout-not-paused")),
        ("ann", "start", is(200, "running")),
        ("ann", "start", is(409, "rollout-started")),
        ("ann", "rollback", is(409, "rollout-not-over")),
        ("bob", "pause", is(200, "paused")),
        ("bob", "pause", is(409, "rollout-not-running")),
        ("ann", "retry", is(200, "paused")),
        ("ann", "resume", is(200, "running")),
        ("bob", "stop", is(200, "stopping")),
        ("bob", "stop", is(409, "rollout-over")),
        ("bob", "approve", is(409, "rollout-over")),
    ] {
        assert_eq!(act(&world, &id, by, action).await, expected, "{action}");
    }
    let shown = world.get(&format!("/v1/rollouts/{id}")).await.json();
    assert_eq!((&shown["why"], &shown["approvedBy"]), (&json!("operator"), &json!("bob")));
    assert_eq!(shown["attempts"], 2);
}

#[tokio::test]
async fn of_two_operators_at_once_one_is_told_that_it_changed() {
    let world = World::new(Places::Own).await;
    let id = ordered(&world).await;
    filled(&world, &id).await;
    let etag = world.get(&format!("/v1/rollouts/{id}")).await.header("etag").to_owned();
    let path = format!("/v1/rollouts/{id}/approve");
    let stop = format!("/v1/rollouts/{id}/stop");
    let (one, other) = tokio::join!(world.post("bob", &path, &etag), world.post("eve", &stop, &etag));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let unseen = world.ask(("bob", &["operators"]), ("POST", &stop), None, &[]).await;
    assert_eq!(problem(&unseen), is(428, "if-match-required"));
    let member = world.ask(("eve", &[]), ("POST", &stop), None, &[("if-match", "*")]).await;
    assert_eq!(problem(&member), is(403, "operators-only"));
    let missing = Id::of("rollout", &["nothing"]);
    assert_eq!(world.get(&format!("/v1/rollouts/{missing}")).await.code(), "no-such-rollout");
}

#[tokio::test]
async fn the_things_of_a_rollout_add_up_and_are_shown_in_pages() {
    let world = World::new(Places::Own).await;
    let id = ordered(&world).await;
    filled(&world, &id).await;
    let at_work = Execution { notified_at: Some(Timestamp::from_millis(6)), ..execution(&id, "t3") };
    let things = [
        ("q#", execution(&id, "t1")),
        ("q#", execution(&id, "t2")),
        ("a#", at_work),
        ("z#", succeeded(&id, "t4", "2.0.0")),
    ];
    seed(&world, &id, &things).await;
    let shown = world.get(&format!("/v1/rollouts/{id}")).await.json();
    let wave = &shown["waves"][0];
    assert_eq!((&shown["things"], &wave["things"], &shown["leastMinutes"]), (&json!(4), &json!(4), &json!(6)));
    let counts = ["queued", "notified", "succeeded", "failed"].map(|word| wave["counts"][word].clone());
    assert_eq!(counts, [json!(2), json!(1), json!(1), json!(0)]);
    let path = format!("/v1/rollouts/{id}/things");
    let (mut names, mut cursor) = (vec![], String::new());
    loop {
        let page = world.get(&format!("{path}?limit=1{cursor}")).await.json();
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["thing"].as_str().unwrap().to_owned()));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["t1", "t2", "t3", "t4"]);
    let of_state = async |query: &str| world.get(&format!("{path}?{query}")).await.json()["items"].clone();
    let done = of_state("state=succeeded").await;
    assert_eq!((&done[0]["thing"], &done[0]["from"], &done[0]["wave"]), (&json!("t4"), &json!("2.0.0"), &json!(1)));
    assert_eq!(of_state("state=queued&wave=1").await.as_array().unwrap().len(), 2);
    assert_eq!(of_state("wave=2").await, json!([]));
    let first = world.get(&format!("{path}?state=queued&limit=1")).await.json();
    let rest = of_state(&format!("state=queued&limit=1&cursor={}", first["cursor"].as_str().unwrap())).await;
    assert_eq!((&first["items"][0]["thing"], &rest[0]["thing"]), (&json!("t1"), &json!("t2")));
    assert_eq!(problem(&world.get(&format!("{path}?state=lost")).await), is(400, "invalid-query"));
}

#[tokio::test]
async fn a_rollout_that_is_over_is_led_back_to_what_ran_before_once() {
    let world = World::new(Places::Own).await;
    let old = world.published("2.0.0").await;
    let id = ordered(&world).await;
    stopped(&world, &id).await;
    assert_eq!(act(&world, &id, "bob", "rollback").await, is(409, "nothing-to-roll-back"));
    // One ran a release of this stack, the other what nobody knows here.
    seed(&world, &id, &[("z#", succeeded(&id, "t1", "2.0.0")), ("z#", succeeded(&id, "t2", "0.9.0"))]).await;
    let path = format!("/v1/rollouts/{id}/rollback");
    let first = world.post("bob", &path, "*").await;
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(world.post("bob", &path, "*").await.json(), first.json());
    let ways = first.json()["rollouts"].as_array().unwrap().clone();
    assert_eq!(ways.len(), 1);
    assert_eq!(first.json()["leftOut"], json!([{"version": "0.9.0", "reason": "no-release"}]));
    let back = world.get(&format!("/v1/rollouts/{}", ways[0].as_str().unwrap())).await.json();
    assert_eq!(
        (&back["version"], &back["downgrade"], &back["approvedBy"]),
        (&json!("2.0.0"), &json!(true), &json!("bob"))
    );
    assert_eq!(back["definition"]["release"], json!(old));
    assert_eq!(back["definition"]["targets"]["left"]["rollout"], json!(id));
    // A way back that was stopped is no way back: another one is.
    let way = Id::parse(ways[0].as_str().unwrap()).unwrap();
    assert_eq!(act(&world, &way, "ann", "stop").await, is(200, "stopping"));
    let second = world.post("bob", &path, "*").await.json()["rollouts"].clone();
    assert!(second != first.json()["rollouts"] && second.as_array().unwrap().len() == 1, "{second}");
    assert_eq!(world.post("bob", &path, "*").await.json()["rollouts"], second);
}

#[tokio::test]
async fn nothing_is_ordered_that_leads_back_below_the_security_counter() {
    let world = World::new(Places::Own).await;
    world.published_with("2.0.0", &json!({"securityCounter": 4})).await;
    let release = world.published_with("2.1.0", &json!({"securityCounter": 5})).await;
    let id = ordered_of(&world, &release).await;
    stopped(&world, &id).await;
    seed(&world, &id, &[("z#", succeeded(&id, "t1", "2.0.0"))]).await;
    assert_eq!(act(&world, &id, "bob", "rollback").await, is(409, "security-counter"));
    assert_eq!(world.get("/v1/rollouts").await.json()["items"].as_array().unwrap().len(), 1);
    // Another one ran what has the same counter: that way is open.
    let level = world.published_with("1.9.0", &json!({"securityCounter": 5})).await;
    seed(&world, &id, &[("z#", succeeded(&id, "t1", "2.0.0")), ("z#", succeeded(&id, "t2", "1.9.0"))]).await;
    let back = world.post("bob", &format!("/v1/rollouts/{id}/rollback"), "*").await;
    assert_eq!(back.status, 202, "{}", back.body);
    let ways = back.json()["rollouts"].as_array().unwrap().clone();
    assert_eq!(ways.len(), 1);
    assert_eq!(back.json()["leftOut"], json!([{"version": "2.0.0", "reason": "security-counter"}]));
    let way = world.get(&format!("/v1/rollouts/{}", ways[0].as_str().unwrap())).await.json();
    assert_eq!((&way["releaseId"], &way["downgrade"]), (&json!(level), &json!(true)));
}

#[tokio::test]
async fn the_deployed_conductor_looks_for_the_targets_of_what_is_ordered_and_stops_it_where_there_are_none() {
    let world = World::new(Places::Stack).await;
    let id = ordered(&world).await;
    let path = format!("/v1/rollouts/{id}");
    let stopped = eventually("the rollout is over", async || {
        let shown = world.get(&path).await.json();
        (shown["status"] == "stopped").then_some(shown)
    })
    .await;
    assert_eq!(stopped["why"], "no-targets");
    assert_eq!(act(&world, &id, "bob", "approve").await, is(409, "rollout-over"));
}
