"""Where the record of an asynchronous invocation goes: on-failure and on-success destinations, dead-letter queues.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from datetime import UTC, datetime
from typing import Any

from loam_local.extension import roles

_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}


class Undelivered(Exception):
    """The function's role may not reach the destination, or it does not exist. AWS counts it and drops the record."""


def record(settings: dict[str, Any], invocation: Any, condition: str) -> None:
    """Send what the function's settings ask for. Raises `Undelivered`."""
    targets = settings.get("DestinationConfig") or {}
    kind = "OnSuccess" if condition == "Success" else "OnFailure"
    target = (targets.get(kind) or {}).get("Destination")
    if target:
        deliver(invocation.config, target, json.dumps(_record(invocation, condition)), {})
    dead_letters = (invocation.config.get("DeadLetterConfig") or {}).get("TargetArn")
    if dead_letters and condition != "Success":
        deliver(invocation.config, dead_letters, json.dumps(invocation.event), _dead_letter_attributes(invocation))


def _record(invocation: Any, condition: str) -> dict[str, Any]:
    version = invocation.config.get("Version") or "$LATEST"
    made = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": invocation.request,
            "functionArn": f"{_unqualified(invocation.config)}:{version}",
            "condition": condition,
            "approximateInvokeCount": invocation.attempts,
        },
        "requestPayload": invocation.event,
        "responseContext": {"statusCode": 200, "executedVersion": version},
        "responsePayload": (invocation.last or {}).get("body"),
    }
    if condition != "Success":
        made["responseContext"]["functionError"] = "Unhandled"
    return made


def _unqualified(config: dict[str, Any]) -> str:
    return ":".join(config["FunctionArn"].split(":")[:7])


def _dead_letter_attributes(invocation: Any) -> dict[str, Any]:
    body = (invocation.last or {}).get("body")
    text = body.get("errorMessage", "") if isinstance(body, dict) else ""
    values = {"RequestID": invocation.request, "ErrorCode": "200", "ErrorMessage": text[:1024] or "Unhandled"}
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def deliver(config: dict[str, Any], target: str, body: str, attributes: dict[str, Any]) -> None:
    """Send under the role of the function with this configuration. Raises `Undelivered`."""
    service, region = target.split(":")[2], target.split(":")[3]
    if service not in _ACTIONS:
        raise Undelivered(f"the local AWS has no destination of the kind {target}")
    refused = roles.refusal(config.get("Role", ""), "lambda.amazonaws.com", _ACTIONS[service], target,
                            region, _unqualified(config))
    if refused:
        raise Undelivered(refused)
    {"sqs": _send, "sns": _publish, "lambda": _invoke}[service](target, body, attributes)


def _send(target: str, body: str, attributes: dict[str, Any]) -> None:
    from ministack.services import sqs

    queue = sqs._queue_by_arn(target)
    if queue is None:
        raise Undelivered(f"there is no queue {target}")
    sqs._act_send_message({"MessageBody": body, "MessageAttributes": attributes}, queue["url"])


def _publish(target: str, body: str, attributes: dict[str, Any]) -> None:
    from ministack.services import sns

    if sns.publish_internal(target, body, message_attributes=attributes) is None:
        raise Undelivered(f"there is no topic {target}")


def _invoke(target: str, body: str, _attributes: dict[str, Any]) -> None:
    from ministack.services import lambda_svc

    from loam_local.extension import asynchronous

    function, config, _name = lambda_svc._get_func_record_for_ref(target)
    if not function or not config:
        raise Undelivered(f"there is no function {target}")
    asynchronous.invoke(lambda_svc._execution_record_for_config(function, config), json.loads(body))
