use super::*;
use crate::files::notice::tests::thing;
use crate::http::trust;
use crate::stand_in::{Act, Store};
use serde_json::json;

/// What the provider answers to a good certificate; good until 1,000 s.
pub(in crate::files) fn credentials() -> Vec<u8> {
    let lent = json!({"accessKeyId": "ASIA1", "secretAccessKey": "not-to-be-shown", "sessionToken": "to/ken=",
        "expiration": "1970-01-01T00:16:40Z"});
    json!({"credentials": lent}).to_string().into_bytes()
}

async fn provider(acts: &[Act]) -> (Provider, Store) {
    let store = Store::with(credentials(), acts).await;
    let provider = Provider::new(Exchange::over(trust(None).unwrap()), store.url.clone(), thing());
    (provider, store)
}

#[tokio::test]
async fn credentials_are_asked_for_once_and_anew_five_minutes_before_their_end() {
    let (provider, store) = provider(&[]).await;
    for (now, asked) in [(1, 1), (699_999, 1), (700_000, 2)] {
        let lent = provider.lend(now).await.unwrap();
        assert_eq!((lent.access_key_id(), lent.session_token()), ("ASIA1", Some("to/ken=")));
        assert_eq!(store.seen().len(), asked, "at {now}");
    }
    provider.forget().await;
    provider.lend(1).await.unwrap();
    assert_eq!(store.seen().len(), 3);
    let seen = store.seen().remove(0);
    assert_eq!(seen.first_line, "GET /object HTTP/1.1");
    assert!(seen.headers.contains(&"x-amzn-iot-thingname: t1".to_owned()), "{:?}", seen.headers);
}

#[tokio::test]
async fn what_was_refused_is_asked_again_the_next_time() {
    let (provider, store) = provider(&[Act::Say(403, r#"{"message":"Access Denied"}"#), Act::Answer(503)]).await;
    let refused = provider.lend(1).await.unwrap_err();
    assert!(refused.to_string().contains("(403: Access Denied)"), "{refused}");
    assert!(provider.lend(1).await.unwrap_err().is_passing());
    assert!(provider.lend(1).await.is_ok());
    assert_eq!(store.seen().len(), 3);
}

#[test]
fn every_refusal_of_the_provider_has_its_own_name() {
    let refused = |status: u16, body: &str| decide(status, body.as_bytes()).err().unwrap();
    for (status, code, passing) in [
        (403, "credentials-refused", false),
        (404, "no-such-role-alias", false),
        (400, "role-not-assumed", false),
        (429, "kms-unavailable", true),
        (500, "kms-unavailable", true),
        (599, "kms-unavailable", true),
    ] {
        let why = refused(status, r#"{"message":"x"}"#);
        assert_eq!((why.code(), why.is_passing()), (code, passing), "{status}");
    }
    for broken in ["", "{}", r#"{"credentials":{"accessKeyId":"a"}}"#] {
        assert_eq!(refused(200, broken).code(), "kms-unavailable", "{broken}");
    }
}

#[test]
fn the_providers_words_are_kept_short_and_plain() {
    let long = format!(r#"{{"message":"a\nb\u001b[31m{}"}}"#, "x".repeat(500));
    let kept = words(long.as_bytes());
    assert_eq!((kept.len(), kept.starts_with(": ab[31mxx")), (2 + MOST_WORDS, true), "{kept}");
    assert_eq!(words(b"<html>"), "");
}

#[tokio::test]
async fn no_credential_is_shown() {
    let (provider, _store) = provider(&[]).await;
    provider.lend(1).await.unwrap();
    let shown = format!("{provider:?}");
    assert!(!shown.contains("ASIA1") && !shown.contains("not-to-be-shown") && !shown.contains("to/ken"), "{shown}");
}
