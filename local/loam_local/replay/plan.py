"""Where a letter goes: looked up before anything is done, so that a letter is handed over whole or stays."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from loam_local.replay import hand_over, rule_sql, stream_batch
from loam_local.replay.hand_over import HandOver
from loam_local.replay.letters import (
    FailedInvocation, GivenUpBatch, Message, Refused, RuleFailure, Stays, parsed)
from loam_local.replay.rule_sql import Origin
from loam_local.replay.stack import Stack


@dataclass(frozen=True)
class Planner:
    """Plans the letters of one dead-letter queue, which is named by its logical id."""

    stack: Stack
    queue: str
    refused: bool

    def plan(self, message: Message) -> list[HandOver]:
        """The calls that hand the letter over. Raises `Stays`."""
        try:
            match parsed(message):
                case RuleFailure() as failure:
                    return self._failed_actions(failure, message.sent)
                case FailedInvocation(function, event):
                    return [self._invocation(self.stack.function(function), event, "function invoked")]
                case GivenUpBatch() as letter:
                    return self._of_stream(letter)
                case Refused() as letter:
                    return [self._to_trigger(letter)]
                case _:
                    return [self._back(message)]
        except ClientError as error:
            raise Stays("not-looked-up", error.response["Error"]["Code"]) from error

    def _failed_actions(self, failure: RuleFailure, sent: int) -> list[HandOver]:
        rule = self.stack.rule(failure.rule)
        origin = Origin(failure.topic, failure.client, failure.payload, sent)
        output = rule_sql.selected(rule["sql"], origin)
        plans = []
        for name, resource in failure.failed:
            kind, parameters = _action(rule, name, resource)
            make = hand_over.ACTIONS.get(kind)
            if not make:
                raise Stays("action-not-known", name)
            plans.append(HandOver(f"{name} done again",
                                  make(self.stack.client, rule_sql.substituted(parameters, origin), output)))
        return plans

    def _of_stream(self, letter: GivenUpBatch) -> list[HandOver]:
        function, _table = self.stack.function(letter.function), self.stack.table_of(letter.stream)
        found = stream_batch.events(self.stack.client, letter)
        return [self._invocation(function, event, "records read from the stream, function invoked") for event in found]

    def _invocation(self, function: str, event: Any, way: str) -> HandOver:
        if stream_batch.is_event(event):
            return HandOver(way, partial(stream_batch.invoke, self.stack.client, function, event))
        payload = json.dumps(event).encode()
        return HandOver(way, partial(hand_over.invoke, self.stack.client, function, payload))

    def _to_trigger(self, letter: Refused) -> HandOver:
        """Refused events go where the function gets its events from."""
        if not self.refused:
            raise Stays("refused", letter.code, stuck=False)
        function = self.stack.function_of_binary(letter.by)
        queue = self.stack.feeding_queue(function)
        if not queue:
            return self._invocation(function, letter.event, "refused event, function invoked")
        # A body that is no JSON was kept as a string.
        body = letter.event if isinstance(letter.event, str) else json.dumps(letter.event)
        return HandOver("refused event, sent to its queue", partial(hand_over.send, self.stack.client, queue, body, {}))

    def _back(self, message: Message) -> HandOver:
        url = self.stack.source_of(self.queue, message.source)
        return HandOver("sent back to its queue",
                        partial(hand_over.send, self.stack.client, url, message.body, message.attributes))


def _action(rule: dict[str, Any], name: str, resource: str) -> tuple[str, dict[str, Any]]:
    """The rule's action that failed: (kind, parameters). `S3Action` is the action `s3`.

    Where a rule has several of a kind the failed resource decides; where it has one, that one counts even if it has
    another resource by now.
    """
    kind = name.removesuffix("Action").lower()
    found = [(key.lower(), parameters) for action in rule["actions"] for key, parameters in action.items()
             if key.lower() == kind]
    if len(found) > 1:
        found = [one for one in found if resource and resource in one[1].values()]
    if len(found) != 1:
        raise Stays("action-gone" if not found else "action-not-clear", name)
    return found[0]
