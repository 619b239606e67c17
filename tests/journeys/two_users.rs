//! Two people, each with a thing: neither learns anything of the other's, not even that it exists.

use loam_domain::ThingName;
use loam_kit::{Answer, Api, Person, Stack, claims, eventually, figure, seed_membership, unique_thing};
use loam_things::Things;
use serde_json::{Value, json};

use crate::authorization::registered;
use crate::routes::{Route, routes};

/// A word in the name and the tags of the second thing, which the first person must never read.
const SECRET: &str = "zuckererbse";

/// What differs between any two answers.
const OF_THE_REQUEST: [&str; 4] = ["date", "apigw-requestid", "x-amzn-requestid", "x-amz-request-id"];

struct Pair {
    ann: Api,
    bob: Api,
    bobs: [ThingName; 2],
}

impl Pair {
    async fn new() -> Self {
        let stack = Stack::deployed();
        let things = Things::new(&stack.admin().await, stack.resources["ThingsTable"].clone());
        let [ann, bob] = [Person::of(&stack, "ann", &[]).await, Person::of(&stack, "bob", &[]).await];
        let sub = |person: &Person| claims(&person.token)["sub"].as_str().unwrap().to_owned();
        let own = registered(&things).await;
        seed_membership(&stack, &sub(&ann), &own, "owner", 1).await;
        let bobs = [registered(&things).await, registered(&things).await];
        for thing in &bobs {
            seed_membership(&stack, &sub(&bob), thing, "owner", 1).await;
        }
        let pair = Self { ann: Api::new(&stack, Some(&ann.token)), bob: Api::new(&stack, Some(&bob.token)), bobs };
        pair.mark().await;
        pair
    }

    /// Bob writes the secret on his things; both are in his list then.
    async fn mark(&self) {
        for thing in &self.bobs {
            let change = json!({"friendlyName": SECRET, "tags": {"word": SECRET}});
            let path = format!("/v1/things/{thing}");
            eventually("Bob's thing is projected", async || {
                let answer = self.bob.send("PATCH", &path, &[], Some(&change)).await;
                (answer.status == 200).then_some(())
            })
            .await;
        }
        eventually("both of Bob's things are listed", async || {
            let list = self.bob.get(&format!("/v1/things?search={SECRET}&count=true")).await.json();
            (list["count"].as_u64() >= Some(2)).then_some(())
        })
        .await;
    }
}

/// The whole answer but for what belongs to the request.
fn bytes(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let headers = answer.headers.iter().map(header).filter(|(name, _)| !OF_THE_REQUEST.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.collect();
    headers.sort();
    (answer.status, headers, answer.body.clone())
}

/// The requests for a route that a stranger might try: with each of its filters and without, with a body and without.
fn tries(route: &Route) -> Vec<(String, Option<Value>)> {
    let mut queries = vec![String::new()];
    queries.extend(route.filters().iter().flat_map(|name| ["true", "1"].map(|value| format!("?{name}={value}"))));
    let bodies = [None, route.body.clone(), Some(json!({"payload": SECRET}))];
    let bodies = if route.body.is_some() { &bodies[..] } else { &bodies[..1] };
    queries.iter().flat_map(|query| bodies.iter().map(|body| (query.clone(), body.clone()))).collect()
}

#[tokio::test]
async fn another_s_ids_answer_byte_for_byte_like_ids_of_nothing() {
    let pair = Pair::new().await;
    let (mut asked, mut leaks, mut of) = (0, Vec::new(), 0);
    let before = pair.bob.get(&format!("/v1/things/{}", pair.bobs[0])).await;
    for route in routes().iter().filter(|route| route.has_thing()) {
        of += 1;
        for (query, body) in tries(route) {
            let missing = unique_thing("asked");
            assert_eq!(missing.as_str().len(), pair.bobs[0].as_str().len());
            // What the path holds beside the thing is the same in both.
            let theirs = route.path(pair.bobs[0].as_str()) + &query;
            let nothing = theirs.replace(pair.bobs[0].as_str(), missing.as_str());
            let mut answers = Vec::new();
            for path in [theirs, nothing] {
                answers
                    .push(bytes(&pair.ann.send(&route.method, &path, &[("if-match", "\"1\"")], body.as_ref()).await));
            }
            asked += 1;
            if answers[0] != answers[1] || matches!(answers[0].0, 200..=299) {
                leaks.push(format!("{} {query} {body:?}: {answers:#?}", route.key()));
            }
        }
    }
    let after = pair.bob.get(&format!("/v1/things/{}", pair.bobs[0])).await;
    assert_eq!(bytes(&before), bytes(&after), "Bob's thing is as it was");
    figure(&format!("two users: {of} routes with ids, {asked} pairs of requests, {} leaks", leaks.len()));
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[tokio::test]
async fn lists_filters_counts_and_cursors_know_nothing_of_another_s_things() {
    let pair = Pair::new().await;
    let mut asked = 0;
    for route in routes().iter().filter(|route| route.method == "GET" && !route.has_id()) {
        let path = route.path("nobody");
        let answer = pair.ann.get(&path).await;
        let told = pair.bobs.iter().map(ThingName::as_str).chain([SECRET]).find(|word| answer.body.contains(word));
        assert_eq!(told, None, "{}: {}", route.key(), answer.body);
        asked += 1;
    }
    let thing = &pair.bobs[0];
    let matching = [
        format!("filter=deviceId%20%3D%20%27{thing}%27"),
        format!("filter=tags.word%20%3D%20%27{SECRET}%27"),
        format!("filter=NOT%20tags.word%20%3D%20%27{SECRET}x%27%20AND%20IS_DEFINED(tags.word)"),
        format!("filter=STARTSWITH(tags.word,%20%27zucker%27)"),
        format!("search={SECRET}"),
        format!("search={SECRET}&sort=friendlyName&fields=friendlyName,tags.word"),
    ];
    for query in matching {
        let found = pair.ann.get(&format!("/v1/things?{query}&count=true")).await;
        assert_eq!(
            (found.status, &found.json()["items"], &found.json()["count"]),
            (200, &json!([]), &json!(0)),
            "{query}: {}",
            found.body
        );
        let found = pair.bob.get(&format!("/v1/things?{query}&count=true")).await.json();
        assert!(found["count"].as_u64() >= Some(1), "{query} finds Bob's things for Bob: {found}");
        asked += 1;
    }
    let page = pair.bob.get("/v1/things?limit=1").await.json();
    let cursor = page["cursor"].as_str().unwrap();
    let stolen = pair.ann.get(&format!("/v1/things?limit=1&cursor={cursor}")).await;
    let forged = pair.ann.get(&format!("/v1/things?limit=1&cursor={}", "A".repeat(cursor.len()))).await;
    assert_eq!((stolen.status, stolen.code().as_str()), (400, "invalid-cursor"));
    assert_eq!(bytes(&stolen), bytes(&forged));
    figure(&format!("two users: {} lists, filters, searches and cursors, 0 leaks", asked + 1));
}
