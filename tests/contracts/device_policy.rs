//! The fleet's policy: within AWS's limit wherever the stack is deployed, and never wider than one thing.

use serde_json::{Value, json};

use crate::template::{Resource, resources, written};

/// The longest policy that AWS IoT takes, in characters without white space. Source: `CreatePolicy` in the AWS IoT API
/// reference.
const LONGEST: usize = 2048;
/// The longest name of a role alias. Source: `CreateRoleAlias` in the AWS IoT API reference.
const LONGEST_ROLE_ALIAS: usize = 128;
/// The longest region name of each partition. Source: `endpoints.json` of the AWS SDK for Python.
const LONGEST_REGIONS: [(&str, &str); 8] = [
    ("aws", "ap-southeast-1"),
    ("aws-cn", "cn-northwest-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-west-1"),
    ("aws-iso-b", "us-isob-west-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
    ("aws-us-gov", "us-gov-west-1"),
];
const VARIABLE: &str = "${iot:Connection.Thing.ThingName}";

fn policy() -> Resource {
    resources("AWS::IoT::Policy").into_iter().find(|policy| policy.id == "DevicePolicy").unwrap()
}

/// The longest prefix that the parameter's pattern allows.
fn longest_prefix() -> usize {
    let pattern =
        written().pointer("/Parameters/InvokeTopicPrefix/AllowedPattern").and_then(Value::as_str).unwrap().to_owned();
    let (_, most) = pattern.split_once("{1,").unwrap();
    most.trim_end_matches("}$").parse().unwrap()
}

/// The document as AWS stores it, in a partition and region.
fn document(partition: &str, region: &str, prefix: &str) -> Value {
    let text = |text: &str| {
        let text = text.replace("${AWS::Partition}", partition).replace("${AWS::Region}", region);
        let text = text.replace("${AWS::AccountId}", "123456789012").replace("${InvokeTopicPrefix}", prefix);
        text.replace("${!", "${")
    };
    fn resolve(value: &Value, text: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::Object(object) => match object.get("Fn::Sub").and_then(Value::as_str) {
                Some(template) => Value::from(text(template)),
                None => object.iter().map(|(key, value)| (key.clone(), resolve(value, text))).collect(),
            },
            Value::Array(values) => values.iter().map(|value| resolve(value, text)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    resolve(policy().at("/PolicyDocument"), &text)
}

/// The statement that the role alias for files will need, with the longest name that an alias can have.
fn role_alias(partition: &str, region: &str) -> Value {
    let alias = "a".repeat(LONGEST_ROLE_ALIAS);
    let resource = format!("arn:{partition}:iot:{region}:123456789012:rolealias/{alias}");
    json!({ "Effect": "Allow", "Action": "iot:AssumeRoleWithCertificate", "Resource": resource })
}

fn characters(value: &Value) -> usize {
    value.to_string().chars().filter(|character| !character.is_whitespace()).count()
}

#[test]
fn the_policy_fits_everywhere_with_the_longest_prefix_and_the_role_alias_to_come() {
    let prefix = "p".repeat(longest_prefix());
    for (partition, region) in LONGEST_REGIONS {
        let mut document = document(partition, region, &prefix);
        assert!(!document.to_string().contains("AWS::"), "{document}");
        let today = characters(&document);
        document.get_mut("Statement").and_then(Value::as_array_mut).unwrap().push(role_alias(partition, region));
        let with_alias = characters(&document);
        println!("{partition} {region}: {today} characters, {with_alias} with a role alias");
        assert!(with_alias <= LONGEST, "{partition} {region}: {with_alias} characters");
    }
}

#[test]
fn every_resource_of_the_policy_is_held_to_the_thing_that_connects() {
    let document = document("aws", "us-east-1", "loam-invoke");
    let statements = document.get("Statement").and_then(Value::as_array).unwrap();
    assert!(statements.len() > 2);
    for statement in statements {
        let resources = statement.get("Resource").unwrap();
        let resources = resources.as_array().cloned().unwrap_or_else(|| vec![resources.clone()]);
        for resource in resources {
            let resource = resource.as_str().unwrap();
            let (before, _) =
                resource.split_once(VARIABLE).unwrap_or_else(|| panic!("{resource} is open to every thing"));
            assert!(before.ends_with('/'), "{resource}: the name must be a whole level");
        }
        let actions = statement.get("Action").unwrap().to_string();
        assert!(!actions.contains('*'), "{actions}");
    }
}
