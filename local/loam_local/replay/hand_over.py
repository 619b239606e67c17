"""The calls that hand a letter over. Each returns once AWS has accepted it, and raises botocore's errors."""

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from loam_local.replay.letters import Stays

Client = Callable[[str], Any]
Act = Callable[[], None]


@dataclass(frozen=True)
class HandOver:
    """One call, and the way it takes in words for the table."""

    way: str
    act: Act


def invoke(client: Client, function: str, event: bytes) -> None:
    """Invoke asynchronously, as rules do."""
    client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=event)


def send(client: Client, url: str, body: str, attributes: dict[str, Any]) -> None:
    """Send with the message's own attributes."""
    known = ("DataType", "StringValue", "BinaryValue")
    attributes = {name: {key: value[key] for key in known if key in value} for name, value in attributes.items()}
    client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)


def _lambda_action(client: Client, parameters: dict[str, Any], output: bytes) -> Act:
    try:
        json.loads(output)
    except (ValueError, RecursionError) as error:
        raise Stays("payload-not-json") from error
    return partial(invoke, client, parameters["functionArn"], output)


def _sqs_action(client: Client, parameters: dict[str, Any], output: bytes) -> Act:
    if parameters.get("useBase64"):
        return partial(send, client, parameters["queueUrl"], base64.b64encode(output).decode(), {})
    try:
        return partial(send, client, parameters["queueUrl"], output.decode(), {})
    except UnicodeDecodeError as error:
        raise Stays("payload-not-text") from error


def _s3_action(client: Client, parameters: dict[str, Any], output: bytes) -> Act:
    acl = {"ACL": parameters["cannedAcl"]} if parameters.get("cannedAcl") else {}
    return lambda: client("s3").put_object(Bucket=parameters["bucketName"], Key=parameters["key"], Body=output,
                                           ContentType="application/octet-stream", **acl)


def _kinesis_action(client: Client, parameters: dict[str, Any], output: bytes) -> Act:
    # Without a partition key AWS spreads the records over the shards.
    return lambda: client("kinesis").put_record(StreamName=parameters["streamName"], Data=output,
                                                PartitionKey=parameters.get("partitionKey") or str(uuid.uuid4()))


ACTIONS: dict[str, Callable[[Client, dict[str, Any], bytes], Act]] = {
    "lambda": _lambda_action,
    "sqs": _sqs_action,
    "s3": _s3_action,
    "kinesis": _kinesis_action,
}
"""The rule actions that can be done again, by AWS IoT's name in lower case."""
