//! What devices may: the fleet's policy, within AWS's limit wherever the stack is deployed and never wider than one thing; and
//! the role of those that ask KMS.

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
        text.replace("${FilesRoleAlias}", &"a".repeat(LONGEST_ROLE_ALIAS)).replace("${!", "${")
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

fn characters(value: &Value) -> usize {
    value.to_string().chars().filter(|character| !character.is_whitespace()).count()
}

#[test]
fn the_policy_fits_everywhere_with_the_longest_prefix_and_role_alias() {
    let prefix = "p".repeat(longest_prefix());
    for (partition, region) in LONGEST_REGIONS {
        let document = document(partition, region, &prefix);
        assert!(!document.to_string().contains("AWS::"), "{document}");
        let found = characters(&document);
        assert!(found <= LONGEST, "{partition} {region}: {found} characters");
    }
}

#[test]
fn every_resource_of_the_policy_is_held_to_the_thing_that_connects() {
    let document = document("aws", "us-east-1", "loam-invoke");
    let statements = document.get("Statement").and_then(Value::as_array).unwrap();
    assert!(statements.len() > 2);
    for statement in statements.iter().filter(|statement| !is_of_role_alias(statement)) {
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

/// The one statement without the thing's name, which the credential provider does not know: the role that it leads to has it.
fn is_of_role_alias(statement: &Value) -> bool {
    statement.get("Action").is_some_and(|action| action == "iot:AssumeRoleWithCertificate")
}

#[test]
fn a_device_gets_credentials_by_one_role_alias_and_they_open_the_keys_of_its_own_files_alone() {
    let document = document("aws", "us-east-1", "loam-invoke");
    let statements = document.get("Statement").and_then(Value::as_array).unwrap();
    let aliases: Vec<_> = statements.iter().filter(|statement| is_of_role_alias(statement)).collect();
    let [alias] = aliases.as_slice() else { panic!("{aliases:?}") };
    let arn = format!("arn:aws:iot:us-east-1:123456789012:rolealias/{}", "a".repeat(LONGEST_ROLE_ALIAS));
    assert_eq!(alias.get("Resource"), Some(&json!(arn)));
    let role_aliases = resources("AWS::IoT::RoleAlias");
    let [alias] = role_aliases.as_slice() else { panic!("one alias, or say here which") };
    let role_id = crate::template::target(alias.at("/RoleArn")).unwrap();
    let role = resources("AWS::IAM::Role").into_iter().find(|role| role.id == role_id).unwrap();
    assert_eq!(role.at("/ManagedPolicyArns"), &Value::Null);
    let trusted = role.at("/AssumeRolePolicyDocument/Statement/0/Principal");
    assert_eq!(trusted, &json!({"Service": "credentials.iot.amazonaws.com"}));
    let policies = role.at("/Policies").as_array().unwrap();
    let statements: Vec<_> = policies
        .iter()
        .flat_map(|policy| policy.pointer("/PolicyDocument/Statement").unwrap().as_array().unwrap())
        .collect();
    let [statement] = statements.as_slice() else { panic!("{statements:?}") };
    assert_eq!(statement.get("Action"), Some(&json!("kms:Decrypt")));
    assert_eq!(statement.get("Resource"), Some(&json!({"Fn::GetAtt": ["FilesKey", "Arn"]})));
    let held = json!({
        "StringEquals": {"kms:EncryptionContext:thing": {"Fn::Sub": "${!credentials-iot:ThingName}"}},
        "Null": {"kms:EncryptionContext:use": "true"},
    });
    assert_eq!(statement.get("Condition"), Some(&held));
}
