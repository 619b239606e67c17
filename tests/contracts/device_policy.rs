//! The fleet's policy: within AWS's limit, and never wider than one thing.

use serde_json::Value;

use crate::template::{Resource, resources};

/// The longest policy that AWS IoT takes, in characters without white space. Source: AWS IoT Core quotas.
const LONGEST: usize = 2048;

fn policy() -> Resource {
    resources("AWS::IoT::Policy").into_iter().find(|policy| policy.id == "DevicePolicy").unwrap()
}

/// The document as AWS stores it, in a partition and region.
fn document(partition: &str, region: &str) -> String {
    fn resolve(value: &Value, partition: &str, region: &str) -> Value {
        match value {
            Value::Object(object) => match object.get("Fn::Sub").and_then(Value::as_str) {
                Some(text) => {
                    let text = text.replace("${AWS::Partition}", partition).replace("${AWS::Region}", region);
                    Value::from(text.replace("${AWS::AccountId}", "123456789012").replace("${!", "${"))
                }
                None => object.iter().map(|(key, value)| (key.clone(), resolve(value, partition, region))).collect(),
            },
            Value::Array(values) => values.iter().map(|value| resolve(value, partition, region)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    resolve(policy().at("/PolicyDocument"), partition, region).to_string()
}

#[test]
fn the_policy_fits_in_the_longest_partition_and_region() {
    for (partition, region) in
        [("aws", "ap-southeast-1"), ("aws-cn", "cn-northwest-1"), ("aws-us-gov", "us-gov-west-1")]
    {
        let document = document(partition, region);
        assert!(!document.contains("AWS::"), "{document}");
        assert!(document.len() <= LONGEST, "{partition} {region}: {} characters", document.len());
    }
}

#[test]
fn every_resource_of_the_policy_is_held_to_the_thing_that_connects() {
    let document: Value = serde_json::from_str(&document("aws", "us-east-1")).unwrap();
    let statements = document.get("Statement").and_then(Value::as_array).unwrap();
    assert!(statements.len() > 2);
    for statement in statements {
        let resources = statement.get("Resource").unwrap();
        let resources = resources.as_array().cloned().unwrap_or_else(|| vec![resources.clone()]);
        for resource in resources {
            let resource = resource.as_str().unwrap();
            assert!(resource.contains("${iot:Connection.Thing.ThingName}"), "{resource} is open to every thing");
        }
        let actions = statement.get("Action").unwrap().to_string();
        assert!(!actions.contains('*'), "{actions}");
    }
}
