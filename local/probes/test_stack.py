"""The verbs on a deployed stack: expand, describe, watch and destroy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Local, allow, eventually, verb

_TEMPLATE = """
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters:
  Keep: {Type: String, Default: Delete}
Resources:
  Greeter:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Timeout: 7
      MemorySize: 256
      Environment: {Variables: {TOPIC: !Ref Notices}}
      InlineCode: "def handler(event, context): return event"
  Device:
    Type: AWS::IoT::Policy
    Properties:
      PolicyName: !Sub ${AWS::StackName}-device
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: iot:Connect, Resource: '*'}]
  Readings:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: SELECT * FROM 'stack/+'
        Actions: [{Lambda: {FunctionArn: !GetAtt Greeter.Arn}}]
  Notices: {Type: AWS::SNS::Topic}
  Mailbox:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Notices, Protocol: email, Endpoint: grower@example.com}
  Archive:
    Type: AWS::S3::Bucket
    DeletionPolicy: !Ref Keep
    UpdateReplacePolicy: !Ref Keep
    Properties: {VersioningConfiguration: {Status: Enabled}}
Outputs:
  Topic: {Value: !Ref Notices}
  Bucket: {Value: !Ref Archive}
"""


def _as_admin(local: Local) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": local.key["accessKeyId"], "AWS_SECRET_ACCESS_KEY": local.key["secretAccessKey"],
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL": local.endpoint}


def _deploy(local: Local, keep: str = "Delete") -> str:
    name = local.name("stack")
    local.client("cloudformation").create_stack(
        StackName=name, TemplateBody=_TEMPLATE, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": "Keep", "ParameterValue": keep}])
    waiter = local.client("cloudformation").get_waiter("stack_create_complete")
    waiter.wait(StackName=name, WaiterConfig={"Delay": 1})
    return name


@pytest.fixture
def stack(local: Local) -> Iterator[dict[str, Any]]:
    """A deployed stack as `describe` prints it."""
    name = _deploy(local)
    answer = verb("describe", "--stack", name, **_as_admin(local))
    assert answer.returncode == 0, answer.stderr
    yield {"name": name} | json.loads(answer.stdout)


def test_describe_says_what_a_test_needs(local: Local, stack: dict[str, Any]) -> None:
    assert stack["account"] == ACCOUNT
    assert (stack["region"], stack["endpoint"], stack["mqttPort"]) == (REGION, local.endpoint, local.mqtt_port)
    assert stack["iotEndpoint"].endswith(f"-ats.iot.{REGION}.localhost")
    assert stack["credentialsEndpoint"].endswith(f".credentials.iot.{REGION}.localhost")
    assert stack["credentialsPort"] == local.credentials_port
    assert stack["outputs"]["Bucket"] == stack["resources"]["Archive"]
    greeter = stack["functions"]["Greeter"]
    assert greeter["arn"].endswith(greeter["name"]) and greeter["role"].startswith("arn:aws:iam::")
    assert greeter["environment"] == {"TOPIC": stack["outputs"]["Topic"]}
    assert (greeter["timeout"], greeter["memory"]) == (7, 256)
    assert set(greeter["credentials"]) == {"accessKeyId", "secretAccessKey", "sessionToken"}
    assert stack["rules"]["Readings"]["sql"] == "SELECT * FROM 'stack/+'"


def test_watch_prints_notices_and_archived_objects_and_leaves_nothing(local: Local, stack: dict[str, Any]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "loam_local", "watch", "--stack", stack["name"], "--topic-output", "Topic",
         "--bucket-output", "Bucket"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **_as_admin(local), "PYTHONPATH": str(Path(__file__).parents[1])})
    assert process.stdout and process.stderr
    assert "listening" in process.stderr.readline()
    local.client("sns").publish(TopicArn=stack["outputs"]["Topic"], Subject="Dry", Message="water the fern")
    assert json.loads(process.stdout.readline()) == {
        "kind": "mail", "subject": "Dry", "message": "water the fern", "to": ["grower@example.com"]}
    local.client("s3").put_object(Bucket=stack["outputs"]["Bucket"], Key="a/b", Body=b"four")
    assert json.loads(process.stdout.readline()) == {
        "kind": "archived", "bucket": stack["outputs"]["Bucket"], "key": "a/b", "bytes": 4}
    process.terminate()
    process.wait(10)
    assert not local.client("sqs").list_queues(QueueNamePrefix=stack["name"]).get("QueueUrls")
    left = local.client("sns").list_subscriptions_by_topic(TopicArn=stack["outputs"]["Topic"])["Subscriptions"]
    assert [entry["Protocol"] for entry in left] == ["email"]


def test_destroy_removes_what_holds_the_stack_and_leaves_nothing(local: Local, stack: dict[str, Any],
                                                                 tmp_path: Path) -> None:
    name, bucket = stack["name"], stack["outputs"]["Bucket"]
    verb("seed", "--stack", name, "--policy", f"{name}-device", "--things", local.name("held"), "--out", str(tmp_path),
         **_as_admin(local))
    for body in (b"1", b"2"):
        local.client("s3").put_object(Bucket=bucket, Key="k", Body=body)
    local.client("s3").delete_object(Bucket=bucket, Key="k")
    answer = verb("destroy", "--stack", name, **_as_admin(local))
    assert answer.returncode == 0, answer.stderr
    assert "detached from 1" in answer.stdout and "3 object versions deleted" in answer.stdout
    assert _left(local, name) == []


def test_destroy_keeps_the_contents_of_a_bucket_that_the_template_retains(local: Local) -> None:
    name = _deploy(local, keep="Retain")
    bucket = json.loads(verb("describe", "--stack", name, **_as_admin(local)).stdout)["outputs"]["Bucket"]
    local.client("s3").put_object(Bucket=bucket, Key="k", Body=b"1")
    answer = verb("destroy", "--stack", name, **_as_admin(local))
    assert "kept, because the template says so: Archive" in answer.stdout
    assert local.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    assert _left(local, name) == [bucket]


def _left(local: Local, stack: str) -> list[str]:
    """Everything in the account whose name starts with the stack's."""
    names = [*(b["Name"] for b in local.client("s3").list_buckets()["Buckets"]),
             *(p["policyName"] for p in local.client("iot").list_policies()["policies"]),
             *(r["ruleName"].replace("_", "-") for r in local.client("iot").list_topic_rules()["rules"]),
             *(f["FunctionName"] for f in local.client("lambda").list_functions()["Functions"]),
             *(r["RoleName"] for r in local.client("iam").list_roles()["Roles"]),
             *(t["TopicArn"].rsplit(":", 1)[1] for t in local.client("sns").list_topics()["Topics"]),
             *(g["logGroupName"].rsplit("/", 1)[1] for g in local.client("logs").describe_log_groups()["logGroups"])]
    return [name for name in names if name.lower().startswith(stack)]


