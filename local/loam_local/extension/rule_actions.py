"""Gap: rule actions s3 and kinesis, substitution templates, the actions' roles, and failures that are failures.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-rule-actions.html
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension import roles, rule_kinesis, rule_lambda, rule_s3
from loam_local.extension.message import ActionFailed, Message, current, substituted
from loam_local.extension.replace import original, replace

_ours: dict[str, Callable[[Message, dict[str, Any], Any], None]] = {
    "kinesis": rule_kinesis.put,
    "lambda": rule_lambda.invoke,
    "s3": rule_s3.put,
}
_theirs: Callable[..., Any]
_run: Callable[..., Any]


def install() -> None:
    """Take over the dispatch of rule actions and error actions."""
    from ministack.core import iam_evaluator
    from ministack.services import iot

    global _theirs, _run
    for name in ("_eval_select_expr", "_rule_message"):
        original(iot, name)
    for name in ("evaluate", "evaluate_resource_policy", "combine_resource_policy", "_gather_role_policies",
                 "_permissions_boundary", "_resource_policy"):
        original(iam_evaluator, name)
    _theirs = replace(iot, "_dispatch_rule_action", _dispatch)
    _run = replace(iot, "_run_rule_actions", _run_with_message)
    iot._RULE_ACTION_RESOURCE_KEYS.update({"s3": ("bucketName",), "kinesis": ("streamName",)})


async def _run_with_message(account: str, region: str, rule: dict[str, Any] | None, payload: bytes, topic: str = "",
                            client_id: str | None = None) -> None:
    from ministack.services import iot

    if not rule:
        return
    payload = payload or b""
    token = current.set(Message(account, region, rule.get("ruleName", ""), rule.get("sql", ""), topic, payload,
                                iot._rule_message(payload), client_id))
    try:
        await _run(account, region, rule, payload, topic, client_id)
    finally:
        current.reset(token)


async def _dispatch(account: str, region: str, rule_name: str, action: dict[str, Any], event: Any) -> None:
    """One action or error action: substitute, check the role, then act, or let the emulator act."""
    kind = next(iter(action), "")
    message = current.get()
    parameters = substituted(action.get(kind) or {})
    if kind in _ours:
        _ours[kind](message, parameters, event)
    elif kind in _RESOURCES:
        _require_role(message, parameters.get("roleArn", ""), *_RESOURCES[kind](message, parameters))
        await _theirs(account, region, rule_name, {kind: parameters}, event)
    else:
        raise ActionFailed(f"the local AWS has no rule action {kind}")


def _require_role(message: Message, role: str, action: str, resource: str) -> None:
    refused = roles.refusal(role, "iot.amazonaws.com", action, resource, message.region, message.rule_arn)
    if refused:
        raise ActionFailed(refused)


def _queue(message: Message, parameters: dict[str, Any]) -> tuple[str, str]:
    name = parameters.get("queueUrl", "").rstrip("/").rsplit("/", 1)[-1]
    return "sqs:SendMessage", f"arn:aws:sqs:{message.region}:{message.account}:{name}"


def _table(message: Message, parameters: dict[str, Any]) -> tuple[str, str]:
    name = parameters.get("putItem", {}).get("tableName", "")
    return "dynamodb:PutItem", f"arn:aws:dynamodb:{message.region}:{message.account}:table/{name}"


def _republished(message: Message, parameters: dict[str, Any]) -> tuple[str, str]:
    topic = parameters.get("topic", "")
    return "iot:Publish", f"arn:aws:iot:{message.region}:{message.account}:topic/{topic}"


_RESOURCES: dict[str, Callable[[Message, dict[str, Any]], tuple[str, str]]] = {
    "dynamoDBv2": _table,
    "republish": _republished,
    "sns": lambda _message, parameters: ("sns:Publish", parameters.get("targetArn", "")),
    "sqs": _queue,
}
