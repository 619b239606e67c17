//! The routes of pairing on the real stack, under the function's own role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

#[path = "handler/races.rs"]
mod races;
#[path = "handler/world.rs"]
mod world;

use std::collections::BTreeSet;

use serde_json::json;

use world::{Who, World};

#[tokio::test]
async fn who_has_the_code_and_the_devices_signature_owns_the_thing_and_a_repeat_is_told_so() {
    let world = World::new("pair").await;
    let code = world.label().await;
    let claim = world.begin("ann", Some(&code)).await;
    assert_eq!(claim.status, 201, "{}", claim.body);
    for _ in 0..2 {
        let owned = world.confirm("ann", &claim.json(), &world.device).await;
        assert_eq!((owned.status, &owned.json()["role"]), (200, &json!("owner")), "{}", owned.body);
        assert_eq!(owned.json()["epoch"], 1);
    }
    assert_eq!(world.begin("bob", Some(&code)).await.code(), (409, "paired-by-another".to_owned()));
    assert_eq!(world.begin("ann", Some(&code)).await.code(), (409, "already-paired".to_owned()));
    let list = world.ask(Who::User("ann"), "GET /v1/pairings", "/v1/pairings", None).await;
    assert_eq!(list.json()["items"][0]["state"], "confirmed");
    world.assert_agrees().await;
}

#[tokio::test]
async fn a_thing_that_is_unknown_closed_anothers_or_of_another_code_is_the_same_404_for_the_same_calls() {
    let world = World::new("hidden").await;
    let code = world.label().await;
    let other = "0000-0000-0000";
    let mut answers = BTreeSet::new();
    let nothing = world.nothing();
    let owned = world.another("hidden").await;
    owned.pair("ann").await;
    for given in [None, Some(other)] {
        for (at, world) in [&world, &nothing, &owned].into_iter().enumerate() {
            let tapped = world.tapped().await;
            let answer = tapped.world.begin(&format!("eve{at}{}", given.is_some()), given).await;
            answers.insert((answer.status, answer.body, given.is_some(), tapped.calls()));
        }
    }
    let bodies: BTreeSet<_> = answers.iter().map(|(status, body, ..)| (*status, body.clone())).collect();
    assert_eq!((answers.len(), bodies.len()), (2, 1), "{answers:?}");
    assert_eq!(bodies.first().unwrap().0, 404);
    drop(code);
}

#[tokio::test]
async fn of_twenty_wrong_codes_five_are_compared_and_then_not_even_the_right_one_is() {
    let world = World::new("guess").await;
    let code = world.label().await;
    let mut locked = 0;
    for _ in 0..20 {
        let answer = world.begin("eve", Some("0000-0000-0000")).await;
        match answer.status {
            404 => assert_eq!(locked, 0),
            status => {
                assert_eq!((status, answer.code().1.as_str()), (429, "too-many-attempts"));
                assert!(answer.header("retry-after").parse::<u32>().unwrap() > 800);
                locked += 1;
            }
        }
    }
    assert_eq!(locked, 15);
    assert_eq!(world.begin("eve", Some(&code)).await.status, 429);
    assert_eq!(world.begin("ann", Some(&code)).await.status, 201);
}

#[tokio::test]
async fn at_a_thing_twenty_wrong_codes_of_four_people_lock_it_for_all() {
    let world = World::new("locked").await;
    let code = world.label().await;
    for guess in 0..20 {
        let who = format!("eve{}", guess / 5);
        assert_eq!(world.begin(&who, Some("0000-0000-0000")).await.status, 404);
    }
    assert_eq!(world.begin("ann", Some(&code)).await.code(), (404, "no-such-thing".to_owned()));
}

#[tokio::test]
async fn a_mistyped_code_is_told_and_not_counted() {
    let world = World::new("typed").await;
    let code = world.label().await;
    for _ in 0..10 {
        assert_eq!(world.begin("ann", Some("1000-0000-0000")).await.code(), (400, "mistyped-claim-code".to_owned()));
    }
    assert_eq!(world.begin("ann", Some(&code.to_lowercase().replace('-', " "))).await.status, 201);
}

#[tokio::test]
async fn a_challenge_that_another_devices_key_signed_is_burnt_and_the_right_signature_comes_too_late() {
    let world = World::new("burnt").await;
    let code = world.label().await;
    let claim = world.begin("ann", Some(&code)).await.json();
    let stranger = world::Device::new();
    let refused = world.confirm("ann", &claim, &stranger).await;
    assert_eq!(refused.code(), (403, "not-signed-by-the-device".to_owned()), "{}", refused.body);
    assert_eq!(world.confirm("ann", &claim, &world.device).await.code(), (409, "challenge-burnt".to_owned()));
    assert_eq!(world.confirm("bob", &claim, &world.device).await.code(), (404, "no-such-pairing".to_owned()));
    world.assert_agrees().await;
}

