//! Each promise of live access.

use loam_kit::{App, Person, now};
use pairing::relay::{IdentityId, LIVE_MILLIS, Mailbox};
use pairing::store::Saved;
use serde_json::json;

use crate::world::{Home, World, user_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_identity_and_credentials_for_its_mailbox() {
    let world = World::new("live-one").await;
    let person = Person::of(&world.stack, "live-one", &[]).await;
    let (status, first) = world.credentials(&person.id_token).await;
    assert_eq!(status, 200, "{}", first["code"]);
    let (_, second) = world.credentials(&person.id_token).await;
    assert_eq!((&first["identityId"], &first["clientId"]), (&second["identityId"], &first["identityId"]));
    assert_ne!(first["accessKeyId"], second["accessKeyId"]);
    let left = first["expiresAt"].as_i64().unwrap() - now().as_millis();
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
    let identity = first["identityId"].as_str().unwrap();
    assert_eq!(first["topics"]["subscribe"], format!("loam/users/{identity}/#"));
    assert_eq!(first["endpoint"], world.stack.output("IotEndpoint"));
    let mut app = App::listening(&world.stack, &crate::world::access(&first)).await;
    let desired = format!("loam/users/{identity}/things/{}/desired", world.thing);
    assert_eq!(app.publish(&desired, &json!({})).await, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_requests_of_one_person_at_once_give_one_identity() {
    let world = World::new("live-race").await;
    let person = Person::of(&world.stack, "live-race", &[]).await;
    let ask = |_| {
        let (world, token) = (world.clone(), person.id_token.clone());
        tokio::spawn(async move { world.credentials(&token).await })
    };
    let mut identities = std::collections::BTreeSet::new();
    for asked in (0..8).map(ask).collect::<Vec<_>>() {
        let (status, body) = asked.await.unwrap();
        assert_eq!(status, 200, "{}", body["code"]);
        identities.insert(body["identityId"].to_string());
    }
    assert_eq!(identities.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_and_a_token_that_cognito_does_not_know_bring_no_credentials() {
    let world = World::new("live-token").await;
    let person = Person::of(&world.stack, "live-token", &[]).await;
    let (status, body) = world.asked("access", &person.token, &user_of(&person)).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("id-token-needed")));
    let (head, _) = person.id_token.rsplit_once('.').unwrap();
    let (status, body) = world.asked("id", &format!("{head}.AAAA"), &user_of(&person)).await;
    assert_eq!((status, body["code"].as_str()), (400, Some("token-refused")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_known_as_somebodys_is_nobody_elses() {
    let world = World::new("live-other").await;
    let [ann, bob] =
        ["ann", "bob"].map(|name| pairing::people::UserId::parse(&format!("{name}-{}", world.thing)).unwrap());
    let identity = IdentityId::parse(&format!("us-east-1:{}", world.thing)).unwrap();
    let mailbox = Mailbox { identity, live_until: now().plus_millis(LIVE_MILLIS) };
    for (user, saved) in [(&ann, Saved::Yes), (&ann, Saved::Yes), (&bob, Saved::Lost)] {
        assert_eq!(world.store.put_mailbox(user, &mailbox).await.unwrap(), saved);
    }
    assert_eq!(world.store.mailboxes([&ann, &bob]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_hear_everything_of_their_thing_and_nobody_else_does() {
    let world = World::new("live-hear").await;
    let mut home = Home::new(&world, &["hear-ann", "hear-bob"]).await;
    let mut strangers = Home::of_another_thing(&world, &["hear-cid"]).await;
    let messages = [
        world.document(&json!({"on": true})),
        world.event("presence.connected"),
        world.notice(),
        world.event("command.succeeded"),
        world.event("member.joined"),
        world.event("file.ready"),
    ];
    assert!(world.deliver(messages).await.is_empty());
    for (place, app) in home.apps.iter_mut().enumerate() {
        let mut heard = vec![];
        for subject in ["state", "presence", "alerts", "commands", "members"] {
            let (topic, document) =
                app.hears(|topic, _| topic.ends_with(&format!("/things/{}/{subject}", world.thing))).await;
            assert_eq!(document["thing"], world.thing.as_str(), "{topic}");
            heard.push(document);
            if subject == "state" {
                assert_eq!(heard[0]["reported"], json!({"on": true}));
            }
        }
        assert_eq!((&heard[1]["connected"], &heard[2]["message"]), (&json!(true), &json!("It is dry")));
        // The first one owns the thing; a viewer hears nothing of files.
        if place == 0 {
            app.hears(|topic, _| topic.ends_with("/files")).await;
        }
    }
    assert!(home.heard_by_now(1).await.iter().all(|(topic, _)| !topic.ends_with("/files")));
    assert_eq!(strangers.heard_by_now(0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_member_any_more_hears_nothing_whatever_still_comes() {
    let world = World::new("live-left").await;
    let mut home = Home::new(&world, &["left-ann", "left-bob"]).await;
    let (before, later) = (world.document(&json!({"on": 1})), world.document(&json!({"on": 2})));
    home.remove(&world, 1).await;
    assert!(world.deliver([before]).await.is_empty());
    assert_eq!(home.apps[0].hears(|topic, _| topic.ends_with("/state")).await.1["reported"], json!({"on": 1}));
    assert_eq!(home.heard_by_now(1).await, []);
    home.end(&world).await;
    let rest = ["presence.disconnected", "command.failed", "member.left"].map(|kind| world.event(kind));
    assert!(world.deliver([later, world.notice()].into_iter().chain(rest)).await.is_empty());
    assert_eq!((home.heard_by_now(0).await, home.heard_by_now(1).await), (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_whose_time_is_over_is_filled_no_more_until_credentials_are_asked_for_again() {
    let world = World::new("live-old").await;
    let mut home = Home::new(&world, &["old-ann"]).await;
    let identity = IdentityId::parse(&home.identities[0]).unwrap();
    let until = |live_until| Mailbox { identity: identity.clone(), live_until };
    world.store.put_mailbox(&home.users[0], &until(now().plus_millis(-1))).await.unwrap();
    assert!(world.deliver([world.document(&json!({"on": 1}))]).await.is_empty());
    world.store.put_mailbox(&home.users[0], &until(now().plus_millis(LIVE_MILLIS))).await.unwrap();
    assert!(world.deliver([world.document(&json!({"on": 2}))]).await.is_empty());
    let (_, first) = home.apps[0].hears(|topic, _| topic.ends_with("/state")).await;
    assert_eq!(first["reported"], json!({"on": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_that_is_nobodys_is_left_alone_and_what_nobody_sends_is_kept() {
    let world = World::new("live-odd").await;
    let odd = json!({"payload": "?", "topic": format!("$aws/things/{}/shadow/update/documents", world.thing), "receivedAt": 1});
    assert!(world.deliver([world.document(&json!({})), odd]).await.is_empty());
    let kept = &world.dead_letters.about(world.thing.as_str()).await[0];
    assert_eq!(kept["code"], "not-base64");
}
