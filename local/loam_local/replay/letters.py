"""What lies in a dead-letter queue, told apart by its shape.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/rule-error-handling.html (`RuleFailure`),
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html (`FailedInvocation`),
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html (`GivenUpBatch`),
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html (`Returned`).
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any


class Stays(Exception):
    """A letter stays in its queue.

    `code` is a stable kebab-case word, `about` names a resource or another code. `stuck` is false for what stays on
    purpose.
    """

    def __init__(self, code: str, about: str = "", stuck: bool = True) -> None:
        super().__init__(code)
        self.code = code
        # What a letter names goes to a terminal, and device-made text may be in it.
        self.about = about if re.fullmatch(r"[\w.:/${}()-]{1,256}", about) else ""
        self.stuck = stuck


@dataclass(frozen=True)
class Message:
    """A message as ReceiveMessage gives it."""

    identity: str
    handle: str
    body: str
    sent: int
    source: str | None
    attributes: dict[str, Any]

    @staticmethod
    def of(received: dict[str, Any]) -> "Message":
        """`sent` is in milliseconds since 1970; `source` the ARN of the queue that it was moved from, if it was."""
        system = received["Attributes"]
        return Message(received["MessageId"], received["ReceiptHandle"], received["Body"], int(system["SentTimestamp"]),
                       system.get("DeadLetterQueueSourceArn"), received.get("MessageAttributes", {}))


@dataclass(frozen=True)
class RuleFailure:
    """An error action's document: the device's message, and the rule's actions that failed as (action, resource)."""

    rule: str
    topic: str
    client: str
    payload: bytes
    failed: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FailedInvocation:
    """The record of an asynchronous invocation that failed for good."""

    function: str
    event: Any


@dataclass(frozen=True)
class GivenUpBatch:
    """A batch of a stream that was tried too often or became too old: where it stands, not what is in it."""

    function: str
    stream: str
    shard: str
    first: str
    last: str


@dataclass(frozen=True)
class Refused:
    """An event that the function `by` keeps because it can never succeed; `code` says why."""

    by: str
    code: str
    event: Any


@dataclass(frozen=True)
class Returned:
    """A message that was moved here from its queue, or that nobody knows."""


Letter = RuleFailure | FailedInvocation | GivenUpBatch | Refused | Returned


def parsed(message: Message) -> Letter:
    """The letter in a message. Raises `Stays` when it starts like one shape and lacks a part of it."""
    if message.source:
        return Returned()
    try:
        body = json.loads(message.body)
    except (ValueError, RecursionError):
        return Returned()
    if not isinstance(body, dict):
        return Returned()
    for field, parse in (("base64OriginalPayload", _rule_failure), ("DDBStreamBatchInfo", _given_up_batch),
                         ("requestContext", _failed_invocation), ("keptBy", _refused)):
        if field in body:
            return parse(body)
    return Returned()


def _rule_failure(body: dict[str, Any]) -> RuleFailure:
    try:
        failed = tuple((str(one["failedAction"]), str(one.get("failedResource", ""))) for one in body["failures"])
        payload = base64.b64decode(body["base64OriginalPayload"], validate=True)
        client = str(body.get("clientId", "N/A"))
        letter = RuleFailure(str(body["ruleName"]), str(body["topic"]), client, payload, failed)
    except (AttributeError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise Stays("malformed-error-document") from error
    if not failed:
        raise Stays("malformed-error-document")
    return letter


def _failed_invocation(body: dict[str, Any]) -> FailedInvocation:
    """`functionArn` may end in a version, which may have been mended since: the function's name counts."""
    try:
        function = body["requestContext"]["functionArn"].split(":")[6]
        return FailedInvocation(function, body["requestPayload"])
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise Stays("record-without-event") from error


def _given_up_batch(body: dict[str, Any]) -> GivenUpBatch:
    try:
        info, function = body["DDBStreamBatchInfo"], body["requestContext"]["functionArn"].split(":")[6]
        first, last = str(info["startSequenceNumber"]), str(info["endSequenceNumber"])
        if int(first) > int(last):
            raise Stays("record-without-place")
        return GivenUpBatch(function, str(info["streamArn"]), str(info["shardId"]), first, last)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise Stays("record-without-place") from error


def _refused(body: dict[str, Any]) -> Refused:
    try:
        return Refused(str(body["keptBy"]), str(body["code"]), body["event"])
    except KeyError as error:
        raise Stays("malformed-refusal") from error
