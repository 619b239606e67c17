//! Calls against grants.

use bytes::Bytes;

use super::*;
use crate::wiretap::{Caller, Resource, Service};

fn call(action: &str, resource: Resource) -> Call {
    Call {
        service: Service::DynamoDb,
        operation: Operation::Known(action.to_owned()),
        needs: vec![Need { action: action.to_owned(), resource }],
        caller: Caller::default(),
        invocation: None,
        method: "POST".into(),
        path: "/".into(),
        body: Bytes::new(),
    }
}

fn table(path: &str) -> Resource {
    Resource::Local { service: "dynamodb", path: format!("table/{path}") }
}

fn arn(path: &str) -> String {
    format!("arn:aws:dynamodb:us-east-1:000000000000:table/{path}")
}

fn statement(allow: bool, actions: &[&str], resources: &[String]) -> Statement {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    Statement { sid: String::new(), allow, actions, resources: resources.to_vec() }
}

fn compare(calls: &[Call], statements: Vec<Statement>) -> TwoWay {
    two_way(calls, &Grants { statements, platform: Vec::new() }, &Account::default())
}

#[test]
fn exactly_what_is_called_and_granted_is_exact() {
    let calls = [call("dynamodb:GetItem", table("t"))];
    let found = compare(&calls, vec![statement(true, &["dynamodb:GetItem"], &[arn("t")])]);
    assert!(found.is_exact(), "{found}");
    assert_eq!(found.to_string(), "0 missing, 0 unused, platform: none");
}

#[test]
fn another_action_or_another_table_is_missing_and_the_grant_unused() {
    let calls = [call("dynamodb:PutItem", table("t")), call("dynamodb:GetItem", table("other"))];
    let found = compare(&calls, vec![statement(true, &["dynamodb:GetItem"], &[arn("t")])]);
    let missing = [format!("dynamodb:GetItem on {}", arn("other")), format!("dynamodb:PutItem on {}", arn("t"))];
    assert_eq!(found.missing, missing);
    assert_eq!(found.unused, [format!("dynamodb:GetItem on {}", arn("t"))]);
}

#[test]
fn a_grant_on_a_table_does_not_cover_its_index_but_a_wildcard_below_it_does() {
    let calls = [call("dynamodb:Query", table("t/index/by-day"))];
    assert_eq!(compare(&calls, vec![statement(true, &["dynamodb:Query"], &[arn("t")])]).missing.len(), 1);
    assert!(compare(&calls, vec![statement(true, &["dynamodb:Query"], &[arn("t/index/*")])]).is_exact());
}

#[test]
fn each_action_on_each_resource_of_a_statement_has_to_be_used() {
    let calls = [call("dynamodb:GetItem", table("a")), call("dynamodb:PutItem", table("b"))];
    let grant = statement(true, &["dynamodb:GetItem", "dynamodb:PutItem"], &[arn("a"), arn("b")]);
    let found = compare(&calls, vec![grant]);
    assert!(found.missing.is_empty());
    assert_eq!(
        found.unused,
        [format!("dynamodb:GetItem on {}", arn("b")), format!("dynamodb:PutItem on {}", arn("a"))]
    );
}

#[test]
fn a_denied_call_is_missing_although_another_statement_allows_it() {
    let calls = [call("dynamodb:GetItem", table("t"))];
    let allow = statement(true, &["dynamodb:*"], &["*".to_owned()]);
    let deny = statement(false, &["dynamodb:GetItem"], &[arn("t")]);
    assert_eq!(compare(&calls, vec![allow, deny]).missing.len(), 1);
}

#[test]
fn an_action_without_a_resource_form_needs_the_star() {
    let calls = [call("s3:ListAllMyBuckets", Resource::Everything)];
    let narrow = statement(true, &["s3:ListAllMyBuckets"], &["arn:aws:s3:::b".to_owned()]);
    assert_eq!(compare(&calls, vec![narrow]).missing, ["s3:ListAllMyBuckets on *"]);
    assert!(compare(&calls, vec![statement(true, &["s3:ListAllMyBuckets"], &["*".to_owned()])]).is_exact());
}

#[test]
fn an_unstated_resource_is_granted_by_any_grant_of_the_action() {
    let calls = [call("kms:Decrypt", Resource::Unstated)];
    let key = "arn:aws:kms:us-east-1:000000000000:key/1".to_owned();
    assert!(compare(&calls, vec![statement(true, &["kms:Decrypt"], &[key])]).is_exact());
    assert_eq!(compare(&calls, Vec::new()).missing.len(), 1);
}

#[test]
fn a_call_that_was_not_understood_is_missing() {
    let mut unknown = call("x:Y", Resource::Unstated);
    unknown.needs.clear();
    unknown.operation = Operation::Unknown("unsigned GET /health".into());
    assert_eq!(compare(&[unknown], Vec::new()).missing, ["not understood: unsigned GET /health"]);
}

#[test]
fn wildcards_match_any_text_and_single_characters() {
    for (pattern, text, expected) in [
        ("a*c", "abbc", true),
        ("a*c", "ac", true),
        ("a?c", "ac", false),
        ("a?c", "abc", true),
        ("*", "", true),
        ("a*", "b", false),
        ("a*b*c", "a-b-b-c", true),
        ("abc", "abcd", false),
    ] {
        assert_eq!(wildcard(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
    }
}
