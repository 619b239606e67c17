"""`replay`: every shape of a dead letter goes back to where it failed, or stays and is named."""

import base64
import json
from typing import Any

import pytest
from conftest import Local, REGION, eventually, verb

_TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  SoilAlerts:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            print("ran", event["n"])
  Rule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: SELECT n, topic() AS topic FROM 'replay/+'
        Actions: [{S3: {BucketName: !Ref Archive, Key: '${topic()}', RoleArn: !GetAtt Role.Arn}}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: sts:AssumeRole, Principal: {Service: iot.amazonaws.com}}]
      Policies:
        - PolicyName: archive
          PolicyDocument:
            Version: '2012-10-17'
            Statement: [{Effect: Allow, Action: s3:PutObject, Resource: !Sub '${Archive.Arn}/*'}]
  Archive: {Type: AWS::S3::Bucket}
  DeadLetters: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt WorkDeadLetters.Arn, maxReceiveCount: 3}
  WorkDeadLetters: {Type: AWS::SQS::Queue}
"""


@pytest.fixture(scope="module")
def stack(local: Local) -> dict[str, Any]:
    """The stack's resources, and its name."""
    name, cloudformation = local.name("stack"), local.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=_TEMPLATE,
                                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    found = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {"name": name} | {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found}


def _replay(local: Local, stack: dict[str, Any], letter: Any, queue: str = "DeadLetters", *options: str) -> str:
    body = letter if isinstance(letter, str) else json.dumps(letter)
    local.client("sqs").send_message(QueueUrl=stack[queue], MessageBody=body)
    answer = verb("replay", "--stack", stack["name"], *options, AWS_ACCESS_KEY_ID=local.key["accessKeyId"],
                  AWS_SECRET_ACCESS_KEY=local.key["secretAccessKey"], AWS_REGION=REGION,
                  AWS_ENDPOINT_URL=local.endpoint)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def _ran(local: Local, stack: dict[str, Any], n: int) -> None:
    def look() -> Any:
        try:
            return local.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack['SoilAlerts']}",
                                                          filterPattern=f"ran {n}")["events"]
        except local.client("logs").exceptions.ResourceNotFoundException:
            return None
    assert eventually(look)


def _rule_letter(stack: dict[str, Any], payload: bytes) -> dict[str, Any]:
    return {"ruleName": stack["Rule"], "topic": "replay/fern", "failures": [{"failedAction": "S3Action"}],
            "base64OriginalPayload": base64.b64encode(payload).decode()}


def test_a_rules_failed_message_goes_to_that_rule_again(local: Local, stack: dict[str, Any]) -> None:
    said = _replay(local, stack, _rule_letter(stack, b'{"n": 1}'))
    assert "[S3Action] replayed" in said and "1 replayed, 0 left" in said
    eventually(lambda: local.client("s3").list_objects_v2(Bucket=stack["Archive"]).get("Contents"))
    body = local.client("s3").get_object(Bucket=stack["Archive"], Key="replay/fern")["Body"].read()
    assert json.loads(body) == {"n": 1, "topic": "replay/fern"}


def test_a_functions_failed_event_is_invoked_again(local: Local, stack: dict[str, Any]) -> None:
    arn = f"arn:aws:lambda:{REGION}:000000000000:function:{stack['SoilAlerts']}:$LATEST"
    letter = {"version": "1.0", "requestPayload": {"n": 2},
              "requestContext": {"functionArn": arn, "condition": "RetriesExhausted"}}
    assert "[RetriesExhausted] replayed" in _replay(local, stack, letter)
    _ran(local, stack, 2)


def test_a_refused_event_stays_unless_it_is_asked_for(local: Local, stack: dict[str, Any]) -> None:
    letter = {"keptBy": "soil-alerts", "code": "not-json", "detail": "d", "keptAt": 1, "event": {"n": 3}}
    assert "refused by soil-alerts [not-json] left" in _replay(local, stack, letter)
    said = _replay(local, stack, letter, "DeadLetters", "--kept")
    assert "2 replayed, 0 left" in said
    _ran(local, stack, 3)


def test_a_dry_run_changes_nothing(local: Local, stack: dict[str, Any]) -> None:
    assert "0 replayed, 1 left" in _replay(local, stack, _rule_letter(stack, b"{}"), "DeadLetters", "--dry-run")
    assert "base64OriginalPayload" in local.received(stack["DeadLetters"])


def test_a_message_that_was_received_too_often_goes_back_to_its_queue(local: Local, stack: dict[str, Any]) -> None:
    assert "[too-many-receives] replayed" in _replay(local, stack, {"any": 1}, "WorkDeadLetters")
    assert local.received(stack["Work"]) == {"any": 1}


def test_a_letter_of_unknown_shape_stays(local: Local, stack: dict[str, Any]) -> None:
    assert "[unknown-letter] left" in _replay(local, stack, "no JSON")
    local.client("sqs").purge_queue(QueueUrl=stack["DeadLetters"])


def test_no_payload_is_printed(local: Local, stack: dict[str, Any]) -> None:
    assert "secret" not in _replay(local, stack, _rule_letter(stack, b'{"n": "secret"}'))
