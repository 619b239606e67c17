use std::time::Duration;

use aws_sdk_kms::primitives::Blob;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loam_releases::names::{Digest, Id};
use loam_releases::signature::{Keyring, PublicKey};
use serde_json::{Value, json};

use crate::operators::{Places, World, problem};

/// The keys that a device would trust.
async fn keys(world: &World) -> Keyring {
    let kms = aws_sdk_kms::Client::new(&world.admin);
    let answer = kms.get_public_key().key_id(&world.api.firmware_key).send().await.unwrap();
    let der = answer.public_key.map(Blob::into_inner).unwrap();
    Keyring::new(vec![PublicKey::from_spki(&der).unwrap()]).unwrap()
}

fn etag(revision: u64) -> String {
    format!("\"{revision}\"")
}

async fn publish(world: &World, id: &Id, etag: &str) -> loam_kit::Answer {
    world.post("ann", &format!("/v1/releases/{id}/publish"), etag).await
}

#[tokio::test]
async fn an_upload_is_a_draft_of_what_its_image_is_however_often_it_is_told() {
    let world = World::new(Places::Stack).await;
    let image: Vec<u8> = (0..100_000_u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
    world.put("a", "app.bin", &image).await;
    let version = world.put("a", "release.json", world.descriptor("2.1.0").to_string().as_bytes()).await;
    let (key, notice) = world.notice("a", &version);
    for _ in 0..2 {
        world.hand(notice.clone()).await;
    }
    let all = world.releases().await;
    assert_eq!(all.len(), 1);
    let (release, sha256) = (&all[0], Digest::of(&image));
    assert_eq!(release["releaseId"], firmware::release::id(&key, &version).as_str());
    let shown = ["state", "version", "size", "sha256", "revision"].map(|field| release[field].clone());
    assert_eq!(shown, [json!("draft"), json!("2.1.0"), json!(100_000), json!(sha256), json!(1)]);
    let kept = aws_sdk_s3::Client::new(&world.admin).get_object().bucket(&world.intake.firmware_bucket);
    let kept = kept.key(format!("images/{sha256}")).send().await.unwrap().body.collect().await.unwrap();
    assert!(kept.into_bytes() == image);
}

#[tokio::test]
async fn an_image_that_is_replaced_after_its_intake_is_not_what_is_rolled_out() {
    let world = World::new(Places::Stack).await;
    let id = world.upload("a", &world.descriptor("1.0.0"), b"first").await;
    world.put("a", "app.bin", b"other").await;
    assert_eq!(publish(&world, &id, &etag(1)).await.json()["sha256"], json!(Digest::of(b"first")));
    // The same image under another name is kept once.
    let again = world.upload("b", &world.descriptor("1.0.1"), b"first").await;
    assert_ne!(again, id);
    assert_eq!(world.releases().await.len(), 2);
}

#[tokio::test]
async fn what_is_published_is_proven_by_the_public_key_and_orders_just_this() {
    let world = World::new(Places::Stack).await;
    let mut descriptor = world.descriptor("2.1.0");
    descriptor["minimumFrom"] = json!("1.4.0");
    descriptor["securityCounter"] = json!(3);
    let id = world.upload("a", &descriptor, b"image").await;
    let answer = publish(&world, &id, &etag(1)).await;
    assert_eq!((answer.status, answer.header("etag")), (200, etag(2).as_str()), "{}", answer.body);
    let release = answer.json();
    assert_eq!((&release["state"], &release["by"]), (&json!("published"), &json!(["ann"])));
    let row = world.row(&format!("release#{id}"), "release").await.unwrap();
    let [manifest, signature] = ["manifest", "signature"].map(|name| row[name].as_s().unwrap());
    let verified = keys(&world).await.verify(manifest.as_bytes(), &STANDARD.decode(signature).unwrap()).unwrap();
    let manifest = verified.manifest();
    assert_eq!((&manifest.firmware.release, manifest.downgrade), (&id, false));
    assert_eq!(release["sequence"], json!(manifest.sequence));
    assert_eq!((manifest.firmware.sha256, manifest.firmware.security_counter), (Digest::of(b"image"), 3));
    // Published is published; asked again, nothing is signed.
    let again = publish(&world, &id, "*").await;
    assert_eq!((again.status, &again.json()), (200, &release));
}

#[tokio::test]
async fn of_two_operators_at_once_one_publishes_and_the_other_is_told() {
    let world = World::new(Places::Stack).await;
    let id = world.upload("a", &world.descriptor("1.0.0"), b"image").await;
    let one = etag(1);
    let (first, second) = tokio::join!(publish(&world, &id, &one), publish(&world, &id, &one));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    assert_eq!(world.releases().await[0]["revision"], 2);
}

#[tokio::test]
async fn one_version_is_published_once_for_one_hardware() {
    let world = World::new(Places::Stack).await;
    let first = world.published("1.0.0").await;
    let second = world.upload("again", &world.descriptor("1.0.0"), b"other").await;
    assert_eq!(problem(&publish(&world, &second, &etag(1)).await), (409, "version-taken".to_owned()));
    // Not even once the first is deprecated: things still run it.
    let path = format!("/v1/releases/{first}/deprecate");
    assert_eq!(world.post("bob", &path, &etag(2)).await.status, 200);
    assert_eq!(problem(&publish(&world, &second, &etag(1)).await), (409, "version-taken".to_owned()));
    let mut other = world.descriptor("1.0.0");
    other["hardware"] = json!([format!("other-{}", world.name)]);
    let third = world.upload("third", &other, b"third").await;
    assert_eq!(publish(&world, &third, &etag(1)).await.status, 200);
}

#[tokio::test]
async fn a_release_is_deprecated_after_it_was_published_and_never_comes_back() {
    let world = World::new(Places::Stack).await;
    let id = world.upload("a", &world.descriptor("1.0.0"), b"image").await;
    let path = format!("/v1/releases/{id}/deprecate");
    assert_eq!(problem(&world.post("ann", &path, &etag(1)).await), (409, "release-not-published".to_owned()));
    assert_eq!(publish(&world, &id, &etag(1)).await.status, 200);
    assert_eq!(problem(&world.post("ann", &path, &etag(1)).await), (412, "stale".to_owned()));
    let answer = world.post("bob", &path, &etag(2)).await;
    assert_eq!((&answer.json()["state"], &answer.json()["by"]), (&json!("deprecated"), &json!(["ann", "bob"])));
    assert_eq!(problem(&publish(&world, &id, &etag(3)).await), (409, "release-deprecated".to_owned()));
}

#[tokio::test]
async fn nothing_is_published_unseen_or_by_others() {
    let world = World::new(Places::Stack).await;
    let id = world.upload("a", &world.descriptor("1.0.0"), b"image").await;
    let path = format!("/v1/releases/{id}/publish");
    let unseen = world.ask(("ann", &["operators"]), ("POST", &path), None, &[]).await;
    assert_eq!(problem(&unseen), (428, "if-match-required".to_owned()));
    assert_eq!(problem(&publish(&world, &id, &etag(2)).await), (412, "stale".to_owned()));
    let member = world.ask(("eve", &[]), ("POST", &path), None, &[("if-match", "*")]).await;
    assert_eq!(problem(&member), (403, "operators-only".to_owned()));
    let missing = Id::of("release", &["nothing"]);
    assert_eq!(problem(&publish(&world, &missing, "*").await), (404, "no-such-release".to_owned()));
    let bad = world.post("ann", "/v1/releases/x/publish", "*").await;
    assert_eq!(problem(&bad), (400, "invalid-id".to_owned()));
    assert_eq!(world.releases().await[0]["state"], "draft");
}

#[tokio::test]
async fn an_upload_that_is_no_release_is_told_with_its_reason_and_kept() {
    let world = World::new(Places::Stack).await;
    world.put("unread", "app.bin", b"image").await;
    world.put("empty", "app.bin", b"").await;
    let mut unread = world.descriptor("1.0.0");
    unread["surprise"] = json!(1);
    for (folder, descriptor, code) in [
        ("unread", unread, "bad-descriptor"),
        ("alone", world.descriptor("1.0.0"), "image-missing"),
        ("empty", world.descriptor("1.0.0"), "image-size"),
    ] {
        let version = world.put(folder, "release.json", descriptor.to_string().as_bytes()).await;
        let (key, notice) = world.notice(folder, &version);
        world.hand(notice.clone()).await;
        world.hand(notice).await;
        assert!(world.kept(&key).await.iter().all(|kept| kept == code), "{folder}");
        assert!(!world.kept(&key).await.is_empty(), "{folder}");
        let id = firmware::release::id(&key, &version);
        let told = world.row(&format!("upload#{id}"), "event#refused").await.unwrap();
        let event: Value = serde_json::from_str(told["event"].as_s().unwrap()).unwrap();
        assert_eq!((&event["type"], &event["data"]["code"]), (&json!("release.refused"), &json!(code)));
        assert_eq!(event["data"]["key"], json!(key));
    }
    assert!(world.releases().await.is_empty());
}

#[tokio::test]
async fn a_descriptor_does_not_take_an_image_that_came_after_it() {
    let world = World::new(Places::Stack).await;
    let descriptor = world.descriptor("1.0.0").to_string();
    let version = world.put("late", "release.json", descriptor.as_bytes()).await;
    let (key, notice) = world.notice("late", &version);
    // The time of an object is told in seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    world.put("late", "app.bin", b"image").await;
    world.hand(notice).await;
    let kept = world.kept(&key).await;
    assert!(kept.contains(&"image-replaced".to_owned()), "{kept:?}");
    assert!(world.releases().await.is_empty());
    let version = world.put("late", "release.json", descriptor.as_bytes()).await;
    world.hand(world.notice("late", &version).1).await;
    assert_eq!(world.releases().await[0]["sha256"], json!(Digest::of(b"image")));
}

#[tokio::test]
async fn what_s3_sends_to_try_the_queue_is_done_with_and_nonsense_is_kept() {
    let world = World::new(Places::Stack).await;
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": world.name});
    world.hand(test.to_string()).await;
    assert!(world.kept(&world.name).await.is_empty());
    world.hand(json!({"odd": world.name}).to_string()).await;
    assert_eq!(world.kept(&world.name).await, ["not-a-notice"]);
    // Deleted before anybody read it.
    let version = world.put("gone", "other.json", b"{}").await;
    let (key, notice) = world.notice("gone", &version);
    world.hand(notice).await;
    assert!(world.row(&format!("release#{}", firmware::release::id(&key, &version)), "release").await.is_none());
    assert_eq!(world.kept(&world.name).await, ["not-a-notice"]);
}

#[tokio::test]
async fn the_list_has_the_newest_first_in_pages_of_one_question() {
    let world = World::new(Places::Stack).await;
    for number in 0..3 {
        world.upload(&format!("n{number}"), &world.descriptor(&format!("1.0.{number}")), &[number]).await;
    }
    let versions = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["version"].as_str().unwrap().to_owned()).collect()
    };
    let path = format!("/v1/releases?channel={}&state=draft&limit=2", world.name);
    let first = world.get(&path).await.json();
    assert_eq!(versions(&first), ["1.0.2", "1.0.1"]);
    let cursor = first["cursor"].as_str().unwrap();
    let second = world.get(&format!("{path}&cursor={cursor}")).await.json();
    assert_eq!(versions(&second), ["1.0.0"]);
    let other = world.get(&format!("/v1/releases?limit=2&cursor={cursor}")).await;
    assert_eq!(problem(&other), (400, "invalid-cursor".to_owned()));
    let published = world.get(&format!("/v1/releases?channel={}&state=published", world.name)).await.json();
    assert!(versions(&published).is_empty());
    assert_eq!(problem(&world.get("/v1/releases?state=lost").await), (400, "invalid-query".to_owned()));
}

