"""The message that a rule is being evaluated for, and substitution templates over it."""

import contextvars
import json
import re
from dataclasses import dataclass
from typing import Any

_TEMPLATE = re.compile(r"\$\{([^}]*)\}")


class ActionFailed(Exception):
    """A rule's action did not do its work. The text becomes `errorMessage` of the rule's error document."""


@dataclass(frozen=True)
class Message:
    """What was published, and the rule that takes it. `value` is the decoded payload as rule SQL sees it."""

    account: str
    region: str
    rule: str
    sql: str
    topic: str
    payload: bytes
    value: Any
    client: str | None

    @property
    def rule_arn(self) -> str:
        """The rule's ARN, which a function's permission names as SourceArn."""
        return f"arn:aws:iot:{self.region}:{self.account}:rule/{self.rule}"


current: contextvars.ContextVar[Message] = contextvars.ContextVar("loam_rule_message")


def substituted(value: Any) -> Any:
    """The action's parameters with every `${expression}` replaced, `roleArn` excepted.

    Expressions see the original payload, never an alias of the SELECT clause.
    Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-substitution-templates.html
    """
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda found: _evaluated(found.group(1)), value)
    if isinstance(value, list):
        return [substituted(item) for item in value]
    if isinstance(value, dict):
        return {name: item if name == "roleArn" else substituted(item) for name, item in value.items()}
    return value


def _evaluated(expression: str) -> str:
    from ministack.services import iot

    message = current.get()
    found = iot._eval_select_expr(expression, message.topic, message.payload, message.value, message.client)
    if found is iot._MISSING:
        raise ActionFailed(f"the substitution template ${{{expression}}} is undefined for this message")
    return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"), ensure_ascii=False)
