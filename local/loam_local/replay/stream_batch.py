"""A batch of a table's stream that was given up: its letter names the place, the records are read from the stream.

A stream keeps its records for 24 hours. After that the letter stays as `records-gone`: the events are still in the table,
under their keys, and were not told.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from loam_local.replay.hand_over import Client
from loam_local.replay.letters import GivenUpBatch, Stays

_AT_ONCE = 100
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException")


def events(client: Client, letter: GivenUpBatch) -> list[dict[str, Any]]:
    """What the function gets, in the stream's order. Raises `Stays` when the stream does not have it all any more."""
    try:
        records = list(_records(client("dynamodbstreams"), letter))
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        raise Stays("records-gone", letter.shard) from error
    numbers = {record["dynamodb"]["SequenceNumber"] for record in records}
    if not {letter.first, letter.last} <= numbers:
        raise Stays("records-gone", letter.shard)
    return [{"Records": records[start:start + _AT_ONCE]} for start in range(0, len(records), _AT_ONCE)]


def is_event(event: Any) -> bool:
    """Whether this is what a stream's function gets."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and any(isinstance(record, dict) and "dynamodb" in record for record in records)


def invoke(client: Client, function: str, event: Any) -> None:
    """Invoke and wait, for only the answer tells whether all of it was done. Raises `Stays`."""
    payload = json.dumps(event, default=_plain).encode()
    answer = client("lambda").invoke(FunctionName=function, InvocationType="RequestResponse", Payload=payload)
    if answer.get("FunctionError"):
        raise Stays("not-accepted", answer["FunctionError"])
    said = json.loads(answer["Payload"].read() or b"null")
    if isinstance(said, dict) and said.get("batchItemFailures"):
        raise Stays("not-accepted", "batchItemFailures")


def _records(streams: Any, letter: GivenUpBatch) -> Iterator[dict[str, Any]]:
    """The shard's records from the first to the last of the letter; what the function's filter leaves out among them."""
    iterator = streams.get_shard_iterator(StreamArn=letter.stream, ShardId=letter.shard, SequenceNumber=letter.first,
                                          ShardIteratorType="AT_SEQUENCE_NUMBER")["ShardIterator"]
    # A page may be empty in the middle of a shard, but one behind the last record would be asked for without end.
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > int(letter.last):
                return
            yield record | {"eventSourceARN": letter.stream}
            if record["dynamodb"]["SequenceNumber"] == letter.last:
                return
        iterator = page.get("NextShardIterator") if page["Records"] else None


def _plain(value: Any) -> Any:
    """A value of boto3's in the JSON of a Lambda event."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)
