"""The stack's resources, looked up when they are needed and then remembered."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from loam_local import aws
from loam_local.replay.letters import Stays


_SERVICES = ("cloudformation", "dynamodbstreams", "iot", "kinesis", "lambda", "s3", "sqs")


class Stack:
    """What letters can be handed to: only what the stack itself made."""

    def __init__(self, client: Callable[[str], Any], name: str) -> None:
        """Read the stack's resources. Raises `stack-not-found`."""
        # One client per service for all threads of a run, made beforehand: making one is slow and not safe in threads.
        clients = {service: client(service) for service in _SERVICES}
        self.client = clients.__getitem__
        cloudformation = self.client("cloudformation")
        aws.stack(cloudformation, name)
        self._resources: dict[str, dict[str, str]] = {}
        for found in aws.resources(cloudformation, name):
            by_id = self._resources.setdefault(found["ResourceType"], {})
            by_id[found["LogicalResourceId"]] = found["PhysicalResourceId"]
        self.rule = cache(self._rule)
        self.feeding_queue = cache(self._feeding_queue)
        self._attributes = cache(self._read_attributes)

    def dead_letters(self) -> list[str]:
        """Logical ids of the dead-letter queues."""
        return sorted(logical for logical in self._of("SQS::Queue") if logical.endswith("DeadLetters"))

    def url(self, queue: str) -> str:
        """The URL of a queue, by logical id."""
        return self._of("SQS::Queue")[queue]

    def _of(self, kind: str) -> dict[str, str]:
        return self._resources.get(f"AWS::{kind}", {})

    def _rule(self, name: str) -> dict[str, Any]:
        if name not in self._of("IoT::TopicRule").values():
            raise Stays("rule-gone", name)
        return self.client("iot").get_topic_rule(ruleName=name)["rule"]

    def function(self, name: str) -> str:
        """The function's name, if the stack has it. Raises `Stays`."""
        if name not in self._of("Lambda::Function").values():
            raise Stays("function-gone", name)
        return name

    def function_of_binary(self, binary: str) -> str:
        """The function's name, from the name of its binary: `soil-alerts` runs in `SoilAlerts`. Raises `Stays`."""
        logical = "".join(word[:1].upper() + word[1:] for word in binary.split("-"))
        if logical not in self._of("Lambda::Function"):
            raise Stays("function-gone", binary)
        return self._of("Lambda::Function")[logical]

    def table_of(self, stream: str) -> str:
        """The table of the stream, if the stack has it. Raises `Stays`."""
        table = (stream.split("/") + [""])[1]
        if table not in self._of("DynamoDB::Table").values():
            raise Stays("table-gone", table)
        return table

    def _feeding_queue(self, function: str) -> str | None:
        """The URL of the stack's queue that feeds the function; None when no queue does."""
        pages = self.client("lambda").get_paginator("list_event_source_mappings").paginate(FunctionName=function)
        sources = {mapping.get("EventSourceArn") for page in pages for mapping in page["EventSourceMappings"]}
        return next((self.url(queue) for queue in self._of("SQS::Queue") if self._arn(queue) in sources), None)

    def source_of(self, dead_letters: str, moved_from: str | None) -> str:
        """The URL of the queue that a message was moved from, by its ARN or as the only one. Raises `Stays`."""
        sources = [queue for queue in self._of("SQS::Queue") if self._target(queue) == self._arn(dead_letters)]
        if moved_from:
            sources = [queue for queue in sources if self._arn(queue) == moved_from]
        if len(sources) != 1:
            raise Stays("unknown-letter" if not moved_from else "source-gone")
        return self.url(sources[0])

    def _arn(self, queue: str) -> str:
        return self._attributes(queue)["QueueArn"]

    def _target(self, queue: str) -> str | None:
        policy = self._attributes(queue).get("RedrivePolicy")
        return json.loads(policy).get("deadLetterTargetArn") if policy else None

    def _read_attributes(self, queue: str) -> dict[str, str]:
        names = ["QueueArn", "RedrivePolicy"]
        return self.client("sqs").get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=names)["Attributes"]
