//! Two stacks in one account and region: no name collides, and destroying one leaves nothing of it behind.

use std::collections::BTreeSet;

use loam_kit::{Stack, deploy_beside, describe, destroy};
use serde_json::Value;

/// Resources whose names are those within their own API or user pool, and the same in every stack.
const NAMED_WITHIN: [&str; 3] = ["HttpApiDefaultStage", "HttpApiProdStage", "OperatorsGroup"];

/// What a stack's names are told from, in each service that it uses.
async fn names_of(stack: &Stack, prefix: &str) -> BTreeSet<String> {
    let sdk = stack.admin().await;
    let tables =
        aws_sdk_dynamodb::Client::new(&sdk).list_tables().send().await.unwrap().table_names.unwrap_or_default();
    let queues = aws_sdk_sqs::Client::new(&sdk).list_queues().send().await.unwrap().queue_urls.unwrap_or_default();
    let topics = aws_sdk_sns::Client::new(&sdk).list_topics().send().await.unwrap().topics.unwrap_or_default();
    let topics = topics.into_iter().filter_map(|topic| topic.topic_arn);
    let last = |name: String| name.rsplit(['/', ':']).next().map(str::to_owned);
    let names = tables.into_iter().chain(queues).chain(topics).filter_map(last);
    names.filter(|name| name.starts_with(&format!("{prefix}-"))).collect()
}

#[tokio::test]
async fn a_second_stack_deploys_beside_the_first_and_leaves_nothing_behind() {
    let stack = Stack::deployed();
    let id = loam_kit::unique_thing("second").to_string();
    let second = deploy_beside(&stack, &id, &["TelemetryStream=on", "AlertMode=classic"]).await;
    let resources = second.get("resources").and_then(Value::as_object).unwrap();
    assert!(resources.len() > stack.resources.len(), "with the stream there are more of them");
    for (logical, physical) in resources.iter().filter(|(logical, _)| !NAMED_WITHIN.contains(&logical.as_str())) {
        assert_ne!(stack.resources.get(logical).map(String::as_str), physical.as_str(), "{logical} is shared");
    }
    assert!(names_of(&stack, &id).await.len() >= 8);
    destroy(&stack, &id).await;
    assert_eq!(names_of(&stack, &id).await, BTreeSet::new());
    assert!(!describe(&stack, &id).await.status.success());
    assert!(describe(&stack, &stack.stack).await.status.success(), "the first one still stands");
}
