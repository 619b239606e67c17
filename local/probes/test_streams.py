"""What AWS documents about the function of a table's stream."""

import json
from typing import Any

from conftest import Local, allow, eventually

_READING = ["dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"]
_FILTER = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"item": {"S": [{"prefix": "event#"}]}}}}


def _table(local: Local) -> tuple[str, str]:
    """A table with a stream: (name, the stream's ARN)."""
    name, keys = local.name("table"), ("thing", "item")
    made = local.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    return name, made["TableDescription"]["LatestStreamArn"]


def _put(local: Local, table: str, item: str, **flags: bool) -> None:
    attributes = {"thing": {"S": "fern"}, "item": {"S": item}} | {flag: {"BOOL": True} for flag in flags}
    local.client("dynamodb").put_item(TableName=table, Item=attributes)


def _fed(local: Local, stream: str, *statements: dict[str, Any], reading: bool = True, **settings: Any) -> str:
    """A function that the stream feeds; its ARN."""
    may_read = [allow(action, stream) for action in _READING] if reading else []
    function = local.function(*may_read, *statements)
    local.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=function, StartingPosition="TRIM_HORIZON",
        FilterCriteria={"Filters": [{"Pattern": json.dumps(_FILTER)}]},
        FunctionResponseTypes=["ReportBatchItemFailures"], **settings)
    return function


def _batches(local: Local, function: str) -> list[list[str]]:
    """The items of each batch that the function has seen."""
    group = f"/aws/lambda/{function.rsplit(':', 1)[1]}"
    try:
        found = local.client("logs").filter_log_events(logGroupName=group, filterPattern="seen")["events"]
    except local.client("logs").exceptions.ResourceNotFoundException:
        return []
    seen = [json.loads(event["message"])["seen"] for event in found if event["message"].startswith("{")]
    return [[record["dynamodb"]["Keys"]["item"]["S"] for record in each["Records"]] for each in seen]


def test_only_what_the_filter_lets_through_comes_and_in_order(local: Local) -> None:
    table, stream = _table(local)
    for item in ("record", "event#1", "event#2"):
        _put(local, table, item)
    _put(local, table, "event#1", changed=True)
    function = _fed(local, stream)
    _put(local, table, "event#3")
    seen = eventually(lambda: sum(_batches(local, function), [])[2:] and sum(_batches(local, function), []))
    assert seen == ["event#1", "event#2", "event#3"]


def test_from_the_first_failed_record_on_all_come_again(local: Local) -> None:
    table, stream = _table(local)
    for item in ("event#1", "event#2", "event#3"):
        _put(local, table, item, **({"again": True} if item == "event#2" else {}))
    function = _fed(local, stream, BatchSize=3)
    batches = eventually(lambda: _batches(local, function)[1:] and _batches(local, function))
    assert batches[:2] == [["event#1", "event#2", "event#3"], ["event#2", "event#3"]]


def test_a_batch_that_is_given_up_is_told_by_its_place_and_what_is_behind_it_goes_on(local: Local) -> None:
    table, stream = _table(local)
    url, letters = local.queue()
    for item in ("event#1", "event#2"):
        _put(local, table, item, fail=True)
    function = _fed(local, stream, allow("sqs:SendMessage", letters), BatchSize=2, MaximumRetryAttempts=1,
                    DestinationConfig={"OnFailure": {"Destination": letters}})
    letter = local.received(url)
    _put(local, table, "event#3")
    batches = eventually(lambda: ["event#3"] in _batches(local, function) and _batches(local, function))
    assert batches == [["event#1", "event#2"]] * 2 + [["event#3"]]
    info = letter["DDBStreamBatchInfo"]
    assert letter["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (info["batchSize"], info["streamArn"]) == (2, stream)
    assert "requestPayload" not in letter
    streams = local.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(StreamArn=stream, ShardId=info["shardId"],
                                          ShardIteratorType="AT_SEQUENCE_NUMBER",
                                          SequenceNumber=info["startSequenceNumber"])["ShardIterator"]
    (first, second, *_) = streams.get_records(ShardIterator=iterator)["Records"]
    assert second["dynamodb"]["SequenceNumber"] == info["endSequenceNumber"]
    assert first["dynamodb"]["NewImage"]["item"] == {"S": "event#1"}


def test_a_bisected_batch_loses_only_the_record_that_fails(local: Local) -> None:
    table, stream = _table(local)
    url, letters = local.queue()
    for item in ("event#1", "event#2", "event#3", "event#4"):
        _put(local, table, item, **({"fail": True} if item == "event#2" else {}))
    function = _fed(local, stream, allow("sqs:SendMessage", letters), BatchSize=4, MaximumRetryAttempts=1,
                    BisectBatchOnFunctionError=True, DestinationConfig={"OnFailure": {"Destination": letters}})
    assert local.received(url)["DDBStreamBatchInfo"]["batchSize"] == 1
    eventually(lambda: ["event#3", "event#4"] in _batches(local, function))
    assert ["event#1"] in _batches(local, function)


def test_a_role_that_may_not_read_the_stream_gets_nothing(local: Local) -> None:
    table, stream = _table(local)
    function = _fed(local, stream, reading=False)
    _put(local, table, "event#1")
    mappings = local.client("lambda").list_event_source_mappings

    def problem() -> bool:
        (mapping,) = mappings(FunctionName=function)["EventSourceMappings"]
        return "dynamodb:DescribeStream" in mapping["LastProcessingResult"]
    eventually(problem)
    assert _batches(local, function) == []
