"""Gap: SNS and EventBridge invoke functions asynchronously, with retries; the emulator calls once and forgets.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import json
import logging
from typing import Any

from loam_local.extension import asynchronous, roles
from loam_local.extension.replace import replace

_log = logging.getLogger("loam.fan_out")


def install() -> None:
    """Take over the delivery of SNS messages and EventBridge events to functions."""
    from ministack.services import eventbridge, sns

    replace(sns, "_deliver_to_lambda", _from_topic)
    replace(eventbridge, "_dispatch_to_lambda", _from_event_bus)


def _from_topic(endpoint: str, envelope: str, topic_arn: str, sub_arn: str, msg_id: str, raw_message: str,
                message_attributes: dict[str, Any]) -> None:
    record = {"EventVersion": "1.0", "EventSubscriptionArn": sub_arn, "EventSource": "aws:sns",
              "Sns": json.loads(envelope)}
    _invoke(endpoint, {"Records": [record]}, "sns.amazonaws.com", topic_arn)


def _from_event_bus(arn: str, payload: Any) -> None:
    try:
        event = json.loads(payload)
    except (json.JSONDecodeError, TypeError):
        event = {"body": payload}
    _invoke(arn, event, None, "")


def _invoke(arn: str, event: Any, service: str | None, source: str) -> None:
    """`service` None: the emulator does not hand us the rule's ARN, so the permission stays unchecked."""
    from ministack.services import lambda_svc

    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        _log.warning("no function %s: the event is dropped", name)
        return
    region, account = arn.split(":")[3:5]
    if service and not roles.service_may(function.get("policy"), service, "lambda:InvokeFunction", arn, region, source,
                                         account):
        _log.warning("%s may not invoke %s for %s: the event is dropped", service, name, source)
        return
    asynchronous.invoke(lambda_svc._execution_record_for_config(function, config), event)
