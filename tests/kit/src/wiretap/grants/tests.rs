//! Roles as the SAM translator writes them.

use serde_json::json;

use super::*;

fn names() -> Names {
    let arns = [
        ("Rules", "arn:aws:dynamodb:eu-central-1:111122223333:table/stack-Rules-1X"),
        ("Queue", "arn:aws:sqs:eu-central-1:111122223333:stack-Queue-2Y"),
        ("Alerts", "arn:aws:sns:eu-central-1:111122223333:stack-Alerts-3Z"),
        ("Archive", "arn:aws:s3:::stack-archive-4w"),
    ];
    Names {
        arns: arns.map(|(id, arn)| (id.to_owned(), arn.to_owned())).into(),
        account: Account { region: "eu-central-1".into(), id: "111122223333".into(), ..Account::default() },
        stack: "stack".into(),
        ..Names::default()
    }
}

fn template(policies: &Value) -> Value {
    json!({ "cloudformation": {
        "Parameters": { "Prefix": { "Type": "String", "Default": "loam" } },
        "Resources": {
            "Fn": { "Type": "AWS::Lambda::Function", "Properties": { "Role": { "Fn::GetAtt": ["FnRole", "Arn"] } } },
            "FnRole": { "Type": "AWS::IAM::Role", "Properties": {
                "ManagedPolicyArns": [
                    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
                    { "Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AWSXrayWriteOnlyAccess" },
                ],
                "Policies": policies,
            } },
        },
    } })
}

fn statements(statement: &Value) -> Result<Vec<Statement>, GrantError> {
    let policies = json!([{ "PolicyName": "FnRolePolicy0", "PolicyDocument": { "Statement": statement } }]);
    Grants::from_template(&template(&policies), "Fn", &names()).map(|grants| grants.statements)
}

fn resource(value: &Value) -> Result<String, GrantError> {
    let statement = json!({ "Effect": "Allow", "Action": "x:Y", "Resource": value });
    statements(&statement).map(|mut read| read.remove(0).resources.remove(0))
}

#[test]
fn a_statement_is_read_with_its_actions_and_resources() {
    let statement = json!([{ "Sid": "Read", "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"],
        "Resource": [{ "Fn::GetAtt": ["Rules", "Arn"] }, { "Fn::Sub": "${Rules.Arn}/index/*" }] }]);
    let arn = names().arns.remove("Rules").unwrap();
    let expected = Statement {
        sid: "Read".into(),
        allow: true,
        actions: vec!["dynamodb:GetItem".into(), "dynamodb:Query".into()],
        resources: vec![arn.clone(), format!("{arn}/index/*")],
    };
    assert_eq!(statements(&statement), Ok(vec![expected]));
}

#[test]
fn references_are_resolved_in_each_of_their_forms() {
    let cases = [
        (json!({ "Ref": "Alerts" }), "arn:aws:sns:eu-central-1:111122223333:stack-Alerts-3Z"),
        (json!({ "Fn::GetAtt": "Queue.Arn" }), "arn:aws:sqs:eu-central-1:111122223333:stack-Queue-2Y"),
        (json!({ "Fn::Sub": "arn:${AWS::Partition}:s3:::${Archive}/*" }), "arn:aws:s3:::stack-archive-4w/*"),
        (
            json!({ "Fn::Join": ["/", [{ "Fn::GetAtt": ["Archive", "Arn"] }, "device/*"]] }),
            "arn:aws:s3:::stack-archive-4w/device/*",
        ),
        (
            json!({ "Fn::Sub": ["arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:${name}", { "name": { "Fn::GetAtt": ["Queue", "QueueName"] } }] }),
            "arn:aws:sqs:eu-central-1:111122223333:stack-Queue-2Y",
        ),
        (
            json!({ "Fn::Sub": "arn:aws:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Rules}" }),
            "arn:aws:dynamodb:eu-central-1:111122223333:table/stack-Rules-1X",
        ),
        (
            json!({ "Fn::Sub": "arn:aws:iot:*:*:topic/${Prefix}/${!iot:Name}" }),
            "arn:aws:iot:*:*:topic/loam/${iot:Name}",
        ),
    ];
    for (value, expected) in cases {
        assert_eq!(resource(&value).as_deref(), Ok(expected), "{value}");
    }
}

#[test]
fn a_reference_without_a_value_is_an_error_and_not_left_out() {
    assert_eq!(resource(&json!({ "Ref": "Nobody" })), Err(GrantError::Unresolved("Nobody".into())));
    let attribute = json!({ "Fn::GetAtt": ["Rules", "StreamArn"] });
    assert_eq!(resource(&attribute), Err(GrantError::Unresolved("Rules.StreamArn".into())));
    let statement = json!({ "Effect": "Allow", "NotAction": "x:Y", "Resource": "*" });
    assert!(matches!(statements(&statement), Err(GrantError::Unsupported(_))));
}

#[test]
fn a_conditional_statement_counts_when_its_condition_holds() {
    let statement = json!([{ "Fn::If": ["HasStream",
        { "Effect": "Allow", "Action": "kinesis:PutRecord", "Resource": "*" }, { "Ref": "AWS::NoValue" }] }]);
    assert_eq!(statements(&statement), Err(GrantError::Unresolved("condition HasStream".into())));
    for (holds, count) in [(true, 1), (false, 0)] {
        let names = Names { conditions: [("HasStream".to_owned(), holds)].into(), ..names() };
        let policies = json!([{ "PolicyName": "P", "PolicyDocument": { "Statement": statement } }]);
        assert_eq!(Grants::from_template(&template(&policies), "Fn", &names).unwrap().statements.len(), count);
    }
}

#[test]
fn what_the_platform_uses_is_listed_apart() {
    let send =
        json!({ "Statement": [{ "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": { "Ref": "Nobody" } }] });
    let policies = json!([
        { "PolicyName": "DeadLetterQueuePolicy", "PolicyDocument": send },
        { "PolicyName": "FnEventInvokeConfigOnFailureSQSPolicy", "PolicyDocument": send },
    ]);
    let grants = Grants::from_template(&template(&policies), "Fn", &names()).unwrap();
    assert!(grants.statements.is_empty());
    let expected = [
        "AWSLambdaBasicExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "DeadLetterQueuePolicy",
        "FnEventInvokeConfigOnFailureSQSPolicy",
    ];
    assert_eq!(grants.platform, expected);
}

#[test]
fn a_policy_resource_that_names_the_role_counts() {
    let mut template = template(&json!([]));
    let policy = json!({ "Type": "AWS::IAM::Policy", "Properties": { "PolicyName": "Apart", "Roles": [{ "Ref": "FnRole" }],
        "PolicyDocument": { "Statement": { "Effect": "Deny", "Action": "x:Y", "Resource": "*" } } } });
    template["cloudformation"]["Resources"]["Apart"] = policy;
    let grants = Grants::from_template(&template, "Fn", &names()).unwrap();
    assert_eq!(grants.statements.iter().map(|statement| statement.allow).collect::<Vec<_>>(), [false]);
}

#[test]
fn a_function_that_is_not_there_is_an_error() {
    let found = Grants::from_template(&template(&json!([])), "Other", &names());
    assert_eq!(found, Err(GrantError::Missing("Other".into())));
}
