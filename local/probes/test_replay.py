"""`replay`: every shape of a dead letter goes back to where it failed, or stays and is named."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ACCOUNT, Local, REGION, eventually, verb

_SELECT = ("SELECT encode(*, ''base64'') AS payload, topic() AS topic, clientid() AS clientId, "
           "timestamp() AS receivedAt FROM ''replay/+/reading''")
_STREAM = ("SELECT *, newuuid() AS requestId, clientid() AS clientId, timestamp() AS timestamp, topic(2) AS deviceId "
           "FROM ''replay/+/reading'' WHERE n > 1")
_TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Globals: {{Function: {{Runtime: python3.11, Handler: index.handler}}}}
Resources:
  SoilAlerts:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            print(json.dumps({{"seen": event}}))
  Failing:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): raise ValueError"
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt SoilDeadLetters.Arn}}}}
  Telemetry:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return None"
      Events: {{Messages: {{Type: SQS, Properties: {{Queue: !GetAtt Work.Arn, Enabled: false}}}}}}
  Things:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      StreamSpecification: {{StreamViewType: NEW_IMAGE}}
      AttributeDefinitions: [{{AttributeName: item, AttributeType: S}}]
      KeySchema: [{{AttributeName: item, KeyType: HASH}}]
  Halting:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return {{'batchItemFailures': [{{'itemIdentifier': '1'}}]}}"
  SoilDeadLetters: {{Type: AWS::SQS::Queue}}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 0
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt WorkDeadLetters.Arn, maxReceiveCount: 3}}
  WorkDeadLetters: {{Type: AWS::SQS::Queue}}
  Archive: {{Type: AWS::S3::Bucket, Properties: {{VersioningConfiguration: {{Status: Enabled}}}}}}
  Stream: {{Type: AWS::Kinesis::Stream, Properties: {{ShardCount: 1}}}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{{Effect: Allow, Action: sts:AssumeRole, Principal: {{Service: iot.amazonaws.com}}}}]
  FunctionRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload: {{Sql: '{_SELECT}', Actions: [{{Lambda: {{FunctionArn: !GetAtt SoilAlerts.Arn}}}}]}}
  ManyRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: '{_SELECT}'
        Actions:
          - Sqs: {{QueueUrl: !Ref Work, RoleArn: !GetAtt Role.Arn}}
          - Lambda: {{FunctionArn: !GetAtt SoilAlerts.Arn}}
          - Republish: {{Topic: elsewhere, RoleArn: !GetAtt Role.Arn}}
  ArchiveRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: SELECT * FROM 'replay/+/reading'
        Actions: [{{S3: {{BucketName: !Ref Archive, Key: '${{topic()}}/${{timestamp()}}', RoleArn: !GetAtt Role.Arn}}}}]
  LostRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: SELECT * FROM 'replay/+/reading'
        Actions: [{{S3: {{BucketName: a-bucket-that-nobody-made, Key: k, RoleArn: !GetAtt Role.Arn}}}}]
  OddRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: SELECT n + 1 AS more FROM 'replay/+/reading'
        Actions: [{{Sqs: {{QueueUrl: !Ref Work, RoleArn: !GetAtt Role.Arn}}}}]
  StreamRule:
    Type: AWS::IoT::TopicRule
    Properties:
      TopicRulePayload:
        Sql: '{_STREAM}'
        Actions:
          - Kinesis: {{StreamName: !Ref Stream, PartitionKey: '${{topic(2)}}', RoleArn: !GetAtt Role.Arn}}
"""
_DONE, _STUCK = 0, 3
_NOT_JSON = b"\xff humidity=20"
_DELIVERY = "it came from here"