def test_destroy_of_an_unknown_stack_says_so(local: Local) -> None:
    answer = verb("destroy", "--stack", "nothing", **_as_admin(local))
    assert answer.returncode == 1 and "[stack-not-found]" in answer.stderr


def test_expand_gives_the_template_as_written_and_as_cloudformation(tmp_path: Path) -> None:
    template, out = tmp_path / "template.yaml", tmp_path / "out.json"
    code = 'InlineCode: "def handler(event, context): return event"'
    template.write_text(_TEMPLATE.replace(code, "CodeUri: code/"))
    answer = verb("expand", str(template), "--out", str(out))
    assert (answer.returncode, answer.stdout) == (0, ""), answer.stderr
    found = json.loads(out.read_text())
    written, expanded = found["sam"]["Resources"], found["cloudformation"]["Resources"]
    assert written["Device"]["Properties"]["PolicyName"] == {"Fn::Sub": "${AWS::StackName}-device"}
    assert written["Greeter"]["Properties"]["CodeUri"] == "code/"
    assert expanded["Greeter"]["Type"] == "AWS::Lambda::Function"
    assert expanded["GreeterRole"]["Type"] == "AWS::IAM::Role"


def test_expand_of_a_broken_template_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("Resources: [")
    answer = verb("expand", str(tmp_path / "t.yaml"))
    assert answer.returncode == 1 and "[template-unreadable]" in answer.stderr


def test_a_policy_that_demands_tls_admits_the_local_aws(local: Local) -> None:
    bucket = local.bucket()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    local.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17",
                                                                           "Statement": [deny]}))
    local.client("s3").put_object(Bucket=bucket, Key="k", Body=b"1")
    role = local.role("iot.amazonaws.com", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    local.rule("SELECT * FROM 'tls'", {"s3": {"bucketName": bucket, "key": "rule", "roleArn": role}})
    local.publish("tls", {})
    assert eventually(lambda: local.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 2)
