//! The operators' routes against the local AWS, under their function's own role.

use aws_sdk_iot::types::CertificateStatus;
use axum::Router;
use jitr::{ApiConfig, api};
use loam_kit::{Stack, api_event, eventually, unique_thing, with_if_match};
use loam_things::LifeCycle;
use serde_json::{Value, json};

use crate::world::World;

/// The routes, under the function's own role.
async fn router() -> Router {
    let stack = Stack::deployed();
    let function = stack.function("JitrApi");
    let config = ApiConfig::from_lookup(&|name| function.variable(name)).unwrap();
    api::routes().with_state(api::Api::new(&stack.role_of(function, &stack.endpoint).await, config)).into()
}

/// What a route answered: status, `ETag`, body.
#[derive(Debug)]
struct Answer {
    status: u16,
    etag: Option<String>,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// One request of an operator; `if_match` is the header.
async fn ask(router: &Router, method: &str, path: &str, if_match: Option<&str>, body: Option<&Value>) -> Answer {
    ask_as(router, &["operators"], method, path, if_match, body).await
}

async fn ask_as(
    router: &Router,
    groups: &[&str],
    method: &str,
    path: &str,
    if_match: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let event = api_event(&format!("{method} {path}"), path, "anna", groups, body);
    let answer = loam_kit::ask(router.clone(), with_if_match(event, if_match)).await;
    let etag = answer.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    Answer { status: answer.status, etag, body: answer.json() }
}

#[tokio::test]
async fn a_ca_profile_is_put_read_changed_and_deleted_by_its_version() {
    let (router, world) = (router().await, World::without_profile().await);
    let path = format!("/v1/ca-profiles/{}", world.authority.ca_id);
    assert_eq!(ask(&router, "GET", &path, None, None).await.code(), "no-such-profile");
    let document = json!({"enabled": true, "namePattern": "soil.*"});
    let made = ask(&router, "PUT", &path, None, Some(&document)).await;
    assert_eq!((made.status, made.etag.as_deref()), (201, Some("\"1\"")));
    assert_eq!((&made.body["profile"]["namePattern"], &made.body["updatedBy"]), (&json!("soil.*"), &json!("anna")));
    let read = ask(&router, "GET", &path, None, None).await;
    assert_eq!((read.status, read.etag.as_deref(), &read.body), (200, Some("\"1\""), &made.body));
    assert_eq!(ask(&router, "PUT", &path, Some("\"2\""), Some(&document)).await.code(), "stale");
    let changed = ask(&router, "PUT", &path, Some("\"1\""), Some(&json!({"enabled": false}))).await;
    assert_eq!((changed.status, changed.etag.as_deref()), (200, Some("\"2\"")));
    assert_eq!(ask(&router, "DELETE", &path, Some("\"1\""), None).await.status, 412);
    assert_eq!(ask(&router, "DELETE", &path, Some("\"2\""), None).await.status, 204);
    assert_eq!(ask(&router, "DELETE", &path, None, None).await.code(), "no-such-profile");
}

#[tokio::test]
async fn a_ca_profile_with_mistakes_is_refused_with_all_their_places() {
    let (router, world) = (router().await, World::without_profile().await);
    let path = format!("/v1/ca-profiles/{}", world.authority.ca_id);
    let document = json!({"enabled": true, "namePattern": "(", "maxDevices": 0});
    let answer = ask(&router, "PUT", &path, None, Some(&document)).await;
    assert_eq!((answer.status, answer.code()), (400, "invalid-profile"));
    let places: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(places, ["/maxDevices", "/namePattern"]);
    let odd = ask(&router, "PUT", &path, None, Some(&json!({"enabled": true, "mod": "open"}))).await;
    assert_eq!((odd.code(), &odd.body["errors"][0]["pointer"]), ("invalid-body", &json!("/mod")));
    assert_eq!(ask(&router, "GET", "/v1/ca-profiles/abc", None, None).await.code(), "invalid-ca-id");
}

#[tokio::test]
async fn ca_profiles_are_listed_page_by_page() {
    let router = router().await;
    let (one, two) = (World::new(json!({"enabled": true})).await, World::new(json!({"enabled": true})).await);
    let (mut found, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/v1/ca-profiles?limit=1{cursor}");
        let page = ask(&router, "GET", &path, None, None).await;
        assert_eq!(page.status, 200, "{page:?}");
        found.extend(
            page.body["items"].as_array().unwrap().iter().map(|item| item["caId"].as_str().unwrap().to_owned()),
        );
        match page.body["cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(found.is_sorted() && [&one, &two].iter().all(|world| found.contains(&world.authority.ca_id.to_string())));
}

#[tokio::test]
async fn certificates_are_put_on_lists_and_taken_off() {
    let (router, world) = (router().await, World::new(json!({"enabled": true})).await);
    let profile = format!("/v1/ca-profiles/{}", world.authority.ca_id);
    for entry in ["deny/name/soil-1", "deny/serial/4711", "allow/name/soil-2"] {
        for _ in 0..2 {
            assert_eq!(ask(&router, "PUT", &format!("{profile}/{entry}"), None, None).await.status, 204);
        }
    }
    let list = async |list: &str| ask(&router, "GET", &format!("{profile}/entries?list={list}"), None, None).await.body;
    let expected = json!([{"list": "deny", "kind": "name", "value": "soil-1"}, {"list": "deny", "kind": "serial", "value": "4711"}]);
    assert_eq!(list("deny").await["items"], expected);
    assert_eq!(ask(&router, "DELETE", &format!("{profile}/deny/name/soil-1"), None, None).await.status, 204);
    assert_eq!(list("deny").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(list("allow").await["items"][0]["value"], "soil-2");
    let bad = ask(&router, "PUT", &format!("{profile}/deny/certificate/abc"), None, None).await;
    assert_eq!(bad.code(), "invalid-entry");
    assert_eq!(ask(&router, "PUT", &format!("{profile}/block/name/a"), None, None).await.code(), "invalid-path");
}

#[tokio::test]
async fn a_certificates_evaluation_says_what_would_become_of_it_and_changes_nothing() {
    let (router, world, thing) = (router().await, World::without_profile().await, unique_thing("evaluate"));
    let (pem, _key) = world.authority.issue(thing.as_str());
    let question = json!({"certificatePem": pem, "caId": world.authority.ca_id});
    let evaluate = async |question: &Value| ask(&router, "POST", "/v1/jitr/evaluate", None, Some(question)).await.body;
    assert_eq!(evaluate(&question).await["decision"], "not-ours");
    world.put_profile(json!({"enabled": false})).await;
    assert_eq!(evaluate(&question).await["decision"], "wait");
    world.put_profile(json!({"enabled": true, "initialDesired": {"wait": 5}})).await;
    let admitted = evaluate(&question).await;
    assert_eq!((&admitted["decision"], &admitted["thing"]["name"]), (&json!("admit"), &json!(thing)));
    assert_eq!((&admitted["thing"]["new"], &admitted["thing"]["initialDesired"]), (&json!(true), &json!({"wait": 5})));
    world.put_profile(json!({"enabled": true, "mode": "listed", "namePattern": "x"})).await;
    let refused = evaluate(&question).await;
    let codes: Vec<_> =
        refused["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect();
    assert_eq!((&refused["decision"], codes), (&json!("refuse"), vec!["name-pattern", "not-listed"]));
    let odd = evaluate(&json!({"certificatePem": "x", "caId": world.authority.ca_id})).await;
    assert_eq!(odd["reasons"][0]["code"], "unreadable");
    assert_eq!(world.record(&thing).await, None);
}

#[tokio::test]
async fn a_revoked_certificate_cannot_come_back_and_its_device_is_disconnected() {
    let (router, world, thing) = (router().await, World::new(json!({"enabled": true})).await, unique_thing("revoke"));
    let path = format!("/v1/things/{thing}/revoke");
    let body = json!({"reason": "stolen"});
    assert_eq!(ask(&router, "POST", &path, None, Some(&body)).await.code(), "no-such-thing");
    let (pem, key) = world.authority.issue(thing.as_str());
    let certificate = world.authority.present(&pem).await;
    world.register(&certificate).await;
    let device = Stack::deployed().device(thing.as_str(), &pem, &key).await;
    let inbox = world.inbox(&thing).await;
    assert_eq!(ask(&router, "POST", &path, Some("\"1\""), Some(&body)).await.code(), "stale");
    let answer = ask(&router, "POST", &path, Some("\"2\""), Some(&body)).await;
    assert_eq!((answer.status, &answer.body["state"]), (200, &json!("suspended")));
    assert_eq!((&answer.body["certificates"], &answer.body["status"]), (&json!([certificate]), &json!("REVOKED")));
    assert_eq!(answer.body["connection"], "ended");
    assert!(answer.body["guarantee"].as_str().unwrap().contains("within a few minutes"));
    assert_eq!(world.status(&certificate).await, CertificateStatus::Revoked);
    eventually("the device is gone", async || world.is_gone(device.thing()).await.then_some(())).await;
    let notice = eventually("the notice", async || {
        let mails = inbox.take().await.into_iter();
        mails
            .map(|mail| serde_json::from_str::<Value>(&mail.message).unwrap())
            .find(|event| event["type"] == "certificate.revoked")
    });
    let notice = notice.await;
    assert_eq!((&notice["data"]["reasons"], &notice["data"]["by"]), (&json!(["stolen"]), &json!("anna")));
    world.make_pending(&certificate).await;
    world.register(&certificate).await;
    assert_eq!(world.reasons(&certificate).await, ["certificate-revoked"]);
    assert_eq!(world.record(&thing).await.unwrap().state, LifeCycle::Suspended);
}

#[tokio::test]
async fn a_revocation_of_a_certificate_again_finishes_what_is_left() {
    let (router, world, thing) = (router().await, World::new(json!({"enabled": true})).await, unique_thing("again"));
    let certificate = world.present(thing.as_str()).await;
    world.register(&certificate).await;
    let path = format!("/v1/things/{thing}/revoke");
    for status in ["INACTIVE", "REVOKED"] {
        let answer = ask(&router, "POST", &path, None, Some(&json!({"reason": "lost", "status": status}))).await;
        assert_eq!((answer.status, &answer.body["certificates"]), (200, &json!([certificate])));
        assert_eq!(world.status(&certificate).await.as_str(), status);
    }
    let endless = json!({"reason": "x".repeat(201)});
    assert_eq!(ask(&router, "POST", &path, None, Some(&endless)).await.code(), "invalid-reason");
}

#[tokio::test]
async fn who_is_no_operator_touches_no_certificate() {
    let router = router().await;
    let ca = "a".repeat(64);
    let profile = format!("/v1/ca-profiles/{ca}");
    let entry = format!("{profile}/deny/name/a");
    for (method, path) in [
        ("GET", "/v1/ca-profiles"),
        ("GET", &profile),
        ("PUT", &profile),
        ("DELETE", &profile),
        ("GET", &format!("{profile}/entries?list=deny")),
        ("PUT", &entry),
        ("DELETE", &entry),
        ("POST", "/v1/jitr/evaluate"),
        ("POST", "/v1/things/t1/revoke"),
    ] {
        let answer = ask_as(&router, &["co-operators"], method, path, None, Some(&json!({}))).await;
        assert_eq!((answer.status, answer.code()), (403, "operators-only"), "{method} {path}");
    }
}
