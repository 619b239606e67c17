mod official;
mod reference;

use loam_kit::{now, unique_thing};
use serde_json::json;

use crate::device::{Mail, sha256};
use crate::world::{World, get, problem, put, receive, seal};

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

const PART: usize = 8 * 1024 * 1024;

#[tokio::test]
async fn a_download_of_any_size_reaches_its_device_and_then_its_keys_are_gone() {
    let world = World::new("down").await;
    let mail = Mail::open(&world).await;
    for size in [0, 1, 65_536, PART, PART + 77] {
        let file = bytes(size);
        let id = world.sealed(&file).await;
        let grant = mail.next(&id, "grant").await;
        assert!(receive(&grant, &world.thing).await == file, "{size}");
        let said = json!({"transferId": id, "attempt": grant["attempt"], "size": size,
            "sha256": grant["file"]["sha256"]});
        world.say("complete", &said).await;
        world.work(&id).await;
        let over = world.becomes(&id, "completed").await;
        assert_eq!((&over["erased"], &over["size"]), (&json!(true), &json!(size)));
        assert_eq!(world.left(&id).await, (0, 0, 0));
        assert_eq!(get(grant["body"].as_str().unwrap()).await.0, 404);
        // Said once more, it changes nothing.
        world.say("complete", &said).await;
        assert_eq!(world.show(&id).await["state"], "completed");
    }
}

#[tokio::test]
async fn an_upload_is_taken_when_all_parts_are_there_and_opened_by_who_controls_the_thing() {
    let world = World::new("up").await;
    let mail = Mail::open(&world).await;
    let created = world.create(&json!({"direction": "upload", "name": "log"})).await;
    let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
    world.work(&id).await;
    assert_eq!(mail.next(&id, "grant").await["wanted"], "log");
    let file = bytes(PART + 77);
    let digest = sha256(&file);
    world.say("request", &json!({"transferId": id, "size": file.len(), "sha256": digest})).await;
    let grant = mail.next_with(&id, "grant", "uploads").await;
    let body = seal(&grant, &world.thing, &file);
    let uploads = grant["uploads"].as_array().unwrap().clone();
    assert_eq!(uploads.len(), 2);
    let (first, second) = body.split_at(usize::try_from(uploads[0]["bytes"].as_u64().unwrap()).unwrap());
    assert_eq!(put(uploads[1]["url"].as_str().unwrap(), second).await, 200);
    let said = json!({"transferId": id, "attempt": grant["attempt"], "size": file.len(), "sha256": digest});
    world.say("complete", &said).await;
    let rejected = mail.next(&id, "rejected").await;
    assert_eq!((&rejected["code"], &rejected["missing"]), (&json!("part-missing"), &json!([1])));
    // Asked again after a cut: the same attempt, and a URL for what is missing alone.
    world.say("request", &json!({"transferId": id, "size": file.len(), "sha256": digest})).await;
    let again = mail.next_with(&id, "grant", "uploads").await;
    assert_eq!((&again["attempt"], again["uploads"].as_array().unwrap().len()), (&grant["attempt"], 1));
    assert_eq!(put(again["uploads"][0]["url"].as_str().unwrap(), first).await, 200);
    world.say("complete", &said).await;
    world.work(&id).await;
    world.becomes(&id, "ready").await;
    let answer = world.refresh(&id).await.json();
    assert!(receive(&answer["grant"], &world.thing).await == file);
    assert_eq!(world.complete(&id, &json!({"sha256": digest, "size": file.len()})).await.status, 200);
    world.work(&id).await;
    world.becomes(&id, "completed").await;
    assert_eq!(world.left(&id).await, (0, 0, 0));
}

