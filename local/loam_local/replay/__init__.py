"""`replay`: hand over again what lies in a stack's dead-letter queues, on AWS or the local AWS.

Every queue whose logical id ends in `DeadLetters` is drained. Five kinds of letters lie there (`letters.py`):

- a failed action of a rule: that action alone is done again, because the rule's other actions succeeded;
- a failed asynchronous invocation of a function: the function is invoked again with the same event;
- a batch of a table's stream that was given up: its records are read from the stream, for as long as it has them, and
  its function is invoked with them;
- an event that a function refused: it stays, because it would be refused again; with `--refused` it goes there too;
- a message that was received too often: it goes back to the queue that it came from.

A letter is deleted only after its hand-over was accepted, so a run that breaks off may hand a letter over twice and
never loses one. What cannot be handed over stays and is told by a code. A letter that was sent after the run began is
often what the run itself handed over, failed again: it stays for the next run, so that a run always ends. No payload is
ever printed.

Exit code 0: nothing is stuck (refused events without `--refused` do not count). 3: something could not be handed over.

Permissions that the caller needs:

- `cloudformation:DescribeStacks`, `cloudformation:ListStackResources` on the stack;
- `sqs:ReceiveMessage`, `sqs:DeleteMessage`, `sqs:ChangeMessageVisibility` on the dead-letter queues;
- `sqs:GetQueueAttributes` on all queues of the stack, `sqs:SendMessage` on those that are handed to;
- `iot:GetTopicRule` on the stack's rules;
- `lambda:InvokeFunction` on the stack's functions, and `lambda:ListEventSourceMappings` for `--refused`;
- `dynamodb:GetShardIterator` and `dynamodb:GetRecords` on the streams of the stack's tables;
- `s3:PutObject` (and `s3:PutObjectAcl` for rules with a canned ACL) on the buckets, `kinesis:PutRecord` on the streams
  that rules write to;
- for what is encrypted with a customer key `kms:Decrypt` and `kms:GenerateDataKey` on that key.
"""

import argparse
import signal
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError
from loam_local.replay.drain import Drain
from loam_local.replay.plan import Planner
from loam_local.replay.report import Report
from loam_local.replay.stack import Stack

_STUCK = 3


def run(arguments: argparse.Namespace) -> None:
    """Drain each dead-letter queue, then say what became of its letters. Raises `letters-left` with exit code 3."""

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    # Whoever ends us politely wants what stays to be visible again at once, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    stack = Stack(client, arguments.stack)
    queues = stack.dead_letters()
    if not queues:
        print(f"stack {arguments.stack} has no queue whose logical id ends in DeadLetters", flush=True)
    stuck = sum(_drained(stack, logical, arguments) for logical in queues)
    if stuck:
        raise LocalError("letters-left", f"{stuck} of the letters could not be handed over and stay: the table says "
                         "why; mend it and run replay again", status=_STUCK)


def _drained(stack: Stack, logical: str, arguments: argparse.Namespace) -> int:
    """How many letters of the queue are stuck. Also a run that is broken off says what it did."""
    report = Report(logical)
    try:
        Drain(stack, logical, Planner(stack, logical, arguments.refused), report, arguments.dry_run).run()
    finally:
        print(report.table(arguments.dry_run), flush=True)
    return report.stuck
