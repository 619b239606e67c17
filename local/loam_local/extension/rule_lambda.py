"""Gap: rule action lambda is an asynchronous invocation that the function's own policy must allow.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html
"""

from typing import Any

from loam_local.extension import asynchronous, roles
from loam_local.extension.message import ActionFailed, Message


def invoke(message: Message, parameters: dict[str, Any], event: Any) -> None:
    """Hand the rule's output to the function's queue. Raises `ActionFailed` when it is missing or does not allow it."""
    from ministack.services import lambda_svc

    arn = parameters.get("functionArn", "")
    function, config, _name = lambda_svc._get_func_record_for_ref_in_scope(
        arn, account_id=message.account, region=message.region)
    if not function or not config:
        raise ActionFailed(f"Failed to invoke lambda function. Function not found: {arn}")
    if not roles.service_may(function.get("policy"), "iot.amazonaws.com", "lambda:InvokeFunction", arn,
                             message.region, message.rule_arn, message.account):
        raise ActionFailed(f"Failed to invoke lambda function. iot.amazonaws.com is not authorized to perform: "
                           f"lambda:InvokeFunction on resource: {arn} for {message.rule_arn}")
    asynchronous.invoke(lambda_svc._execution_record_for_config(function, config), event)
