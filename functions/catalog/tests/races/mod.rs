//! Several at once: the projection beside people's tags, groups beside the end of a thing, a thing that retires meanwhile.

use std::collections::BTreeSet;

use catalog::decide::young;
use catalog::{GroupName, Saved};
use futures_util::future::join_all;
use loam_kit::unique_thing;
use loam_things::twins::{RecordView, Twin};
use serde_json::{Map, Value, json};

use crate::world::{Who, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_that_are_written_while_the_device_reports_are_all_there_and_so_is_its_last_word() {
    let world = World::new("beside").await;
    world.deliver([world.shadow(1, &json!({"n": 1}))]).await;
    let patches = (0..6).map(|at| {
        let tags = json!({"tags": {format!("t{at}"): at}});
        let world = world.clone();
        async move { world.patch(Who::Operator, &tags, None).await.status }
    });
    let reports = (2..=10_u64).map(|version| {
        let (world, message) = (world.clone(), world.shadow(version, &json!({"n": version})));
        async move { world.deliver([message]).await.len() }
    });
    let (statuses, failed) = tokio::join!(join_all(patches), join_all(reports));
    assert_eq!((statuses, failed), (vec![200; 6], vec![0; 9]));
    let twin = world.twin().await.unwrap();
    let tags: Map<String, Value> = (0..6).map(|at| (format!("t{at}"), json!(at))).collect();
    assert_eq!((twin.notes.tags, twin.notes.version), (tags, 6));
    assert_eq!(json!(twin.shadow.unwrap().reported), json!({"n": 10}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_saw_the_same_version_one_writes_and_the_other_is_stale() {
    let world = World::new("stale").await;
    world.deliver([world.shadow(1, &json!({}))]).await;
    let (one, other) = (json!({"tags": {"a": "one"}}), json!({"tags": {"a": "other"}}));
    let (one, other) = tokio::join!(
        world.patch(Who::Operator, &one, Some("\"0\"")),
        world.patch(Who::Operator, &other, Some("\"0\""))
    );
    let statuses = BTreeSet::from([one.status, other.status]);
    assert_eq!(statuses, BTreeSet::from([200, 412]));
    assert_eq!(world.twin().await.unwrap().notes.version, 1);
}

/// A twin of the thing as somebody makes it who read the record before the thing began to retire.
async fn late(world: &World) -> Twin {
    let record = world.things.get(&world.thing).await.unwrap().unwrap();
    Twin { version: 1, ..young(&world.thing, RecordView::from(&record)) }
}

#[tokio::test]
async fn who_read_the_record_before_the_end_brings_nothing_back_after_it() {
    let world = World::new("late").await;
    let twin = late(&world).await;
    let group = unique_thing("group").to_string();
    let path = format!("/v1/groups/{group}");
    assert_eq!(world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&json!({}))).await.status, 201);
    world.begin_retirement().await;
    world.deliver([world.told("thing.retiring")]).await;
    let store = world.store();
    assert_eq!(store.put(&twin).await.unwrap(), Saved::Ended);
    assert_eq!(store.join(&twin, &GroupName::parse(&group).unwrap()).await.unwrap(), Saved::Ended);
    let refused = (409, "thing-retires".to_owned());
    assert_eq!(world.patch(Who::Operator, &json!({"tags": {"a": 1}}), None).await.code(), refused);
    let (put_in, place) = ("PUT /v1/groups/{group}/things/{thing}", format!("{path}/things/{}", world.thing));
    assert_eq!(world.ask(Who::Operator, put_in, &place, None).await.code(), refused);
    assert_eq!(world.twin().await, None);
    assert_eq!(world.ask(Who::Operator, "DELETE /v1/groups/{group}", &path, None).await.status, 204, "it is empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thing_that_is_put_into_a_group_while_it_is_erased_is_in_none_in_the_end() {
    let world = World::new("erased").await;
    let path = format!("/v1/groups/{}", unique_thing("group"));
    assert_eq!(world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&json!({}))).await.status, 201);
    for _ in 0..5 {
        let world = world.another("erased").await;
        world.deliver([world.shadow(1, &json!({}))]).await;
        world.begin_retirement().await;
        let place = format!("{path}/things/{}", world.thing);
        let (put_in, failed) = tokio::join!(
            world.ask(Who::Operator, "PUT /v1/groups/{group}/things/{thing}", &place, None),
            world.deliver([world.told("thing.retiring")])
        );
        assert!([204, 404, 409].contains(&put_in.status), "{}", put_in.body);
        assert_eq!((failed.len(), world.twin().await), (0, None));
    }
    assert_eq!(world.ask(Who::Operator, "DELETE /v1/groups/{group}", &path, None).await.status, 204, "it is empty");
}

#[tokio::test]
async fn a_shadow_that_is_deleted_and_made_again_is_followed() {
    let world = World::new("again").await;
    world.deliver([world.shadow(9, &json!({"a": 9}))]).await;
    world.deliver([world.shadow_end(9)]).await;
    let reported = async || json!(world.twin().await.unwrap().shadow.unwrap().reported);
    assert_eq!(reported().await, json!({}));
    assert_eq!(world.deliver([world.shadow(8, &json!({"a": 8}))]).await.len(), 0);
    assert_eq!(reported().await, json!({}), "a late document of its life before");
    world.deliver([world.shadow(10, &json!({"a": 10}))]).await;
    assert_eq!(reported().await, json!({"a": 10}));
}

#[tokio::test]
async fn a_dynamic_groups_filter_knows_no_other_dynamic_group() {
    let world = World::new("nested").await;
    world.deliver([world.shadow(1, &json!({}))]).await;
    let (inner, outer) = (unique_thing("inner").to_string(), unique_thing("outer").to_string());
    for (group, filter) in
        [(&inner, format!("deviceId = '{}'", world.thing)), (&outer, format!("groups CONTAINS '{inner}'"))]
    {
        let body = json!({ "filter": filter });
        let put = world.ask(Who::Operator, "PUT /v1/groups/{group}", &format!("/v1/groups/{group}"), Some(&body)).await;
        assert_eq!(put.status, 201);
    }
    let things = async |group: &str| {
        let shown = world.ask(Who::Operator, "GET /v1/groups/{group}", &format!("/v1/groups/{group}"), None).await;
        shown.json()["things"]["items"].clone()
    };
    assert_eq!(things(&inner).await, json!([world.thing]));
    assert_eq!(things(&outer).await, json!([]));
}
