//! What the rules select.

use serde_json::Value;

use crate::template::{Resource, resources, target};

/// What our own code reads: [`loam_domain::RuleMessage`].
const INTO_OUR_CODE: &str = "SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS clientId, \
                             timestamp() AS receivedAt FROM ";

fn rules() -> Vec<Resource> {
    resources("AWS::IoT::TopicRule")
}

fn sql(rule: &Resource) -> String {
    rule.text("/TopicRulePayload/Sql")
}

#[test]
fn every_rule_states_its_version_its_purpose_and_an_error_action() {
    for rule in rules() {
        assert_eq!(rule.text("/TopicRulePayload/AwsIotSqlVersion"), "2016-03-23", "{}", rule.id);
        assert!(rule.text("/TopicRulePayload/Description").len() > 20, "{} does not say what it is for", rule.id);
        assert_eq!(rule.at("/TopicRulePayload/RuleDisabled"), &Value::Bool(false), "{}", rule.id);
        let queue = target(rule.at("/TopicRulePayload/ErrorAction/Sqs/QueueUrl")).unwrap_or_default();
        assert!(queue.ends_with("DeadLetters"), "{}: a failed action is kept nowhere", rule.id);
    }
}

#[test]
fn a_rule_into_our_own_code_carries_any_bytes() {
    let carries = |rule: &Resource| {
        let actions = rule.at("/TopicRulePayload/Actions").as_array().cloned().unwrap_or_default();
        actions.iter().any(|action| action.get("Lambda").is_some() || action.get("Sqs").is_some())
    };
    let ours: Vec<_> = rules().into_iter().filter(carries).collect();
    assert!(!ours.is_empty());
    for rule in ours {
        // AWS's own events are JSON always; what a device sends may be anything.
        let of_aws = sql(&rule).starts_with("SELECT * FROM '$aws/events/");
        assert!(of_aws || sql(&rule).starts_with(INTO_OUR_CODE), "{}: {}", rule.id, sql(&rule));
    }
}

#[test]
fn the_archive_keeps_the_classic_statement_and_key() {
    let archive = rules().into_iter().find(|rule| rule.id == "ArchiveRule").unwrap();
    assert_eq!(sql(&archive), "SELECT * FROM 'device/+/devicePayload'");
    assert_eq!(archive.text("/TopicRulePayload/Actions/0/S3/Key"), "${topic()}/${timestamp()}");
}
