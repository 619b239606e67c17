//! A device and its owners, over real HTTP and real MQTT: who has it in hand may own it, may share it, hand it over and give
//! it up; and after that, nothing of it is theirs.

use std::time::Duration;

use loam_device::soil::{self, Humidity, Reading};
use loam_device::{Device, Options, QoS};
use loam_kit::{
    Answer, Api, App, Inbox, LiveAccess, Person, claims, eventually, eventually_within, patience, unique_thing,
};
use serde_json::{Value, json};

use crate::newcomers::Newcomers;
use crate::on_the_spot::OnTheSpot;

/// Somebody with an app.
pub(crate) struct User {
    pub(crate) sub: String,
    pub(crate) api: Api,
    pub(crate) person: Person,
}

impl User {
    pub(crate) async fn new(world: &Newcomers, name: &str) -> Self {
        let person = Person::of(&world.stack, unique_thing(name).as_str(), &[]).await;
        let sub = claims(&person.token)["sub"].as_str().unwrap().to_owned();
        Self { sub, api: Api::new(&world.stack, Some(&person.token)), person }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.api.post(path, body).await;
        (answer.status, answer.json())
    }

    /// Asks for a challenge, without a code.
    pub(crate) async fn claim(&self, thing: &str) -> (u16, Value) {
        self.post("/v1/pairings", &json!({"thing": thing})).await
    }

    /// Hands in the device's answer.
    pub(crate) async fn confirm(&self, claim: &Value, signed: &Value) -> (u16, Value) {
        self.post(&format!("/v1/pairings/{}/confirm", claim["id"].as_str().unwrap()), signed).await
    }

    /// All of it: the button, the challenge, the local link, the confirmation.
    pub(crate) async fn pairs(&self, device: &OnTheSpot) -> Value {
        assert_eq!(device.press(&[]).await["told"], true);
        let claim = eventually("the window is open", async || {
            let (status, claim) = self.claim(device.thing.as_str()).await;
            (status == 201).then_some(claim)
        })
        .await;
        let signed = device.sign(&claim.to_string()).await.unwrap();
        let (status, owned) = self.confirm(&claim, &signed).await;
        assert_eq!((status, &owned["role"]), (200, &json!("owner")), "{owned}");
        owned
    }

    /// Invites `guest` as `role`, who accepts.
    async fn shares(&self, device: &OnTheSpot, guest: &Self, role: &str) {
        let path = format!("/v1/things/{}/invitations", device.thing);
        let (status, invitation) = self.post(&path, &json!({"role": role})).await;
        assert_eq!(status, 201, "{invitation}");
        let path = format!("/v1/invitations/{}/accept", invitation["id"].as_str().unwrap());
        let secret = json!({"token": invitation["token"]});
        let (status, joined) = guest.post(&path, &secret).await;
        assert_eq!((status, &joined["role"]), (200, &json!(role)), "{joined}");
    }

    async fn thing(&self, device: &OnTheSpot) -> Answer {
        self.api.get(&format!("/v1/things/{}", device.thing)).await
    }

    /// Waits until the catalog shows them the device, which takes its rows a moment.
    async fn sees(&self, device: &OnTheSpot) {
        eventually("the owner sees the device", async || (self.thing(device).await.status == 200).then_some(())).await;
    }