#[tokio::test]
async fn the_grant_of_a_device_that_asks_kms_itself_brings_no_key_and_a_persons_does() {
    let world = World::new("kms").await;
    let mail = Mail::open(&world).await;
    let down = world.create(&json!({"direction": "download", "name": "f", "size": 3, "key": "kms"})).await;
    let id = down["transfer"]["transferId"].as_str().unwrap();
    assert_eq!(down["transfer"]["key"], "kms");
    assert_eq!(put(down["source"]["url"].as_str().unwrap(), b"abc").await, 200);
    assert_eq!(world.complete(id, &json!({})).await.status, 200);
    world.work(id).await;
    let grant = mail.next(id, "grant").await;
    assert!(grant.get("key").is_none() && grant["body"].is_string() && grant["header"].is_string());
    let digest = sha256(b"abc");
    world.say("request", &json!({"name": "log", "size": 3, "sha256": digest, "key": "kms"})).await;
    let grant = mail.any_with("grant", "uploads").await;
    assert!(grant.get("key").is_none(), "nor that of one that sends");
    let id = grant["transferId"].as_str().unwrap();
    let body = world.seal_by_kms(&grant, b"abc").await;
    assert_eq!(put(grant["uploads"][0]["url"].as_str().unwrap(), &body).await, 200);
    let said = json!({"transferId": id, "attempt": grant["attempt"], "size": 3, "sha256": digest});
    world.say("complete", &said).await;
    world.work(id).await;
    world.becomes(id, "ready").await;
    assert!(receive(&world.refresh(id).await.json()["grant"], &world.thing).await == b"abc");
    let path = format!("/v1/things/{}/files", world.thing);
    let bad = json!({"direction": "download", "name": "f", "size": 3, "key": "none"});
    assert_eq!(problem(&world.own("POST", &path, Some(&bad)).await), (400, "invalid-key".to_owned()));
}

#[tokio::test]
async fn what_a_device_sealed_wrongly_is_refused_whole() {
    let world = World::new("tampered").await;
    let mail = Mail::open(&world).await;
    let file = bytes(1_000);
    for (number, flip) in [(0, None), (1, Some(20)), (2, Some(999))] {
        let claimed = if flip.is_none() { sha256(b"another") } else { sha256(&file) };
        world.say("request", &json!({"name": format!("f{number}"), "size": 1_000, "sha256": claimed})).await;
        let grant = mail.any("grant").await;
        let id = grant["transferId"].as_str().unwrap().to_owned();
        let mut body = seal(&grant, &world.thing, &file);
        if let Some(at) = flip {
            body[at] ^= 1;
        }
        assert_eq!(put(grant["uploads"][0]["url"].as_str().unwrap(), &body).await, 200);
        let said = json!({"transferId": id, "attempt": grant["attempt"], "size": 1_000, "sha256": claimed});
        world.say("complete", &said).await;
        world.work(&id).await;
        let failed = world.becomes(&id, "failed").await;
        let reason = if flip.is_none() { "digest-differs" } else { "not-authentic" };
        assert_eq!(failed["reason"], reason);
        world.work(&id).await;
        assert_eq!(world.left(&id).await, (0, 0, 0));
    }
}

#[tokio::test]
async fn a_source_that_is_replaced_after_it_was_pinned_is_not_what_is_sealed() {
    let world = World::new("replaced").await;
    let mail = Mail::open(&world).await;
    let created = world.create(&json!({"direction": "download", "name": "f", "size": 5})).await;
    let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
    let url = created["source"]["url"].as_str().unwrap();
    assert_eq!(problem(&world.complete(&id, &json!({})).await), (409, "source-missing".to_owned()));
    assert_eq!(put(url, b"first").await, 200);
    assert_eq!(world.complete(&id, &json!({})).await.status, 200);
    assert_eq!(put(url, b"other").await, 200);
    world.work(&id).await;
    world.becomes(&id, "ready").await;
    assert_eq!(receive(&mail.next(&id, "grant").await, &world.thing).await, b"first");
}

#[tokio::test]
async fn a_file_of_another_digest_than_was_ordered_is_not_handed_out() {
    let world = World::new("digest").await;
    let digest = sha256(b"other");
    let body = json!({"direction": "download", "name": "f", "size": 5, "sha256": digest});
    let created = world.create(&body).await;
    let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), b"first").await, 200);
    assert_eq!(world.complete(&id, &json!({})).await.status, 200);
    world.work(&id).await;
    assert_eq!(world.becomes(&id, "failed").await["reason"], "digest-differs");
}

