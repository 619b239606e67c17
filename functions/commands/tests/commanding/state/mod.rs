//! Desired state: converged is what the device reports, and nothing else.

use loam_kit::{Answer, seed_membership, unique_thing};
use serde_json::{Value, json};

use super::world::{World, problem};

async fn patch(world: &World, query: &str, desired: Value, if_match: Option<&str>) -> Answer {
    let headers: Vec<_> = if_match.iter().map(|tag| ("if-match", *tag)).collect();
    let path = format!("{}{query}", world.state_path());
    world.ask((&world.owner, &[]), ("PATCH", &path), Some(&json!({ "desired": desired })), &headers).await
}

#[tokio::test]
async fn a_change_is_pending_until_the_device_reports_it_and_converged_then() {
    let world = Box::pin(World::new("converge")).await;
    let empty = world.own("GET", &world.state_path(), None).await;
    assert_eq!((empty.status, empty.json()["version"].clone()), (200, json!(0)));
    let pending = patch(&world, "", json!({"lamp": {"on": true}}), None).await;
    assert_eq!((pending.status, pending.json()["differences"].clone()), (202, json!(["/lamp/on"])));
    let reporting = async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        world.report(&json!({"lamp": {"on": false, "hot": true}})).await;
    };
    let (converged, ()) =
        tokio::join!(patch(&world, "?waitSeconds=20", json!({"lamp": {"on": false}}), None), reporting);
    assert_eq!((converged.status, converged.json()["result"].clone()), (200, json!("converged")), "{}", converged.body);
    let shown = world.own("GET", &world.state_path(), None).await;
    assert_eq!(shown.json()["converged"], true);
    assert_eq!(shown.header("etag"), format!("\"{}\"", shown.json()["version"]));
}

#[tokio::test]
async fn a_change_on_an_old_version_is_a_conflict_and_says_which_is_new() {
    let world = Box::pin(World::new("conflict")).await;
    let first = patch(&world, "", json!({"a": 1}), Some("\"0\"")).await;
    assert_eq!(first.status, 202, "{}", first.body);
    let old = patch(&world, "", json!({"a": 2}), Some("\"7\"")).await;
    assert_eq!(problem(&old), (409, "version-conflict".to_owned()));
    let etag = world.own("GET", &world.state_path(), None).await.header("etag").to_owned();
    let (one, other) =
        tokio::join!(patch(&world, "", json!({"a": 3}), Some(&etag)), patch(&world, "", json!({"a": 4}), Some(&etag)));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
}

#[tokio::test]
async fn who_is_overtaken_during_the_wait_is_told_so() {
    let world = Box::pin(World::new("overtaken")).await;
    let overtaking = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        patch(&world, "", json!({"on": false}), None).await
    };
    let (waiting, _) = tokio::join!(patch(&world, "?waitSeconds=20", json!({"on": true}), None), overtaking);
    assert_eq!(problem(&waiting), (409, "superseded".to_owned()), "{}", waiting.body);
}

#[tokio::test]
async fn a_change_out_of_bounds_is_refused_and_a_viewer_desires_nothing() {
    let world = Box::pin(World::new("odd")).await;
    let deep = (0..9).fold(json!(1), |inner, _| json!({"a": inner}));
    for (desired, status, code) in [
        (json!({}), 400, "empty-desired-state"),
        (json!({"firmware": 1}), 400, "reserved-property"),
        (deep, 400, "desired-state-too-deep"),
        (json!({"a": "x".repeat(8_192)}), 413, "desired-state-too-large"),
    ] {
        assert_eq!(problem(&patch(&world, "", desired, None).await), (status, code.to_owned()));
    }
    for query in ["?waitSeconds=26", "?waitSeconds=-1", "?waitSeconds=x"] {
        assert_eq!(problem(&patch(&world, query, json!({"a": 1}), None).await), (400, "invalid-query".to_owned()));
    }
    let viewer = unique_thing("user").to_string();
    seed_membership(&world.stack, &viewer, &world.thing, "viewer", 1).await;
    let body = json!({"desired": {"a": 1}});
    let refused = world.ask((&viewer, &[]), ("PATCH", &world.state_path()), Some(&body), &[]).await;
    assert_eq!(problem(&refused), (403, "role-too-low".to_owned()));
    assert_eq!(world.ask((&viewer, &[]), ("GET", &world.state_path()), None, &[]).await.status, 200);
}