@pytest.fixture(scope="module")
def deployed(local: Local) -> dict[str, str]:
    """The stack's resources, and its name."""
    name, cloudformation = local.name("stack"), local.client("cloudformation")
    cloudformation.create_stack(StackName=name, TemplateBody=_TEMPLATE,
                                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    found = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {"name": name} | {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found}


@pytest.fixture
def stack(local: Local, deployed: dict[str, str]) -> Iterator[dict[str, str]]:
    """The stack with empty queues."""
    yield deployed
    for queue in ("SoilDeadLetters", "Work", "WorkDeadLetters"):
        local.client("sqs").purge_queue(QueueUrl=deployed[queue])


def _put(local: Local, stack: dict[str, str], *letters: Any, queue: str = "SoilDeadLetters", **more: Any) -> None:
    for letter in letters:
        body = letter if isinstance(letter, str) else json.dumps(letter)
        local.client("sqs").send_message(QueueUrl=stack[queue], MessageBody=body, **more)


def _run(local: Local, stack: dict[str, str], *options: str) -> "subprocess.CompletedProcess[str]":
    return verb("replay", "--stack", stack["name"], *options, AWS_ACCESS_KEY_ID=local.key["accessKeyId"],
                AWS_SECRET_ACCESS_KEY=local.key["secretAccessKey"], AWS_REGION=REGION, AWS_ENDPOINT_URL=local.endpoint)


def _replayed(local: Local, stack: dict[str, str], *options: str, status: int = _DONE) -> str:
    """What a run printed: words apart by one blank each."""
    answer = _run(local, stack, *options)
    assert answer.returncode == status, answer.stderr + answer.stdout
    return re.sub(r"[ \n]+", " ", answer.stdout)


def _seen(local: Local, stack: dict[str, str], mark: str) -> list[Any]:
    """The events with this mark that SoilAlerts ran with, at least one."""
    def look() -> Any:
        try:
            found = local.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{stack['SoilAlerts']}")["events"]
        except local.client("logs").exceptions.ResourceNotFoundException:
            return None
        return [json.loads(e["message"])["seen"] for e in found if mark in e["message"] and '"seen"' in e["message"]]
    return eventually(look)


def _visible(local: Local, stack: dict[str, str], queue: str = "SoilDeadLetters") -> int:
    name = "ApproximateNumberOfMessages"
    asked = local.client("sqs").get_queue_attributes(QueueUrl=stack[queue], AttributeNames=[name])
    return int(asked["Attributes"][name])


def _failed_action(stack: dict[str, str], rule: str, *actions: str, thing: str = "fern",
                   payload: bytes = _NOT_JSON) -> dict[str, Any]:
    return {"ruleName": stack.get(rule, rule), "topic": f"replay/{thing}/reading", "clientId": thing, "sourceIp": "::1",
            "cloudwatchTraceId": "t", "base64OriginalPayload": base64.b64encode(payload).decode(),
            "failures": [{"failedAction": one, "failedResource": "r", "errorMessage": "no"} for one in actions]}


def _record(stack: dict[str, str], function: str, event: Any) -> dict[str, Any]:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{stack.get(function, function)}:$LATEST"
    return {"version": "1.0", "requestPayload": event, "responsePayload": None,
            "requestContext": {"functionArn": arn, "condition": "RetriesExhausted"}}


def _refusal(event: Any, by: str = "soil-alerts", code: str = "not-json") -> dict[str, Any]:
    return {"keptBy": by, "code": code, "detail": "d", "keptAt": 1, "event": event}


def test_a_failed_lambda_action_invokes_with_what_the_select_clause_makes(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _failed_action(stack, "FunctionRule", "LambdaAction", thing="moss"))
    assert "1 found, 1 handed over, 0 left 1 LambdaAction done again" in _replayed(local, stack)
    (event,) = _seen(local, stack, "moss")
    assert isinstance(event.pop("receivedAt"), int)
    assert event == {"payload": base64.b64encode(_NOT_JSON).decode(), "topic": "replay/moss/reading",
                     "clientId": "moss"}
    assert local.is_empty(stack["SoilDeadLetters"])


def test_only_the_failed_action_is_done_again(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _failed_action(stack, "ManyRule", "SqsAction", thing="only"),
         _failed_action(stack, "FunctionRule", "LambdaAction", thing="later-only"))
    _replayed(local, stack)
    assert local.received(stack["Work"])["topic"] == "replay/only/reading"
    assert [event["clientId"] for event in _seen(local, stack, "only")] == ["later-only"]


def test_a_failed_s3_action_stores_the_bytes_under_topic_and_the_letters_time(
        local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _failed_action(stack, "ArchiveRule", "S3Action"))
    letter = local.client("sqs").receive_message(QueueUrl=stack["SoilDeadLetters"], VisibilityTimeout=0,
                                                 MessageSystemAttributeNames=["SentTimestamp"])["Messages"][0]
    _replayed(local, stack)
    key = f"replay/fern/reading/{letter['Attributes']['SentTimestamp']}"
    assert local.client("s3").get_object(Bucket=stack["Archive"], Key=key)["Body"].read() == _NOT_JSON


def test_a_failed_kinesis_action_puts_the_enriched_record(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _failed_action(stack, "StreamRule", "KinesisAction", payload=b'{"n": 2}'))
    _replayed(local, stack)
    kinesis = local.client("kinesis")
    shard = kinesis.list_shards(StreamName=stack["Stream"])["Shards"][0]["ShardId"]
    start = kinesis.get_shard_iterator(StreamName=stack["Stream"], ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
    data = json.loads(record["Data"])
    assert record["PartitionKey"] == "fern" and len(data.pop("requestId")) == 36 and data.pop("timestamp") > 1
    assert data == {"n": 2, "clientId": "fern", "deviceId": "fern"}


@pytest.mark.parametrize(("rule", "actions", "told"), [
    ("a_rule_that_is_gone", ["LambdaAction"], "rule-gone (a_rule_that_is_gone)"),
    ("FunctionRule", ["SqsAction"], "action-gone (SqsAction)"),
    ("ManyRule", ["SqsAction", "RepublishAction"], "action-not-known (RepublishAction)"),
    ("OddRule", ["SqsAction"], "sql-not-understood"),
    ("StreamRule", ["KinesisAction"], "payload-not-json"),
    ("LostRule", ["S3Action"], "not-accepted (NoSuchBucket)"),
    ("FunctionRule", [], "malformed-error-document"),
])
def test_what_cannot_be_done_again_stays_visible_and_is_told(local: Local, stack: dict[str, str], rule: str,
                                                             actions: list[str], told: str) -> None:
    _put(local, stack, _failed_action(stack, rule, *actions))
    assert f"1 found, 0 handed over, 1 left 1 left: {told}" in _replayed(local, stack, status=_STUCK)
    assert _visible(local, stack) == 1
    assert local.is_empty(stack["Work"])


def test_a_failed_invocation_is_invoked_with_its_event(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _record(stack, "SoilAlerts", {"mark": "again"}))
    assert "1 function invoked" in _replayed(local, stack)
    assert _seen(local, stack, "again") == [{"mark": "again"}]


def test_a_function_that_the_stack_does_not_have_is_not_invoked(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _record(stack, "somebody-elses", {}))
    assert "left: function-gone (somebody-elses)" in _replayed(local, stack, status=_STUCK)


def test_a_record_without_its_event_stays(local: Local, stack: dict[str, str]) -> None:
    letter = _record(stack, "SoilAlerts", {})
    del letter["requestPayload"]
    _put(local, stack, letter)
    assert "left: record-without-event" in _replayed(local, stack, status=_STUCK)


def _given_up(local: Local, stack: dict[str, str], function: str, **changed: str) -> dict[str, Any]:
    """The letter about two new items of the table, as Lambda sends it; an item stands before them and one behind."""
    dynamodb, streams = local.client("dynamodb"), local.client("dynamodbstreams")
    items = [local.name("event") for _ in range(4)]
    for item in items:
        dynamodb.put_item(TableName=stack["Things"], Item={"item": {"S": item}})
    stream = dynamodb.describe_table(TableName=stack["Things"])["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    numbers = {record["dynamodb"]["Keys"]["item"]["S"]: record["dynamodb"]["SequenceNumber"] for record in records}
    return {"requestContext": {"functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"},
            "DDBStreamBatchInfo": {"shardId": shard, "streamArn": stream, "batchSize": 2,
                                   "startSequenceNumber": numbers[items[1]],
                                   "endSequenceNumber": numbers[items[2]]} | changed,
            "probe": items[1:3]}


def test_a_batch_of_a_stream_that_was_given_up_is_read_from_the_stream(local: Local, stack: dict[str, str]) -> None:
    letter = _given_up(local, stack, stack["SoilAlerts"])
    _put(local, stack, letter)
    assert "1 records read from the stream, function invoked" in _replayed(local, stack)
    (event,) = _seen(local, stack, letter["probe"][0])
    assert [record["dynamodb"]["Keys"]["item"]["S"] for record in event["Records"]] == letter["probe"]
    assert {record["eventName"] for record in event["Records"]} == {"INSERT"}


def test_a_batch_whose_records_the_stream_has_no_more_stays(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _given_up(local, stack, stack["SoilAlerts"], startSequenceNumber="1".zfill(21)))
    assert "left: records-gone" in _replayed(local, stack, status=_STUCK)


@pytest.mark.parametrize(("changed", "code"), [
    ({"startSequenceNumber": "x"}, "record-without-place"),
    ({"streamArn": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/of-another/stream/now"}, "table-gone (of-another)"),
])
def test_a_batch_of_no_stream_of_the_stack_stays(local: Local, stack: dict[str, str], changed: dict[str, str],
                                                 code: str) -> None:
    _put(local, stack, _given_up(local, stack, stack["SoilAlerts"], **changed))
    assert f"left: {code}" in _replayed(local, stack, status=_STUCK)


def test_a_batch_of_which_a_part_fails_again_stays(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _given_up(local, stack, stack["Halting"]))
    assert "left: not-accepted (batchItemFailures)" in _replayed(local, stack, status=_STUCK)


def test_refused_events_stay_counted_by_code_and_are_not_stuck(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _refusal({}), _refusal({}), _refusal({}, code="too-deep"))
    said = _replayed(local, stack)
    assert "3 found, 0 handed over, 3 left 2 left: refused (not-json) 1 left: refused (too-deep)" in said
    assert _visible(local, stack) == 3


def test_a_refused_event_goes_to_its_function_when_asked_for(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _refusal({"mark": "mended"}))
    assert "refused event, function invoked" in _replayed(local, stack, "--refused")
    assert _seen(local, stack, "mended") == [{"mark": "mended"}]


@pytest.mark.parametrize("event", [{"payload": "e30="}, "no json at all", {"lone": "\ud800"}])
def test_a_refused_event_of_a_function_that_a_queue_feeds_goes_to_that_queue(local: Local, stack: dict[str, str],
                                                                             event: Any) -> None:
    _put(local, stack, _refusal(event, by="telemetry"), queue="WorkDeadLetters")
    assert "refused event, sent to its queue" in _replayed(local, stack, "--refused")
    (message,) = local.client("sqs").receive_message(QueueUrl=stack["Work"])["Messages"]
    assert (json.loads(message["Body"]) if isinstance(event, dict) else message["Body"]) == event


def test_a_refusal_of_a_function_that_is_gone_stays(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _refusal({}, by="long-gone"))
    assert "left: function-gone (long-gone)" in _replayed(local, stack, "--refused", status=_STUCK)


@pytest.mark.parametrize("body", ['{"payload": "e30=", "topic": "t"}', "no JSON", '{"keptBy": "whoever sent it"}'])
def test_a_message_that_sqs_moved_goes_back_to_its_queue_as_it_was(local: Local, stack: dict[str, str],
                                                                   body: str) -> None:
    sqs = local.client("sqs")
    _put(local, stack, body, queue="Work", MessageAttributes={"a": {"DataType": "String", "StringValue": _DELIVERY}})
    eventually(lambda: "Messages" not in sqs.receive_message(QueueUrl=stack["Work"]))
    assert "1 sent back to its queue" in _replayed(local, stack)
    (message,) = sqs.receive_message(QueueUrl=stack["Work"], MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]["a"]["StringValue"]) == (body, _DELIVERY)
    assert local.is_empty(stack["WorkDeadLetters"])


def test_a_letter_of_unknown_shape_in_a_queue_without_a_source_stays(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, "no JSON", {"any": 1}, [1])
    assert "3 left: unknown-letter" in _replayed(local, stack, status=_STUCK)


def test_a_mixed_queue_is_drained_and_a_second_run_does_nothing_again(local: Local, stack: dict[str, str]) -> None:
    letters = [{"payload": "e30=", "n": n} for n in range(21)]
    _put(local, stack, *letters, _failed_action(stack, "ManyRule", "SqsAction"), _refusal({}, by="telemetry"),
         _record(stack, "SoilAlerts", {"mark": "mixed"}), _failed_action(stack, "LostRule", "S3Action"),
         queue="WorkDeadLetters")
    said = _replayed(local, stack, status=_STUCK)
    assert ("WorkDeadLetters: 25 found, 23 handed over, 2 left 1 SqsAction done again 1 function invoked "
            "21 sent back to its queue 1 left: not-accepted (NoSuchBucket) 1 left: refused (not-json)") in said
    assert _visible(local, stack, "WorkDeadLetters") == 2
    assert _visible(local, stack, "Work") == 22
    assert "2 found, 0 handed over, 2 left" in _replayed(local, stack, status=_STUCK)
    assert _visible(local, stack, "Work") == 22


def test_a_dry_run_changes_nothing(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _failed_action(stack, "ManyRule", "SqsAction"), _refusal({}))
    said = _replayed(local, stack, "--dry-run", "--refused")
    assert "2 found, 2 would be handed over, 0 left" in said
    assert _visible(local, stack) == 2
    assert local.is_empty(stack["Work"])


def test_what_fails_again_is_a_letter_for_the_next_run_and_the_run_ends(local: Local, stack: dict[str, str]) -> None:
    _put(local, stack, _record(stack, "Failing", {"mark": "hopeless"}))
    _replayed(local, stack)
    assert eventually(lambda: _visible(local, stack) == 1)


def test_no_payload_is_printed(local: Local, stack: dict[str, str]) -> None:
    secret = "hunter2"
    _put(local, stack, secret, _refusal({"n": secret}, code=f"a {secret}"),
         _record(stack, f"a {secret}", {"n": secret}),
         _failed_action(stack, f"a {secret}", f"a {secret}", payload=secret.encode()),
         _failed_action(stack, "LostRule", "S3Action", payload=secret.encode()))
    answer = _run(local, stack)
    assert answer.returncode == _STUCK and "[letters-left]" in answer.stderr
    assert secret not in answer.stdout + answer.stderr


def test_an_unknown_stack_is_told(local: Local) -> None:
    answer = _run(local, {"name": "nothing"})
    assert answer.returncode == 1 and "[stack-not-found]" in answer.stderr
