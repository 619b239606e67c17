"""What AWS documents about rule actions, and the emulator alone does not do."""

import base64
import re
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Local, allow, eventually


def _archive(local: Local, key: str, **more: Any) -> tuple[str, dict[str, Any]]:
    bucket = local.bucket()
    role = local.role("iot.amazonaws.com", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    return bucket, {"s3": {"bucketName": bucket, "key": key, "roleArn": role, **more}}


def _keys(local: Local, bucket: str) -> list[str]:
    found = eventually(lambda: local.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    return [item["Key"] for item in found]


def _body(local: Local, bucket: str, key: str) -> bytes:
    return local.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_an_s3_action_stores_the_payload_as_it_came_under_topic_and_time(local: Local) -> None:
    bucket, action = _archive(local, "${topic()}/${timestamp()}")
    local.rule("SELECT * FROM 's3a/+/devicePayload'", action)
    local.publish("s3a/fern/devicePayload", b'{ "humidity": "31.50" }')
    (key,) = _keys(local, bucket)
    assert re.fullmatch(r"s3a/fern/devicePayload/\d{13}", key)
    assert _body(local, bucket, key) == b'{ "humidity": "31.50" }'


def test_an_s3_action_stores_what_select_makes_of_the_payload(local: Local) -> None:
    bucket, action = _archive(local, "one")
    local.rule("SELECT humidity AS percent, topic(2) AS thing FROM 's3b/+'", action)
    local.publish("s3b/fern", {"humidity": 31, "name": "soil"})
    _keys(local, bucket)
    assert _body(local, bucket, "one") == b'{"percent":31,"thing":"fern"}'


@pytest.mark.parametrize(("template", "pattern"), [
    ("${topic(2)}", "fern"),
    ("${newuuid()}", r"[0-9a-f]{8}-[0-9a-f-]{27}"),
    ("${clientid()}", "n/a"),
    ("${where.room}/${level}", "hall/7"),
    ("plain", "plain"),
])
def test_a_key_template_is_evaluated_on_the_original_payload(local: Local, template: str, pattern: str) -> None:
    bucket, action = _archive(local, template)
    topic = local.name("s3c")
    local.rule(f"SELECT name FROM '{topic}/+'", action)
    local.publish(f"{topic}/fern", {"name": "soil", "where": {"room": "hall"}, "level": 7})
    (key,) = _keys(local, bucket)
    assert re.fullmatch(pattern, key)


def test_a_bucket_name_template_and_a_canned_acl_are_accepted(local: Local) -> None:
    bucket, action = _archive(local, "k", cannedAcl="private")
    action["s3"]["bucketName"] = "${bucket}"
    local.rule("SELECT * FROM 's3d/+'", action)
    local.publish("s3d/fern", {"bucket": bucket})
    assert _keys(local, bucket) == ["k"]


def test_a_template_that_names_an_alias_of_the_select_clause_is_a_failed_action(local: Local) -> None:
    _bucket, action = _archive(local, "${alias}")
    errors, error = local.errors()
    local.rule("SELECT name AS alias FROM 's3e/+'", action, error=error)
    local.publish("s3e/fern", {"name": "soil"})
    assert local.received(errors)["failures"][0]["failedAction"] == "S3Action"


def test_a_failed_action_reaches_the_error_action_with_the_documented_fields(local: Local) -> None:
    errors, error = local.errors()
    role = local.role("iot.amazonaws.com", allow("s3:PutObject", "*"))
    arn = local.rule("SELECT * FROM 's3f/+'", {"s3": {"bucketName": "no-such-bucket", "key": "k", "roleArn": role}},
                     error=error)
    local.publish("s3f/fern", b'{"a":1}')
    found = local.received(errors)
    (failure,) = found.pop("failures")
    assert failure["failedAction"] == "S3Action"
    assert failure["failedResource"] == "no-such-bucket"
    assert "NoSuchBucket" in failure["errorMessage"]
    assert base64.b64decode(found.pop("base64OriginalPayload")) == b'{"a":1}'
    assert found.pop("cloudwatchTraceId") and found.pop("sourceIp")
    assert found == {"ruleName": arn.rsplit("/", 1)[1], "topic": "s3f/fern", "clientId": "N/A"}


def test_an_s3_action_whose_role_lacks_the_permission_is_a_failed_action(local: Local) -> None:
    bucket, action = _archive(local, "k")
    action["s3"]["roleArn"] = local.role("iot.amazonaws.com", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/other/*"))
    errors, error = local.errors()
    local.rule("SELECT * FROM 's3g/+'", action, error=error)
    local.publish("s3g/fern", {})
    assert "s3:PutObject" in local.received(errors)["failures"][0]["errorMessage"]
    assert local.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(("service", "source"), [("lambda.amazonaws.com", ACCOUNT), ("iot.amazonaws.com", "1" * 12)])
def test_a_role_that_iot_may_not_assume_is_a_failed_action(local: Local, service: str, source: str) -> None:
    bucket, action = _archive(local, "k")
    action["s3"]["roleArn"] = local.role(service, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"), source=source)
    errors, error = local.errors()
    topic = local.name("s3h")
    local.rule(f"SELECT * FROM '{topic}'", action, error=error)
    local.publish(topic, {})
    assert "sts:AssumeRole" in local.received(errors)["failures"][0]["errorMessage"]


def _sqs(local: Local, role: str) -> tuple[dict[str, Any], str]:
    return {"sqs": {"queueUrl": local.queue()[0], "roleArn": role}}, "SqsAction"


def _sns(local: Local, role: str) -> tuple[dict[str, Any], str]:
    topic = local.client("sns").create_topic(Name=local.name("topic"))["TopicArn"]
    # Without its own policy, which lets the whole account publish, only the role's policies count.
    local.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},'
        f'"Action":"sns:Publish","Resource":"{topic}"}}]}}'))
    return {"sns": {"targetArn": topic, "roleArn": role}}, "SnsAction"


def _table(local: Local, role: str) -> tuple[dict[str, Any], str]:
    name = local.name("table")
    local.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    return {"dynamoDBv2": {"putItem": {"tableName": name}, "roleArn": role}}, "DynamoDBv2Action"


def _republish(local: Local, role: str) -> tuple[dict[str, Any], str]:
    return {"republish": {"topic": local.name("republished"), "roleArn": role}}, "RepublishAction"


def _stream(local: Local, role: str) -> tuple[dict[str, Any], str]:
    name = local.name("stream")
    local.client("kinesis").create_stream(StreamName=name, ShardCount=1)
    local.client("kinesis").get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return {"kinesis": {"streamName": name, "partitionKey": "${topic(2)}", "roleArn": role}}, "KinesisAction"


@pytest.mark.parametrize(("make", "action"), [
    (_sqs, "sqs:SendMessage"), (_sns, "sns:Publish"), (_table, "dynamodb:PutItem"), (_republish, "iot:Publish"),
    (_stream, "kinesis:PutRecord")])
def test_an_action_needs_its_permission_in_the_role(local: Local, make: Any, action: str) -> None:
    permitted, _name = make(local, local.role("iot.amazonaws.com", allow(action, "*")))
    denied, failed = make(local, local.role("iot.amazonaws.com", allow("s3:PutObject", "*")))
    errors, error = local.errors()
    topic = local.name("role")
    local.rule(f"SELECT * FROM '{topic}/+'", permitted, denied, error=error)
    local.publish(f"{topic}/fern", {"id": "1"})
    (failure,) = local.received(errors)["failures"]
    assert failure["failedAction"] == failed
    assert action in failure["errorMessage"]


def test_a_kinesis_action_uses_the_partition_key_template(local: Local) -> None:
    action, _failed = _stream(local, local.role("iot.amazonaws.com", allow("kinesis:PutRecord", "*")))
    stream, kinesis = action["kinesis"]["streamName"], local.client("kinesis")
    local.rule("SELECT * FROM 'kin/+'", action)
    local.publish("kin/fern", {"humidity": 31})
    shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    start = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = eventually(lambda: kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"])
    assert (record["PartitionKey"], record["Data"]) == ("fern", b'{"humidity":31}')


def test_a_republish_topic_template_is_evaluated(local: Local) -> None:
    bucket, archive = _archive(local, "${topic()}")
    role = local.role("iot.amazonaws.com", allow("iot:Publish", f"arn:aws:iot:{REGION}:{ACCOUNT}:topic/rep/fern/again"))
    local.rule("SELECT * FROM 'rep/+'", {"republish": {"topic": "${topic()}/again", "roleArn": role}})
    local.rule("SELECT * FROM 'rep/+/again'", archive)
    local.publish("rep/fern", {"a": 1})
    assert _keys(local, bucket) == ["rep/fern/again"]


def test_an_action_that_the_local_aws_lacks_is_a_failed_action_not_a_silent_one(local: Local) -> None:
    errors, error = local.errors()
    role = local.role("iot.amazonaws.com")
    local.rule("SELECT * FROM 'fire/+'", {"firehose": {"deliveryStreamName": "x", "roleArn": role}}, error=error)
    local.publish("fire/fern", {})
    assert local.received(errors)["failures"][0]["failedAction"] == "FirehoseAction"