#[tokio::test]
async fn a_sealed_upload_is_kept_sealed_only_and_its_draft_says_what_the_image_is() {
    let world = World::new(Places::Stack).await;
    let image: Vec<u8> = (0..100_000_u32).map(|index| u8::try_from(index % 251).unwrap()).collect();
    let mut descriptor = world.descriptor("2.1.0");
    descriptor["sealed"] = json!(true);
    let id = world.upload("a", &descriptor, &image).await;
    let (all, sha256) = (world.releases().await, Digest::of(&image));
    let shown = ["releaseId", "sealed", "size", "sha256"].map(|field| all[0][field].clone());
    assert_eq!(shown, [json!(id), json!(true), json!(100_000), json!(sha256)]);
    let object = async |key: String| {
        let request = aws_sdk_s3::Client::new(&world.admin).get_object().bucket(&world.intake.firmware_bucket);
        let answer = request.key(key).send().await.ok()?;
        Some(answer.body.collect().await.unwrap().to_vec())
    };
    assert_eq!(object(format!("images/{sha256}")).await, None);
    let sealed = object(format!("images/{id}.sealed")).await.unwrap();
    // A whole frame, and the last one.
    assert_eq!(sealed.len(), 65_536 + 32 + 34_464 + 40);
    assert!(!sealed.windows(32).any(|window| window == &image[..32]));
    assert!(object(format!("images/{id}.head")).await.is_some());
}