#[tokio::test]
async fn a_challenge_is_good_for_five_minutes_and_for_its_own_person() {
    let world = World::new("late").await;
    let code = world.label().await;
    let claim = world.begin("ann", Some(&code)).await.json();
    assert_eq!(world.later(300_000).confirm("ann", &claim, &world.device).await.code().1, "challenge-expired");
    // Exact bounds are the decision's; here the machine takes its own time.
    assert_eq!(world.later(270_000).confirm("ann", &claim, &world.device).await.status, 200);
}

#[tokio::test]
async fn an_owners_guests_come_by_invitation_once_and_go_with_the_owner() {
    let world = World::new("share").await;
    world.pair("ann").await;
    let made = world.invite("ann", "controller").await;
    assert_eq!(made.status, 201, "{}", made.body);
    let invitation = made.json();
    for _ in 0..2 {
        let joined = world.accept("bob", "invitations", &invitation).await;
        assert_eq!((joined.status, &joined.json()["role"]), (200, &json!("controller")), "{}", joined.body);
    }
    assert_eq!(world.accept("cid", "invitations", &invitation).await.code(), (409, "invitation-used".to_owned()));
    let mut wrong = invitation.clone();
    wrong["token"] = json!("A".repeat(43));
    assert_eq!(world.accept("cid", "invitations", &wrong).await.code(), (404, "no-such-invitation".to_owned()));
    assert_eq!(world.invite("bob", "viewer").await.code(), (403, "role-too-low".to_owned()));
    assert_eq!(world.invite("cid", "viewer").await.code(), (404, "no-such-thing".to_owned()));
    let late = world.invite("ann", "viewer").await.json();
    let day = world.later(86_400_001);
    assert_eq!(day.accept("cid", "invitations", &late).await.code(), (409, "invitation-expired".to_owned()));
    world.assert_agrees().await;
    assert_eq!(world.unpair(Who::User("bob")).await.code(), (403, "role-too-low".to_owned()));
    for _ in 0..2 {
        assert_eq!(world.unpair(Who::User("ann")).await.status, 202);
    }
    assert_eq!(world.unpair(Who::User("bob")).await.code(), (404, "no-such-thing".to_owned()));
    assert_eq!(world.accept("cid", "invitations", &late).await.code(), (404, "no-such-invitation".to_owned()));
    world.assert_agrees().await;
}

#[tokio::test]
async fn the_same_request_again_gives_the_same_claim_and_the_same_invitation() {
    let world = World::new("again").await;
    let code = world.label().await;
    let key = world.thing.to_string();
    let order = json!({"thing": world.thing, "claimCode": code});
    let ask = async || world.keyed("ann", "POST /v1/pairings", "/v1/pairings", &order, &key).await;
    let (first, second) = (ask().await, ask().await);
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!(world.confirm("ann", &first.json(), &world.device).await.status, 200);
    let (route, path) = world.of_thing("POST", "invitations");
    let invite = async || world.keyed("ann", &route, &path, &json!({"role": "viewer"}), &key).await;
    let first = invite().await;
    assert_eq!((first.status, &first.body), (409, &invite().await.body), "another request under the same key");
    let key = format!("{key}-2");
    let invite = async || world.keyed("ann", &route, &path, &json!({"role": "viewer"}), &key).await;
    let (first, second) = (invite().await, invite().await);
    assert_eq!((first.status, &first.body), (201, &second.body));
}

#[tokio::test]
async fn a_transfer_ends_all_access_at_once_and_its_heir_waits_for_the_erasure() {
    let world = World::new("hand").await;
    world.pair("ann").await;
    let offer = world.offer("ann").await;
    assert_eq!(offer.status, 201, "{}", offer.body);
    assert_eq!(world.offer("ann").await.code(), (409, "offer-open".to_owned()));
    assert_eq!(world.accept("ann", "transfers-of-ownership", &offer.json()).await.code().1, "own-offer");
    for _ in 0..2 {
        assert_eq!(world.accept("bob", "transfers-of-ownership", &offer.json()).await.status, 202);
    }
    assert_eq!(world.accept("cid", "transfers-of-ownership", &offer.json()).await.code().1, "no-such-offer");
    assert_eq!(world.members("ann").await.code(), (404, "no-such-thing".to_owned()));
    world.assert_agrees().await;
}

#[tokio::test]
async fn mail_takes_an_id_token_and_confirms_by_aws() {
    let world = World::new("mail").await;
    world.pair("ann").await;
    assert_eq!(world.mail("ann", true, None).await.code(), (400, "id-token-needed".to_owned()));
    let address = format!("{}@example.com", world.thing);
    let wanted = world.mail("ann", true, Some(&address)).await;
    assert_eq!((wanted.status, &wanted.json()["wanted"]), (200, &json!(true)), "{}", wanted.body);
    assert_eq!(world.mail("ann", false, None).await.body, r#"{"wanted":false}"#);
    assert_eq!(world.mail("bob", true, Some(&address)).await.code(), (404, "no-such-thing".to_owned()));
}
