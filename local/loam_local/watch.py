"""`watch`: the notices that a stack sends and the objects that it archives, one JSON line each, until it is stopped."""

import argparse
import json
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError

_PAUSE_SECONDS = 0.5


def run(arguments: argparse.Namespace) -> None:
    """Print events as they happen. SIGTERM and SIGINT end it, and what it made goes with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    outputs = _outputs(client("cloudformation"), arguments.stack)
    topic = _output(outputs, arguments.topic_output)
    bucket = _output(outputs, arguments.bucket_output) if arguments.bucket_output else None
    sns, sqs, s3 = client("sns"), client("sqs"), client("s3")
    seen = {name for name, _size in _objects(s3, bucket)} if bucket else set()
    with _subscribed(sqs, sns, arguments.stack, topic) as queue:
        print(f"loam_local watch: listening to {topic}", file=sys.stderr, flush=True)
        while True:
            for message in _received(sqs, queue):
                _say({"kind": "mail", "subject": message.get("Subject"), "message": message["Message"],
                      "to": _mailboxes(sns, topic)})
            for key, size in _objects(s3, bucket) if bucket else ():
                if key not in seen:
                    seen.add(key)
                    _say({"kind": "archived", "bucket": bucket, "key": key, "bytes": size})
            time.sleep(_PAUSE_SECONDS)


def _say(event: dict[str, Any]) -> None:
    print(json.dumps(event), flush=True)


def _outputs(cloudformation: Any, name: str) -> dict[str, str]:
    return aws.outputs(aws.stack(cloudformation, name))


def _output(outputs: dict[str, str], name: str) -> str:
    if name not in outputs:
        raise LocalError("output-not-found", f"the stack has no output {name}; it has {', '.join(sorted(outputs))}")
    return outputs[name]


@contextmanager
def _subscribed(sqs: Any, sns: Any, stack: str, topic: str) -> Iterator[str]:
    """A queue that hears the topic, for as long as the block runs."""
    queue = sqs.create_queue(QueueName=f"{stack}-watch-{secrets.token_hex(4)}")["QueueUrl"]
    subscription = None
    try:
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                     "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={
            "Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})})
        subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn,
                                     ReturnSubscriptionArn=True)["SubscriptionArn"]
        yield queue
    finally:
        if subscription:
            sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=queue)


def _received(sqs: Any, queue: str) -> list[dict[str, Any]]:
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def _mailboxes(sns: Any, topic: str) -> list[str]:
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    return [entry["Endpoint"] for page in pages for entry in page["Subscriptions"] if entry["Protocol"] == "email"]


def _objects(s3: Any, bucket: str) -> Iterator[tuple[str, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            yield entry["Key"], entry["Size"]