#[tokio::test]
async fn of_two_runs_at_once_one_decides_how_an_image_is_sealed() {
    let world = World::new(Places::Stack).await;
    let mut descriptor = world.descriptor("2.1.0");
    descriptor["sealed"] = json!(true);
    world.put("a", "app.bin", &[7; 70_000]).await;
    let version = world.put("a", "release.json", descriptor.to_string().as_bytes()).await;
    let (key, notice) = world.notice("a", &version);
    // The deployed intake is the third.
    tokio::join!(world.hand(notice.clone()), world.hand(notice));
    assert_eq!(world.releases().await.len(), 1);
    let head = format!("images/{}.head", firmware::release::id(&key, &version));
    let versions = aws_sdk_s3::Client::new(&world.admin).list_object_versions();
    let versions = versions.bucket(&world.intake.firmware_bucket).prefix(head).send().await.unwrap();
    assert_eq!(versions.versions().len(), 1);
}

#[tokio::test]
async fn a_run_that_died_after_its_head_seals_the_upload_of_that_time_whatever_was_uploaded_since() {
    let world = World::new(Places::Own).await;
    let mut descriptor = world.descriptor("2.1.0");
    descriptor["sealed"] = json!(true);
    world.put("a", "app.bin", b"of that time").await;
    let version = world.put("a", "release.json", descriptor.to_string().as_bytes()).await;
    let (key, notice) = world.notice("a", &version);
    world.hand(notice.clone()).await;
    // As if it had died before its last write.
    world.delete(&format!("release#{}", firmware::release::id(&key, &version)), "release").await;
    world.put("a", "app.bin", b"uploaded since").await;
    world.hand(notice).await;
    // Two images under one key would open each other.
    assert_eq!(world.releases().await[0]["sha256"], json!(Digest::of(b"of that time")));
}

#[tokio::test]
async fn a_sealed_release_is_not_rolled_out_by_jobs() {
    let world = World::new(Places::Own).await;
    let mut descriptor = world.descriptor("2.1.0");
    descriptor["sealed"] = json!(true);
    let id = world.upload("a", &descriptor, b"image").await;
    assert_eq!(publish(&world, &id, &etag(1)).await.status, 200);
    let wave = json!({"size": "rest", "successPercent": 100, "errors": {"count": 0}});
    let mut order = json!({"release": id, "targets": {"filter": "deviceId = 'x'"}, "waves": [wave], "delivery": "job"});
    assert_eq!(problem(&world.order(&order, None).await), (400, "sealed-by-job".to_owned()));
    order["delivery"] = json!("shadow");
    assert_eq!(world.order(&order, None).await.status, 202);
}
