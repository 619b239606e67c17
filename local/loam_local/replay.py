"""`replay`: give the dead letters of a stack another try, on AWS or the local AWS.

Three shapes lie in a dead-letter queue, and a fourth in the queue behind another queue:

- a rule's failed action (`base64OriginalPayload`): published again to that rule alone, by Basic Ingest. All actions of
  the rule run again, and `timestamp()` and `clientid()` are those of the replay.
  Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-basic-ingest.html
- a function's failed invocation (`requestPayload`): invoked again, asynchronously;
- an event that a function refused (`keptBy`): it stays, because it would be refused again, unless `--kept` is given;
- any other message goes back to the queue that it came from.

A letter is deleted once its event was accepted; what fails again comes back as a new letter, left for the next run.
"""

import argparse
import base64
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loam_local import aws

# Long enough for a run over many letters; at its end what stays is made visible again.
_HIDDEN_SECONDS = 600


@dataclass
class _Stack:
    """What a letter can go back to."""

    iot_data: Any
    functions: Any
    sqs: Any
    by_logical_id: dict[str, str]
    sources: dict[str, list[str]]
    kept: bool
    dry_run: bool


def run(arguments: argparse.Namespace) -> None:
    """Replay what lies there now, say what became of each letter and how many were replayed and left."""

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    cloudformation = client("cloudformation")
    aws.stack(cloudformation, arguments.stack)
    resources = aws.resources(cloudformation, arguments.stack)
    queues, functions = _of(resources, "AWS::SQS::Queue"), _of(resources, "AWS::Lambda::Function")
    sqs = client("sqs")
    stack = _Stack(client("iot-data"), client("lambda"), sqs, functions, _sources(sqs, list(queues.values())),
                   arguments.kept, arguments.dry_run)
    letters = {logical: url for logical, url in queues.items() if logical.endswith("DeadLetters")}
    total: Counter[str] = Counter()
    for logical, url in letters.items():
        total += _drain(stack, logical, url)
    print(f"{total['replayed']} replayed, {total['left']} left, in {len(letters)} dead-letter queues", flush=True)


def _of(resources: list[dict[str, Any]], kind: str) -> dict[str, str]:
    return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources if r["ResourceType"] == kind}


def _drain(stack: _Stack, logical: str, url: str) -> Counter[str]:
    """One queue's letters that were there when it began."""
    from botocore.exceptions import ClientError

    count: Counter[str] = Counter()
    left = []
    for letter in _letters(stack.sqs, url):
        kind, code, send = _way_back(stack, url, letter["Body"])
        outcome = "left"
        if send and not stack.dry_run:
            try:
                send()
                stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
                outcome = "replayed"
            except ClientError as error:
                code = error.response["Error"]["Code"]
        if outcome == "left":
            left.append(letter)
        count[outcome] += 1
        print(f"{logical}: {kind} [{code}] {outcome}", flush=True)
    for letter in left:
        stack.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0)
    return count


def _letters(sqs: Any, url: str) -> Iterator[dict[str, Any]]:
    """Every message sent before now, hidden from others; a younger one is our own replay that failed again."""
    began, seen = int(time.time() * 1000), set()
    while True:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_SECONDS,
                                    WaitTimeSeconds=1, MessageSystemAttributeNames=["SentTimestamp"])
        messages = [m for m in found.get("Messages", []) if m["MessageId"] not in seen]
        if not messages:
            return
        for message in messages:
            seen.add(message["MessageId"])
            if int(message["Attributes"]["SentTimestamp"]) <= began:
                yield message
            else:
                sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"],
                                              VisibilityTimeout=0)


def _way_back(stack: _Stack, url: str, body: str) -> tuple[str, str, Any]:
    """What the letter is, its reason, and the call that sends it back; None when it stays."""
    try:
        letter = json.loads(body)
    except json.JSONDecodeError:
        letter = None
    letter = letter if isinstance(letter, dict) else {}
    if "base64OriginalPayload" in letter:
        topic = f"$aws/rules/{letter['ruleName']}/{letter['topic']}"
        payload = base64.b64decode(letter["base64OriginalPayload"])
        failed = ",".join(failure.get("failedAction", "") for failure in letter.get("failures", []))
        return f"rule {letter['ruleName']}", failed, lambda: stack.iot_data.publish(topic=topic, qos=1, payload=payload)
    if "requestPayload" in letter and "requestContext" in letter:
        context = letter["requestContext"]
        name = context["functionArn"].split(":")[6]
        return f"function {name}", context["condition"], lambda: _invoke(stack, name, letter["requestPayload"])
    if "keptBy" in letter:
        name = stack.by_logical_id.get(_logical(letter["keptBy"]))
        again = stack.kept and name is not None
        return f"refused by {letter['keptBy']}", letter["code"], (
            (lambda: _invoke(stack, name, letter["event"])) if again else None)
    return _to_source(stack, url, body)


def _logical(binary: str) -> str:
    """The template's name of a function, from the name of its binary: `soil-alerts` is `SoilAlerts`."""
    return "".join(word.capitalize() for word in binary.split("-"))


def _invoke(stack: _Stack, name: str | None, event: Any) -> None:
    stack.functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))


def _to_source(stack: _Stack, url: str, body: str) -> tuple[str, str, Any]:
    sources = stack.sources.get(url.rsplit("/", 1)[1], [])
    if len(sources) != 1:
        return "unknown shape", "unknown-letter", None
    return "message", "too-many-receives", lambda: stack.sqs.send_message(QueueUrl=sources[0], MessageBody=body)


def _sources(sqs: Any, queues: list[str]) -> dict[str, list[str]]:
    """For each dead-letter queue's name, the URLs of the stack's queues that give up their messages to it."""
    found: dict[str, list[str]] = {}
    for url in queues:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
        if "RedrivePolicy" in attributes:
            target = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
            found.setdefault(target.rsplit(":", 1)[1], []).append(url)
    return found
