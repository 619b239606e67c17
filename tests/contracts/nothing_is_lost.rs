//! Every way on which a message can fail ends in a queue that keeps it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::template::{Resource, resources, target};

fn dead_letters() -> BTreeSet<String> {
    let queues = resources("AWS::SQS::Queue").into_iter().map(|queue| queue.id);
    queues.filter(|id| id.ends_with("DeadLetters")).collect()
}

/// The functions that AWS IoT invokes: asynchronously, so that nobody but Lambda sees their failures.
fn invoked_by_rules() -> Vec<String> {
    let invokes = |rule: &Resource| {
        let actions = rule.at("/TopicRulePayload/Actions").as_array().cloned().unwrap_or_default();
        actions.iter().filter_map(|action| target(action.pointer("/Lambda/FunctionArn")?)).collect::<Vec<_>>()
    };
    resources("AWS::IoT::TopicRule").iter().flat_map(invokes).collect()
}

#[test]
fn what_an_asynchronous_function_cannot_do_is_kept() {
    let configs = resources("AWS::Lambda::EventInvokeConfig");
    let functions = invoked_by_rules();
    assert!(!functions.is_empty());
    for function in functions {
        let config = configs.iter().find(|config| target(config.at("/FunctionName")).as_ref() == Some(&function));
        let config = config.unwrap_or_else(|| panic!("{function} has no EventInvokeConfig"));
        let kept = target(config.at("/DestinationConfig/OnFailure/Destination")).unwrap_or_default();
        assert!(dead_letters().contains(&kept), "{function}: {kept:?} is no dead-letter queue");
        assert_eq!(config.at("/MaximumRetryAttempts"), &Value::from(2), "{function}");
        assert!(config.at("/MaximumEventAgeInSeconds").as_u64().unwrap_or(0) >= 3600, "{function}");
    }
}

#[test]
fn aws_iot_may_invoke_each_function_only_for_its_own_rule_and_account() {
    let permissions = resources("AWS::Lambda::Permission");
    for function in invoked_by_rules() {
        let may = permissions.iter().find(|may| target(may.at("/FunctionName")).as_ref() == Some(&function));
        let may = may.unwrap_or_else(|| panic!("AWS IoT may not invoke {function}"));
        assert_eq!(may.text("/Principal"), "iot.amazonaws.com");
        assert!(target(may.at("/SourceArn")).is_some_and(|rule| rule.ends_with("Rule")), "{function}");
        assert_eq!(target(may.at("/SourceAccount")).as_deref(), Some("AWS::AccountId"), "{function}");
    }
}

#[test]
fn a_dead_letter_queue_keeps_for_fourteen_days_and_every_other_queue_has_one() {
    for queue in resources("AWS::SQS::Queue") {
        assert_eq!(queue.at("/SqsManagedSseEnabled"), &Value::Bool(true), "{}", queue.id);
        if dead_letters().contains(&queue.id) {
            assert_eq!(queue.at("/MessageRetentionPeriod"), &Value::from(1_209_600), "{}", queue.id);
        } else {
            let target = target(queue.at("/RedrivePolicy/deadLetterTargetArn")).unwrap_or_default();
            assert!(dead_letters().contains(&target), "{}: {target:?}", queue.id);
        }
    }
}

#[test]
fn what_a_streams_function_cannot_do_comes_again_in_part_and_holds_nothing_up_for_ever() {
    let mappings = resources("AWS::Lambda::EventSourceMapping").into_iter();
    let of_streams: Vec<_> = mappings.filter(|mapping| !mapping.at("/StartingPosition").is_null()).collect();
    assert!(!of_streams.is_empty());
    for mapping in of_streams {
        let kept = target(mapping.at("/DestinationConfig/OnFailure/Destination")).unwrap_or_default();
        assert!(dead_letters().contains(&kept), "{}: {kept:?} is no dead-letter queue", mapping.id);
        assert_eq!(mapping.text("/StartingPosition"), "TRIM_HORIZON", "{}", mapping.id);
        assert_eq!(mapping.at("/FunctionResponseTypes/0"), &Value::from("ReportBatchItemFailures"), "{}", mapping.id);
        assert_eq!(mapping.at("/BisectBatchOnFunctionError"), &Value::Bool(true), "{}", mapping.id);
        // Half of the 24 hours for which the stream has the records is left for replaying them.
        let age = mapping.at("/MaximumRecordAgeInSeconds").as_i64().unwrap_or(-1);
        assert!((3_600..=43_200).contains(&age), "{}: {age} s", mapping.id);
        assert!(mapping.at("/MaximumRetryAttempts").as_i64().unwrap_or(-1) > 0, "{}", mapping.id);
    }
}

#[test]
fn the_relay_hears_of_new_event_items_alone() {
    let mappings = resources("AWS::Lambda::EventSourceMapping");
    let relays = mappings.iter().filter(|of| target(of.at("/FunctionName")).as_deref() == Some("EventRelay"));
    for mapping in relays {
        let pattern: Value = serde_json::from_str(&mapping.text("/FilterCriteria/Filters/0/Pattern")).unwrap();
        let expected = serde_json::json!({"eventName": ["INSERT"],
            "dynamodb": {"Keys": {"item": {"S": [{"prefix": "event#"}]}}}});
        assert_eq!(pattern, expected, "{}", mapping.id);
    }
}
