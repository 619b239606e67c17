"""What AWS documents about asynchronous invocation: by rules, topics, event buses and by call."""

import json
import re
from typing import Any

import pytest
from conftest import ACCOUNT, REGION, Local, allow, eventually


def _logged(local: Local, function: str, count: int) -> list[dict[str, Any]]:
    """The first `count` invocations that the function logged."""
    group = f"/aws/lambda/{function.rsplit(':', 1)[1]}"

    def look() -> Any:
        try:
            found = local.client("logs").filter_log_events(logGroupName=group, filterPattern="seen")["events"]
        except local.client("logs").exceptions.ResourceNotFoundException:
            return None
        seen = [json.loads(event["message"]) for event in found if event["message"].startswith("{")]
        return seen if len(seen) >= count else None
    return eventually(look)


def _with_destination(local: Local, permitted: bool = True, retries: int = 1) -> tuple[str, str]:
    url, arn = local.queue()
    function = local.function(*([allow("sqs:SendMessage", arn)] if permitted else []))
    local.client("lambda").put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=retries, MaximumEventAgeInSeconds=3600,
        DestinationConfig={"OnFailure": {"Destination": arn}})
    return function, url


def _invoke(local: Local, function: str, event: Any) -> None:
    local.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))


def test_a_rule_invokes_a_function_that_permits_it(local: Local) -> None:
    function = local.function()
    rule = local.rule("SELECT *, topic(2) AS thing FROM 'fa/+'", {"lambda": {"functionArn": function}})
    local.permit(function, "iot.amazonaws.com", SourceArn=rule, SourceAccount=ACCOUNT)
    local.publish("fa/fern", {"humidity": 31})
    assert _logged(local, function, 1)[0]["seen"] == {"humidity": 31, "thing": "fern"}


@pytest.mark.parametrize("permission", [
    None,
    {"principal": "s3.amazonaws.com"},
    {"principal": "iot.amazonaws.com", "SourceAccount": "111111111111"},
    {"principal": "iot.amazonaws.com", "SourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/another"},
])
def test_a_function_that_does_not_permit_the_rule_is_a_failed_action(local: Local, permission: Any) -> None:
    function, topic = local.function(), local.name("fb")
    if permission:
        local.permit(function, **permission)
    errors, error = local.errors()
    local.rule(f"SELECT * FROM '{topic}'", {"lambda": {"functionArn": function}}, error=error)
    local.publish(topic, {})
    (failure,) = local.received(errors)["failures"]
    assert (failure["failedAction"], failure["failedResource"]) == ("LambdaAction", function)


def test_a_missing_function_is_a_failed_action(local: Local) -> None:
    errors, error = local.errors()
    missing = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody"
    local.rule("SELECT * FROM 'fc'", {"lambda": {"functionArn": missing}}, error=error)
    local.publish("fc", {})
    assert local.received(errors)["failures"][0]["failedResource"] == missing


def test_a_failure_of_a_rules_function_is_retried_and_recorded_and_not_an_error_of_the_rule(local: Local) -> None:
    function, letters = _with_destination(local)
    errors, error = local.errors()
    rule = local.rule("SELECT * FROM 'fd'", {"lambda": {"functionArn": function}}, error=error)
    local.permit(function, "iot.amazonaws.com", SourceArn=rule)
    local.publish("fd", {"fail": True})
    record = local.received(letters)
    assert record["requestPayload"] == {"fail": True}
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert local.is_empty(errors)


def test_the_record_of_a_failure_has_the_documented_shape(local: Local) -> None:
    function, letters = _with_destination(local, retries=0)
    _invoke(local, function, {"fail": 1})
    record = local.received(letters)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("timestamp"))
    assert record.pop("requestContext").items() >= {
        "functionArn": f"{function}:$LATEST", "condition": "RetriesExhausted", "approximateInvokeCount": 1}.items()
    assert record == {
        "version": "1.0", "requestPayload": {"fail": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "told to fail", "errorType": "Told"}}


def test_all_attempts_and_the_record_carry_one_request_id(local: Local) -> None:
    function, letters = _with_destination(local, retries=2)
    _invoke(local, function, {"fail": 1})
    identity = local.received(letters)["requestContext"]["requestId"]
    assert [attempt["request"] for attempt in _logged(local, function, 3)] == [identity] * 3


def test_a_function_without_settings_is_retried_twice(local: Local) -> None:
    function = local.function()
    _invoke(local, function, {"fail": 1})
    assert len(_logged(local, function, 3)) == 3


def test_a_role_that_may_not_send_to_the_destination_loses_the_record(local: Local) -> None:
    function, letters = _with_destination(local, permitted=False, retries=0)
    permitted, arrived = _with_destination(local, retries=0)
    _invoke(local, function, {"fail": 1})
    _logged(local, function, 1)
    _invoke(local, permitted, {"fail": 1})
    local.received(arrived)
    assert local.is_empty(letters)


def test_a_dead_letter_queue_gets_the_event_alone_with_attributes(local: Local) -> None:
    url, arn = local.queue()
    function = local.function(allow("sqs:SendMessage", arn), DeadLetterConfig={"TargetArn": arn})
    _invoke(local, function, {"fail": 1})
    found = eventually(lambda: local.client("sqs").receive_message(
        QueueUrl=url, MessageAttributeNames=["All"]).get("Messages"))[0]
    assert json.loads(found["Body"]) == {"fail": 1}
    assert set(found["MessageAttributes"]) == {"RequestID", "ErrorCode", "ErrorMessage"}


def test_a_topic_invokes_asynchronously_and_needs_the_permission(local: Local) -> None:
    function, letters = _with_destination(local)
    topic = local.client("sns").create_topic(Name=local.name("topic"))["TopicArn"]
    local.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    local.client("sns").publish(TopicArn=topic, Message="not yet permitted")
    local.permit(function, "sns.amazonaws.com", SourceArn=topic)
    local.client("sns").publish(TopicArn=topic, Message="permitted")
    seen = _logged(local, function, 1)
    assert [attempt["seen"]["Records"][0]["Sns"]["Message"] for attempt in seen] == ["permitted"]
    assert local.is_empty(letters)