    /// Their app, which listens, and their identity.
    async fn live(&self, world: &Newcomers) -> (App, String) {
        let api = Api::new(&world.stack, Some(&self.person.id_token));
        let answer = api.send("POST", "/v1/credentials", &[], None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let access: LiveAccess = serde_json::from_str(&answer.body).unwrap();
        (App::listening(&world.stack, &access).await, access.identity_id)
    }

    /// Whether nothing at all lets them know of the device.
    async fn knows_nothing_of(&self, device: &OnTheSpot) {
        let answers = [
            self.thing(device).await,
            self.api.get(&format!("/v1/things/{}/state", device.thing)).await,
            self.api.get(&format!("/v1/things/{}/members", device.thing)).await,
            self.api.get(&format!("/v1/things/{}/alerts", device.thing)).await,
            self.api.get(&format!("/v1/things/{}/presence", device.thing)).await,
            self.api.get(&format!("/v1/things/{}/commands", device.thing)).await,
            self.api.post(&format!("/v1/things/{}/commands", device.thing), &json!({"name": "blink"})).await,
            self.api.post(&format!("/v1/things/{}/invitations", device.thing), &json!({"role": "viewer"})).await,
        ];
        for answer in answers {
            assert_eq!((answer.status, answer.code().as_str()), (404, "no-such-thing"), "{}", answer.body);
        }
        let listed = self.api.get("/v1/things?limit=100").await;
        assert!(!listed.body.contains(device.thing.as_str()), "{}", listed.body);
    }
}

/// How long an erasure may take: its pause of 35 s, its messages' delay of 40 s, and what is soon.
fn erasure() -> Duration {
    Duration::from_secs(75) + patience() * 2
}

/// Waits until nothing of the former owner is left.
async fn is_erased(world: &Newcomers, device: &OnTheSpot) {
    eventually_within(erasure(), "what the former owner left is erased", async || {
        let record = &world.life(&device.thing).await["record"];
        (record["state"] == "onboarded" && record["erasure"].is_null()).then_some(())
    })
    .await;
}

/// A reading of now.
async fn says(sensor: &Device, humidity: u8) {
    let (name, local_time) = (sensor.thing().to_owned(), String::new());
    let reading =
        Reading { name, humidity: Humidity::Number(humidity), epoch_ms: loam_kit::now().as_millis(), local_time };
    soil::publish(sensor, &reading, QoS::AtLeastOnce).await.unwrap();
}

async fn enabled() -> Newcomers {
    Newcomers::new(&json!({"enabled": true})).await
}

#[tokio::test]
async fn who_has_a_device_in_hand_owns_it_and_nobody_else_gets_that_far() {
    let world = enabled().await;
    let (device, other) = tokio::join!(OnTheSpot::onboarded(&world, "mine"), OnTheSpot::onboarded(&world, "other"));
    let (ann, eve) = (User::new(&world, "ann").await, User::new(&world, "eve").await);
    let thing = device.thing.as_str();

    // Before its button is pressed the device is one that does not exist.
    let (closed, nothing) = (ann.claim(thing).await, ann.claim(unique_thing("mine").as_str()).await);
    assert_eq!((closed.0, &closed.1), (404, &nothing.1));

    assert_eq!(device.press(&[]).await["told"], true);
    let claim = eventually("the window is open", async || {
        let (status, claim) = ann.claim(thing).await;
        (status == 201).then_some(claim)
    })
    .await;
    // Whoever asks at this very moment gets a challenge too, and the device in their hand does not sign for it.
    let (status, hers) = eve.claim(thing).await;
    assert_eq!(status, 201, "{hers}");
    let foreign =
        json!({"thing": other.thing.as_str(), "challenge": hers["challenge"], "user": eve.sub, "epoch": hers["epoch"]});
    let by_other = other.sign(&foreign.to_string()).await.unwrap();
    let refused = eve.confirm(&hers, &by_other).await;
    assert_eq!((refused.0, &refused.1["code"]), (403, &json!("not-signed-by-the-device")), "{}", refused.1);
    assert_eq!(other.sign(&hers.to_string()).await, Err("challenge-for-another-thing".to_owned()));

    // What the device signs for Ann is of no use to Eve, nor for another claim of Ann's.
    let signed = device.sign(&claim.to_string()).await.unwrap();
    assert_eq!(device.sign(&claim.to_string()).await, Err("challenge-signed-before".to_owned()));
    let (_, hers) = eve.claim(thing).await;
    assert_eq!(eve.confirm(&hers, &signed).await.0, 403);
    assert_eq!(eve.confirm(&claim, &signed).await.0, 404, "a claim of somebody else");
    let (_, second) = ann.claim(thing).await;
    assert_eq!(ann.confirm(&second, &signed).await.0, 403);
    let burnt = device.sign(&second.to_string()).await.unwrap();
    let (status, refused) = ann.confirm(&second, &burnt).await;
    assert_eq!((status, &refused["code"]), (409, &json!("challenge-burnt")));

    let (status, owned) = ann.confirm(&claim, &signed).await;
    assert_eq!((status, &owned["thing"], &owned["role"]), (200, &json!(thing), &json!("owner")), "{owned}");
    assert_eq!(ann.confirm(&claim, &signed).await.0, 200, "said twice, done once");
    ann.sees(&device).await;
    eve.knows_nothing_of(&device).await;
    let (status, taken) = eve.claim(thing).await;
    assert_eq!((status, &taken["code"]), (409, &json!("paired-by-another")), "the window is still open: {taken}");
}

#[tokio::test]
async fn a_code_that_the_device_shows_is_needed_to_ask_and_guesses_end() {
    let world = enabled().await;
    let device = OnTheSpot::onboarded(&world, "shown").await;
    let (ann, eve) = (User::new(&world, "ann").await, User::new(&world, "eve").await);
    let code = device.press(&["--code"]).await["code"].as_str().unwrap().to_owned();
    let order = |code: &str| json!({"thing": device.thing.as_str(), "claimCode": code});
    eventually("the window is open", async || {
        let (status, _) = ann.post("/v1/pairings", &order(&code.to_lowercase().replace('-', " "))).await;
        (status == 201).then_some(())
    })
    .await;
    assert_eq!(eve.claim(device.thing.as_str()).await.0, 404, "without the code");
    let mistyped = eve.post("/v1/pairings", &order("0000-0000-0001")).await;
    assert_eq!((mistyped.0, &mistyped.1["code"]), (400, &json!("mistyped-claim-code")));
    let guesses: Vec<u16> = {
        let mut answers = Vec::new();
        for guess in 1..=7_u8 {
            let guess = loam_domain::pairing::claim_code::ClaimCode::from_random([guess; 7]).spelled();
            answers.push(eve.post("/v1/pairings", &order(&guess)).await.0);
        }
        answers
    };
    assert_eq!(guesses, [404, 404, 404, 404, 404, 429, 429]);
    assert_eq!(eve.post("/v1/pairings", &order(&code)).await.0, 429, "not even with the right one");
}

#[tokio::test]
async fn an_owner_shares_and_gives_up_and_after_that_nothing_is_anybodys() {
    let world = enabled().await;
    let device = OnTheSpot::onboarded(&world, "shared").await;
    let [ann, bob, cat, dan] = [
        User::new(&world, "ann").await,
        User::new(&world, "bob").await,
        User::new(&world, "cat").await,
        User::new(&world, "dan").await,
    ];
    let thing = device.thing.as_str();
    ann.pairs(&device).await;
    ann.shares(&device, &bob, "controller").await;
    ann.shares(&device, &cat, "viewer").await;
    for (user, status) in [(&ann, 202), (&bob, 202), (&cat, 403), (&dan, 404)] {
        let answer = user.api.post(&format!("/v1/things/{thing}/commands"), &json!({"name": "blink"})).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    for (user, status) in [(&ann, 201), (&bob, 403), (&cat, 403), (&dan, 404)] {
        let answer = user.api.post(&format!("/v1/things/{thing}/invitations"), &json!({"role": "viewer"})).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    let tag = json!({"tags": {"word": "blaubeere"}, "friendlyName": "blaubeere"});
    ann.sees(&device).await;
    let tagged = ann.api.send("PATCH", &format!("/v1/things/{thing}"), &[], Some(&tag)).await;
    assert_eq!(tagged.status, 200, "{}", tagged.body);
    let rule = json!({"rules": [{"path": "humidity", "threshold": 43.21}]});
    let ruled = ann.api.send("PUT", &format!("/v1/alert-rules/thing:{thing}"), &[], Some(&rule)).await;
    assert!(matches!(ruled.status, 200 | 201 | 204), "{}", ruled.body);
    let ordered = ann.api.post(&format!("/v1/things/{thing}/commands"), &json!({"name": "blink"})).await.json();

    let gone = ann.api.send("DELETE", &format!("/v1/things/{thing}/pairing"), &[], None).await;
    assert_eq!((gone.status, &gone.json()["state"]), (202, &json!("erasing")), "{}", gone.body);
    for user in [&ann, &bob, &cat, &dan] {
        user.knows_nothing_of(&device).await;
        let command = user.api.get(&format!("/v1/commands/{}", ordered["id"].as_str().unwrap())).await;
        assert_eq!((command.status, command.code().as_str()), (404, "no-such-command"));
    }
    assert_eq!(device.press(&[]).await["told"], true);
    eventually("the window is open", async || {
        let (status, early) = dan.claim(thing).await;
        (status != 404).then(|| assert_eq!((status, &early["code"]), (409, &json!("still-erasing"))))
    })
    .await;
    is_erased(&world, &device).await;

    dan.pairs(&device).await;
    dan.sees(&device).await;
    let after = dan.thing(&device).await;
    let rules = dan.api.get(&format!("/v1/alert-rules/thing:{thing}")).await;
    let commands = dan.api.get(&format!("/v1/things/{thing}/commands")).await;
    assert_eq!(commands.json()["items"], json!([]), "{}", commands.body);
    for (what, body) in [("thing", &after.body), ("rules", &rules.body)] {
        assert!(!body.contains("blaubeere") && !body.contains("43.21"), "the second owner sees in {what}: {body}");
    }
    for former in [&ann, &bob, &cat] {
        former.knows_nothing_of(&device).await;
    }
}

#[tokio::test]
async fn a_transfer_ends_the_former_owners_time_and_begins_the_heirs_when_all_is_erased() {
    let world = enabled().await;
    let device = OnTheSpot::onboarded(&world, "handed").await;
    let (ann, bob) = (User::new(&world, "ann").await, User::new(&world, "bob").await);
    ann.pairs(&device).await;
    let (status, offer) = ann.post(&format!("/v1/things/{}/transfers-of-ownership", device.thing), &json!({})).await;
    assert_eq!(status, 201, "{offer}");
    ann.sees(&device).await;
    assert_eq!(ann.thing(&device).await.status, 200, "until somebody accepts, it is hers");
    let path = format!("/v1/transfers-of-ownership/{}/accept", offer["id"].as_str().unwrap());
    let secret = json!({"token": offer["token"]});
    let (status, ending) = bob.post(&path, &secret).await;
    assert_eq!((status, &ending["state"]), (202, &json!("erasing")), "{ending}");
    ann.knows_nothing_of(&device).await;
    eventually_within(erasure(), "the heir's time begins", async || {
        (bob.thing(&device).await.status == 200).then_some(())
    })
    .await;
    let (status, owned) = bob.post(&path, &secret).await;
    assert_eq!((status, &owned["role"]), (200, &json!("owner")), "{owned}");
    ann.knows_nothing_of(&device).await;

    // The device never signed for Bob, and whoever has it in hand may reset it all the same.
    assert!(device.reset("20").await);
    eventually("the reset ends Bob's time", async || (bob.thing(&device).await.status == 404).then_some(())).await;
}

#[tokio::test]
async fn a_reset_while_the_device_is_off_ends_its_owners_time_at_the_next_connect() {
    let world = enabled().await;
    let mut device = OnTheSpot::onboarded(&world, "reset").await;
    let ann = User::new(&world, "ann").await;
    ann.pairs(&device).await;
    ann.sees(&device).await;
    device.power_off(&world).await;
    assert!(!device.reset("0").await, "nobody can be told");
    assert_eq!(ann.thing(&device).await.status, 200);
    device.switch_on(&[]);
    eventually_within(patience() * 3, "the reset ends Ann's time", async || {
        (ann.thing(&device).await.status == 404).then_some(())
    })
    .await;
    ann.knows_nothing_of(&device).await;
}

#[tokio::test]
async fn mail_goes_to_the_members_who_want_it_while_they_are_members() {
    let world = enabled().await;
    let mut device = OnTheSpot::onboarded(&world, "mailed").await;
    let (ann, bob) = (User::new(&world, "ann").await, User::new(&world, "bob").await);
    ann.pairs(&device).await;
    ann.shares(&device, &bob, "viewer").await;
    let topic = world.stack.output("AlertsTopic");
    let (hers, his) =
        (Inbox::of_member(&world.admin, topic, &ann.sub).await, Inbox::of_member(&world.admin, topic, &bob.sub).await);
    // The same device, driven by the test from here on.
    device.power_off(&world).await;
    let sensor = world.switched_on(&device.made, Options::default());
    says(&sensor, 20).await;
    eventually("the owner's mail", async || hers.take().await.pop()).await;
    assert_eq!(his.take().await, [], "a guest asks for it first");
    let wanted = Api::new(&world.stack, Some(&bob.person.id_token));
    let path = format!("/v1/things/{}/mail", device.thing);
    let answer = wanted.send("PUT", &path, &[], Some(&json!({"wanted": true}))).await;
    assert_eq!((answer.status, &answer.json()["wanted"]), (200, &json!(true)), "{}", answer.body);
    says(&sensor, 50).await;
    eventually("the guest's mail", async || his.take().await.pop()).await;
    eventually("the owner's second mail", async || hers.take().await.pop()).await;

    let gone = ann.api.send("DELETE", &format!("/v1/things/{}/pairing", device.thing), &[], None).await;
    assert_eq!(gone.status, 202, "{}", gone.body);
    let everybody = Inbox::open(&world.admin, topic, device.thing.as_str()).await;
    says(&sensor, 20).await;
    eventually("the operators' mail", async || everybody.take().await.pop()).await;
    assert_eq!((hers.take().await, his.take().await), (vec![], vec![]));
}

#[tokio::test]
async fn a_live_app_follows_its_device_until_its_owners_time_ends_and_then_neither_hears_nor_moves_it() {
    let world = enabled().await;
    let device = OnTheSpot::onboarded(&world, "live").await;
    let (ann, eve) = (User::new(&world, "ann").await, User::new(&world, "eve").await);
    let thing = device.thing.as_str();
    ann.pairs(&device).await;
    let ((mut hers, ann_id), (mut foreign, eve_id)) = (ann.live(&world).await, eve.live(&world).await);
    let wish = |id: &str, lamp: &str| json!({"requestId": id, "desired": {"lamp": lamp}});
    let desired = |identity: &str| format!("loam/users/{identity}/things/{thing}/desired");

    let topic = desired(&ann_id);
    assert_eq!(hers.publish(&topic, &wish("w1", "on")).await, Some(true));
    hers.hears(|topic, told| topic.ends_with("/desired/accepted") && told["requestId"] == "w1").await;
    hers.hears(|topic, told| topic.ends_with("/state") && told.to_string().contains("on")).await;
    let topic = desired(&eve_id);
    assert_eq!(foreign.publish(&topic, &wish("w2", "red")).await, Some(true), "it is her own mailbox");
    foreign.hears(|topic, told| topic.ends_with("/desired/rejected") && told["requestId"] == "w2").await;

    let gone = ann.api.send("DELETE", &format!("/v1/things/{thing}/pairing"), &[], None).await;
    assert_eq!(gone.status, 202, "{}", gone.body);
    let own = format!("loam/users/{ann_id}/#");
    hers.heard_by_now(&own).await;
    let path = format!("/v1/things/{thing}/state?waitSeconds=20");
    let by_operator = json!({"desired": {"lamp": "green"}});
    let moved = world.operator.send("PATCH", &path, &[], Some(&by_operator)).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    let topic = desired(&ann_id);
    assert_eq!(hers.publish(&topic, &wish("w3", "blue")).await, Some(true));
    let (_, refusal) = hers
        .hears(|topic, told| {
            assert!(!topic.ends_with("/state") || !told.to_string().contains("green"), "heard after the end: {told}");
            topic.ends_with("/desired/rejected") && told["requestId"] == "w3"
        })
        .await;
    assert_eq!(refusal["code"], "no-such-thing", "{refusal}");
    // What she says herself she hears, and that it was refused.
    let is_own = |topic: &str| topic.ends_with("/desired") || topic.ends_with("/desired/rejected");
    let after = hers.heard_by_now(&own).await;
    assert!(after.iter().all(|(topic, _)| !topic.contains(thing) || is_own(topic)), "{after:?}");
    assert_eq!(world.shadow(&device.thing).await["state"]["reported"]["lamp"], "green");
}
