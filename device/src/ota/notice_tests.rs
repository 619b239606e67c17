use super::*;
use serde_json::json;

fn parse(topic: &str, payload: &Value) -> Result<Notice, NoNotice> {
    let (topic, payload) = (topic.to_owned(), payload.to_string().into_bytes());
    let message = Message { topic, payload, response_topic: None, correlation_data: None, duplicate: false };
    Notice::parse("fern", &message)
}

fn id() -> String {
    "0123456789abcdef".repeat(2)
}

fn desired() -> Value {
    json!({"rollout": id(), "attempt": 2, "release": id(), "version": "2.1.0", "sequence": u64::MAX, "window": null})
}

fn document() -> Value {
    json!({"operation": "loam-firmware", "rollout": id(), "attempt": 1, "manifest": "m", "signature": "AQI=", "url": "u"})
}

#[test]
fn what_is_desired_is_read_from_the_whole_shadow_and_from_each_change_of_it() {
    let state = json!({"desired": {"firmware": desired(), "lamp": 1}});
    let whole = parse("$aws/things/fern/shadow/get/accepted", &json!({"version": 3, "state": state})).unwrap();
    let change = json!({"previous": {}, "current": {"version": 3, "state": state}});
    assert_eq!(parse("$aws/things/fern/shadow/update/documents", &change).unwrap(), whole);
    let Notice::Shadow(3, Some(found)) = whole else { panic!("{whole:?}") };
    assert_eq!((found.attempt, found.reference().sequence, found.window), (2, u64::MAX, None));
}

#[test]
fn a_shadow_without_a_firmware_and_no_shadow_at_all_desire_nothing() {
    let get = |payload| parse("$aws/things/fern/shadow/get/accepted", &payload);
    assert_eq!(get(json!({"version": 3, "state": {"desired": {"lamp": 1}}})), Ok(Notice::Shadow(3, None)));
    assert_eq!(get(json!({"version": 3, "state": {}})), Ok(Notice::Shadow(3, None)));
    let rejected = |code| parse("$aws/things/fern/shadow/get/rejected", &json!({ "code": code }));
    assert_eq!(rejected(404), Ok(Notice::Shadow(0, None)));
    assert!(rejected(429).is_err(), "nobody knows");
    let strange = json!({"version": 3, "state": {"desired": {"firmware": {"version": "2.1.0"}}}});
    assert_eq!(get(strange), Err(NoNotice::Payload), "a wish that cannot be read is not the wish for nothing");
}

#[test]
fn a_job_is_read_where_aws_tells_of_it_and_its_document_only_once_it_was_begun() {
    let execution = |status: &str| json!({"execution": {"jobId": "j", "status": status, "jobDocument": document()}, "timestamp": 1});
    for what in ["notify-next", "start-next/accepted", "$next/get/accepted"] {
        let topic = format!("$aws/things/fern/jobs/{what}");
        let Notice::Job(Some(queued)) = parse(&topic, &execution("QUEUED")).unwrap() else { panic!() };
        assert_eq!((queued.id.as_str(), queued.signed), ("j", None));
        let Notice::Job(Some(begun)) = parse(&topic, &execution("IN_PROGRESS")).unwrap() else { panic!() };
        assert_eq!(begun.signed.unwrap().signature, [1, 2]);
        assert_eq!(parse(&topic, &json!({"timestamp": 1})), Ok(Notice::Job(None)));
        let foreign = json!({"execution": {"jobId": "j", "status": "QUEUED", "jobDocument": {"operation": "reboot"}}});
        assert_eq!(parse(&topic, &foreign), Ok(Notice::Job(None)), "somebody else's to begin");
    }
}

#[test]
fn a_grant_is_for_this_thing_and_a_rollout_and_its_url_is_in_no_log() {
    let topic = format!("loam/fern/firmware/{}/grant", id());
    let grant =
        parse(&topic, &json!({"manifest": "m", "signature": "AQI=", "url": "https://secret", "size": 1})).unwrap();
    assert!(!format!("{grant:?}").contains("secret"));
    assert_eq!(parse(&topic, &json!({"manifest": "m", "signature": "?", "url": "u"})), Err(NoNotice::Payload));
    for other in ["loam/moss/firmware/x/grant", "loam/fern/firmware/x/grant", "loam/fern/firmware/x/progress"] {
        assert_eq!(parse(other, &document()), Err(NoNotice::Topic));
    }
}

#[test]
fn what_opens_a_sealed_image_comes_whole_or_the_grant_is_none() {
    let topic = format!("loam/fern/firmware/{}/grant", id());
    let with = |more: Value| {
        let mut grant = json!({"manifest": "m", "signature": "AQI=", "url": "u", "size": 1});
        grant.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&topic, &grant)
    };
    let seal = |notice: Result<Notice, NoNotice>| {
        let Ok(Notice::Grant(_, signed)) = notice else { panic!("{notice:?}") };
        signed.seal
    };
    assert_eq!(seal(with(json!({}))), None);
    let sealed = with(json!({"header": "AQI=", "key": "c2VjcmV0"}));
    assert!(!format!("{sealed:?}").contains("c2VjcmV0"));
    assert!(seal(sealed).is_some());
    for half in [json!({"header": "AQI="}), json!({"key": "c2VjcmV0"}), json!({"header": "?", "key": "c2VjcmV0"})] {
        assert_eq!(with(half), Err(NoNotice::Payload));
    }
}