#[tokio::test]
async fn a_thing_has_ten_transfers_at_once_and_another_when_one_is_cancelled() {
    let world = World::new("ten").await;
    let body = json!({"direction": "download", "name": "f", "size": 5});
    let mut ids = vec![];
    for _ in 0..10 {
        ids.push(world.create(&body).await["transfer"]["transferId"].as_str().unwrap().to_owned());
    }
    let path = format!("/v1/things/{}/files", world.thing);
    assert_eq!(problem(&world.own("POST", &path, Some(&body)).await), (409, "too-many-transfers".to_owned()));
    let cancelled = world.own("DELETE", &format!("/v1/files/{}", ids[3]), None).await;
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")));
    world.create(&body).await;
    let page = world.own("GET", &format!("{path}?limit=4"), None).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 4);
    let cursor = page["cursor"].as_str().unwrap();
    let next = world.own("GET", &format!("{path}?limit=500&cursor={cursor}"), None).await;
    assert_eq!(problem(&next), (400, "invalid-cursor".to_owned()), "a cursor is for its own question");
    let rest = world.own("GET", &format!("{path}?limit=4&cursor={cursor}"), None).await.json();
    assert_ne!(rest["items"][0]["transferId"], page["items"][3]["transferId"]);
}

#[tokio::test]
async fn who_does_not_control_the_thing_learns_nothing_of_its_transfers() {
    let world = World::new("hidden").await;
    let stranger = unique_thing("user").to_string();
    let id = world.create(&json!({"direction": "download", "name": "f", "size": 5})).await;
    let id = id["transfer"]["transferId"].as_str().unwrap().to_owned();
    let missing = world.own("GET", &format!("/v1/files/{}", "0".repeat(32)), None).await;
    assert_eq!(problem(&missing), (404, "no-such-transfer".to_owned()));
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/refresh"), ("POST", "/complete")] {
        let body = (path == "/complete").then(|| json!({}));
        let answer = world.ask(&stranger, method, &format!("/v1/files/{id}{path}"), body.as_ref()).await;
        assert_eq!((answer.status, &answer.body), (404, &missing.body), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_over_by_time_is_erased_by_the_sweeps_work() {
    let world = World::new("expiry").await;
    let created = world.create(&json!({"direction": "download", "name": "f", "size": 5, "ttlSeconds": 60})).await;
    let id = created["transfer"]["transferId"].as_str().unwrap().to_owned();
    assert_eq!(put(created["source"]["url"].as_str().unwrap(), b"first").await, 200);
    let later = now().plus_millis(61_000);
    world.deliver_at(json!({"work": id, "of": world.thing}).to_string(), later).await;
    let expired = world.show(&id).await;
    assert_eq!((&expired["state"], &expired["erased"]), (&json!("expired"), &json!(true)));
    assert_eq!(world.left(&id).await, (0, 0, 0));
    assert_eq!(problem(&world.refresh(&id).await), (409, "transfer-over".to_owned()));
}

#[tokio::test]
async fn an_owners_end_destroys_the_keys_of_their_time() {
    let world = World::new("unpaired").await;
    let id = world.sealed(b"secret").await;
    world.unpair().await;
    let gone = world.own("GET", &format!("/v1/files/{id}"), None).await;
    assert_eq!(gone.status, 404);
    let quiet = world.record().await.erasure.unwrap().quiet_from();
    world.deliver_at(world.event("thing.unpaired"), quiet).await;
    assert_eq!(world.left(&id).await, (0, 0, 0));
    assert!(world.record().await.erasure.unwrap().is_done());
}

#[tokio::test]
async fn a_things_end_leaves_nothing_and_is_acknowledged() {
    let world = World::new("retired").await;
    let id = world.sealed(b"secret").await;
    world.begin_retirement().await;
    world.deliver(world.event("thing.retiring")).await;
    assert_eq!(world.left(&id).await, (0, 0, 0));
    assert!(!world.record().await.retirement.unwrap().awaiting.contains("file-transfer"));
    let body = json!({"direction": "download", "name": "f", "size": 5});
    let created = world.own("POST", &format!("/v1/things/{}/files", world.thing), Some(&body)).await;
    assert_eq!(created.status, 404);
}

#[tokio::test]
async fn a_device_that_speaks_of_anothers_transfer_or_of_none_is_told_so() {
    let world = World::new("foreign").await;
    let other = World::new("foreign").await;
    let mail = Mail::open(&other).await;
    let id = world.sealed(b"secret").await;
    other.say("request", &json!({"transferId": id})).await;
    assert_eq!(mail.next(&id, "rejected").await["code"], "no-such-transfer");
    let said = json!({"transferId": id, "attempt": "0".repeat(32), "size": 6, "sha256": sha256(b"secret")});
    other.say("complete", &said).await;
    assert_eq!(mail.next(&id, "rejected").await["code"], "other-attempt");
    assert_eq!(world.show(&id).await["state"], "ready");
}
