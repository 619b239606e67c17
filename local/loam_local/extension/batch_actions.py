"""Gap: the emulator asks for IAM actions that do not exist: a batch call is authorised by the single call's action.

Source: Service Authorization Reference, "Actions, resources, and condition keys" of Amazon SNS and of Amazon SQS: neither
lists a batch action; "Amazon SQS API permissions": SendMessageBatch is granted by sqs:SendMessage, and so on.
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_GRANTED_BY = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
_theirs: Callable[..., Any]


def install() -> None:
    """Translate the action where the emulator derives it from a request (it looks the function up for each request)."""
    from ministack.core import iam_actions

    global _theirs
    _theirs = replace(iam_actions, "extract_iam_action", _action)


def _action(*arguments: Any, **named: Any) -> str | None:
    action = _theirs(*arguments, **named)
    return _GRANTED_BY.get(action, action) if action else action
