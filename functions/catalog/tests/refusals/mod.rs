//! What the routes refuse: mistakes in filters, cursors of others, bodies beyond the limits.

use std::collections::BTreeSet;

use loam_kit::{seed_membership, unique_thing};
use loam_query::Filter;
use serde_json::{Value, json};

use crate::world::{Who, World};

/// A mistake of each kind: its code, the filter, and the byte where it is.
fn mistakes() -> [(&'static str, String, usize); 13] {
    let text = |filter: &str| filter.to_owned();
    let list = vec!["1"; 501].join(",");
    [
        ("empty-filter", text("  "), 2),
        ("text-too-long", format!("tags.a = '{}'", "x".repeat(8_192)), 8_192),
        ("too-many-terms", vec!["tags.a=1"; 101].join(" OR "), 100 * "tags.a=1 OR ".len()),
        ("too-deep", format!("{}tags.a = 1{}", "(".repeat(33), ")".repeat(33)), 32),
        ("list-too-long", format!("tags.a IN [{list}]"), 0),
        ("empty-list", text("tags.a IN []"), 11),
        ("unexpected-character", text("tags.a = \"x\""), 9),
        ("unterminated-string", text("tags.a = 'x"), 9),
        ("not-a-number", text("tags.a = 5kg"), 9),
        ("unknown-field", text("humidity < 35"), 0),
        ("unexpected-token", text("35 > tags.a"), 0),
        ("wrong-operand", text("tags.a < null"), 9),
        ("groups-is-a-list", text("groups = 'east'"), 0),
    ]
}

/// A filter as it stands in a request's line.
fn encoded(filter: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    filter.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The mistake as the problem tells it, with all that helps.
fn assert_helps(problem: &Value, filter: &str, position: usize) {
    let mistake = &problem["errors"][0];
    for field in ["found", "expected", "hint", "example", "detail"] {
        assert!(mistake[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {problem}");
    }
    assert!(Filter::parse(mistake["example"].as_str().unwrap()).is_ok(), "{mistake}");
    let found = usize::try_from(mistake["position"].as_u64().unwrap()).unwrap();
    assert!(found <= filter.len(), "{mistake}");
    assert!(position == 0 || found == position, "{position} in {mistake}");
}

#[tokio::test]
async fn every_mistake_in_a_filter_is_told_with_its_place_what_was_expected_and_an_example() {
    let world = World::new("mistakes").await;
    let path = format!("/v1/groups/{}", unique_thing("group"));
    let mut codes = BTreeSet::new();
    for (code, filter, position) in mistakes() {
        let answer = world.list(Who::User("nobody"), &format!("?filter={}", encoded(&filter))).await;
        assert_eq!(answer.code(), (400, code.to_owned()), "{}", answer.body);
        assert_eq!(answer.json()["errors"][0]["parameter"], "filter");
        assert_helps(&answer.json(), &filter, position);
        let body = json!({ "filter": filter });
        let answer = world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&body)).await;
        assert_eq!(answer.code(), (400, code.to_owned()), "{}", answer.body);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/filter");
        assert_helps(&answer.json(), &filter, position);
        codes.insert(code);
    }
    assert_eq!(codes.len(), 13);
}

#[tokio::test]
async fn a_filter_of_ten_thousand_terms_is_refused_by_a_limit_that_is_stated() {
    let world = World::new("terms").await;
    let path = format!("/v1/groups/{}", unique_thing("group"));
    for (terms, code, limit) in [(10_000, "text-too-long", "8192 bytes"), (101, "too-many-terms", "100 conditions")] {
        let body = json!({ "filter": vec!["tags.a=1"; terms].join(" OR ") });
        let answer = world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&body)).await;
        assert_eq!(answer.code(), (400, code.to_owned()));
        assert!(answer.json()["errors"][0]["expected"].as_str().unwrap().contains(limit), "{}", answer.body);
    }
    let whole = json!({ "filter": vec!["tags.a=1"; 100].join(" OR ") });
    assert_eq!(world.ask(Who::Operator, "PUT /v1/groups/{group}", &path, Some(&whole)).await.status, 201);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_caller_its_route_and_its_query_alone() {
    let world = World::new("cursor").await;
    let (one, other) = (unique_thing("user").to_string(), unique_thing("user").to_string());
    for each in [&world, &world.another("cursor").await] {
        each.deliver([each.shadow(1, &json!({}))]).await;
        each.member(&one, "viewer").await;
        each.member(&other, "viewer").await;
    }
    let first = world.list(Who::User(&one), "?limit=1").await;
    let cursor = first.json()["cursor"].as_str().unwrap().to_owned();
    let again = |cursor: &str| format!("?limit=1&cursor={cursor}");
    let second = world.list(Who::User(&one), &again(&cursor)).await;
    assert_eq!(second.status, 200);
    assert_eq!(world.list(Who::User(&one), &again(&cursor)).await.body, second.body, "it may be used again");
    let mut refused = vec![
        world.list(Who::User(&other), &again(&cursor)).await,
        world.list(Who::Operator, &again(&cursor)).await,
        world.list(Who::User(&one), &format!("?limit=2&cursor={cursor}")).await,
        world.list(Who::User(&one), &format!("?limit=1&count=true&cursor={cursor}")).await,
        world.list(Who::User(&one), &format!("?limit=1&sort=state&cursor={cursor}")).await,
        world.list(Who::User(&one), &format!("?limit=1&filter=deviceId%20!%3D%20'x'&cursor={cursor}")).await,
    ];
    let route = "GET /v1/groups/{group}";
    let group = format!("/v1/groups/{}", unique_thing("group"));
    world.ask(Who::Operator, "PUT /v1/groups/{group}", &group, Some(&json!({}))).await;
    refused.push(world.ask(Who::Operator, route, &format!("{group}{}", again(&cursor)), None).await);
    for forged in forgeries(&cursor) {
        refused.push(world.list(Who::User(&one), &again(&forged)).await);
    }
    for answer in &refused {
        assert_eq!(answer.code(), (400, "invalid-cursor".to_owned()), "{}", answer.body);
        assert_eq!(answer.body, refused[0].body, "no refusal tells more than another");
    }
}

/// The cursor cut, longer, with one character changed anywhere, and of chance.
fn forgeries(cursor: &str) -> Vec<String> {
    let mut all =
        vec!["AAAA".to_owned(), "%00".to_owned(), "null".to_owned(), "A".repeat(cursor.len()), "A".repeat(5_000)];
    all.extend([1, 2, 3, 4, 40].map(|less| cursor[..cursor.len() - less].to_owned()));
    all.extend([format!("{cursor}A"), format!("{cursor}AAAA"), format!("{cursor}%3D"), cursor[4..].to_owned()]);
    for at in (0..cursor.len()).step_by(7) {
        let mut bytes = cursor.as_bytes().to_vec();
        // Its highest bits, so that it is not the one at the end that means nothing.
        bytes[at] = if bytes[at] == b'A' { b'Q' } else { b'A' };
        all.push(String::from_utf8(bytes).unwrap());
    }
    all
}

#[tokio::test]
async fn a_body_or_tags_beyond_the_limit_a_number_as_a_text_and_an_unknown_field_change_nothing() {
    let world = World::new("bodies").await;
    let large = json!({"tags": {"a": "x".repeat(loam_http::MAX_BODY)}});
    assert_eq!(world.patch(Who::Operator, &large, None).await.code(), (413, "body-too-large".to_owned()));
    let group = format!("/v1/groups/{}", unique_thing("group"));
    let described = json!({"description": "x".repeat(loam_http::MAX_BODY)});
    let answer = world.ask(Who::Operator, "PUT /v1/groups/{group}", &group, Some(&described)).await;
    assert_eq!(answer.code(), (413, "body-too-large".to_owned()));
    for (body, code) in [
        (json!({"tags": {"a": "x".repeat(8_192)}}), "invalid-tags"),
        (json!({"tags": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}}), "invalid-tags"),
        (json!({"tags": {"a b": 1}}), "invalid-tags"),
        (json!({"tags": {}, "groups": []}), "invalid-body"),
        (json!({"tags": null, "version": "7"}), "invalid-body"),
        (json!([{"tags": {}}]), "invalid-body"),
    ] {
        assert_eq!(world.patch(Who::Operator, &body, None).await.code(), (400, code.to_owned()), "{body}");
    }
    for (query, parameter) in
        [("?limit=%225%22", "limit"), ("?limit=5.0", "limit"), ("?limit=501", "limit"), ("?count=1", "count")]
    {
        let answer = world.list(Who::User("nobody"), query).await;
        assert_eq!(answer.code(), (400, "invalid-query".to_owned()), "{query}: {}", answer.body);
        assert!(answer.body.contains(parameter), "{}", answer.body);
    }
    assert_eq!(world.show(Who::Operator).await.json()["tags"], json!({}));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_hides_no_other_of_a_members_things() {
    let world = World::new("odd").await;
    let (user, broken) = (unique_thing("user").to_string(), world.another("odd").await);
    for each in [&world, &broken] {
        each.deliver([each.shadow(1, &json!({}))]).await;
        each.member(&user, "viewer").await;
    }
    seed_membership(&world.stack, &user, &unique_thing("odd"), "emperor", 1).await;
    broken.spoil().await;
    let listed = world.list(Who::User(&user), "").await;
    assert_eq!((listed.status, listed.names()), (200, vec![world.thing.to_string()]));
    broken.forget().await;
}
