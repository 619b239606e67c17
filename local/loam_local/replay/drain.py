"""One dead-letter queue, received until it gives nothing more."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from loam_local import aws
from loam_local.replay.hand_over import HandOver
from loam_local.replay.letters import Message, Stays
from loam_local.replay.plan import Planner
from loam_local.replay.report import Report
from loam_local.replay.stack import Stack

_BATCH = 10
# A long poll asks all of SQS's servers; the local AWS has one.
_WAIT_SECONDS = 1
# Longer than most runs, so that a letter which stays is seen once; short enough should a run be killed.
_HIDDEN_SECONDS = 900
# A short-lived gap in what SQS gives is no end.
_DRY_RECEIVES = 2
_WHOLE_SECOND = 999


class Drain:
    """Drains the queue `logical` of the stack, once."""

    def __init__(self, stack: Stack, logical: str, planner: Planner, report: Report, dry_run: bool) -> None:
        """`dry_run`: plan, hand nothing over."""
        self._sqs, self._url = stack.client("sqs"), stack.url(logical)
        self._wait = 0 if aws.is_local(self._sqs) else _WAIT_SECONDS
        self._planner, self._report, self._dry_run = planner, report, dry_run
        self._seen: set[str] = set()
        self._staying: dict[str, str] = {}
        self._began = self._time_there(stack)

    def run(self) -> None:
        """Hand over what can be; make visible again what stays, also when interrupted."""
        try:
            with ThreadPoolExecutor(_BATCH) as pool:
                for messages in self._received():
                    self._delete(list(pool.map(self._handed_over, messages)))
        finally:
            self._release()

    def _time_there(self, stack: Stack) -> int:
        """Now, by the clock of the AWS that stamps the messages, in milliseconds; its answers tell whole seconds."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = parsedate_to_datetime(date).timestamp() if date else time.time()
        return int(now) * 1000 + _WHOLE_SECOND

    def _received(self) -> Iterator[list[Message]]:
        """Batches of messages not seen before in this run."""
        dry = again = 0
        while dry < _DRY_RECEIVES and again <= len(self._seen):
            batch = [Message.of(received) for received in self._receive()]
            dry = 0 if batch else dry + 1
            new = [message for message in batch if message.identity not in self._seen]
            again += len(batch) - len(new)
            self._seen.update(message.identity for message in new)
            # Every message stays until it is deleted; the newest handle of one is the one that counts.
            self._staying.update((message.identity, message.handle) for message in batch)
            if new:
                yield new

    def _receive(self) -> list[dict[str, Any]]:
        return self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=self._wait, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp", "DeadLetterQueueSourceArn"]).get("Messages", [])

    def _handed_over(self, message: Message) -> tuple[Message, list[HandOver] | Stays]:
        try:
            if message.sent > self._began:
                raise Stays("came-during-the-run", stuck=False)
            plans = self._planner.plan(message)
            for plan in [] if self._dry_run else plans:
                plan.act()
        except Stays as reason:
            return message, reason
        except ClientError as error:
            return message, Stays("not-accepted", error.response["Error"]["Code"])
        except Exception as error:
            # Whatever is wrong with one letter, the others behind it must not wait for it.
            return message, Stays("not-accepted", type(error).__name__)
        return message, plans

    def _delete(self, results: list[tuple[Message, list[HandOver] | Stays]]) -> None:
        """Delete what was handed over, count everything."""
        done = [(message, plans) for message, plans in results if not isinstance(plans, Stays)]
        undeleted = set() if self._dry_run else self._undeleted([message for message, _plans in done])
        for message, plans in done:
            if message.identity in undeleted:
                self._report.stays(Stays("handed-over-but-not-deleted"))
                continue
            self._report.handed_over([plan.way for plan in plans])
            if not self._dry_run:
                del self._staying[message.identity]
        for _message, reason in results:
            if isinstance(reason, Stays):
                self._report.stays(reason)

    def _undeleted(self, messages: list[Message]) -> set[str]:
        """Delete these; the ids of those that could not be deleted."""
        if not messages:
            return set()
        entries = [{"Id": str(at), "ReceiptHandle": message.handle} for at, message in enumerate(messages)]
        try:
            failed = self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
        except ClientError:
            return {message.identity for message in messages}
        return {messages[int(entry["Id"])].identity for entry in failed}

    def _release(self) -> None:
        """What stays is visible at once. A handle that has run out meanwhile is: its message is visible already."""
        handles = list(self._staying.values())
        for start in range(0, len(handles), _BATCH):
            entries = [{"Id": str(at), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                       for at, handle in enumerate(handles[start:start + _BATCH])]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
