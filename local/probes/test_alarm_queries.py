"""What AWS documents about alarms over a query, and the emulator alone refuses."""

import json

from conftest import Local

_TEMPLATE = {"Resources": {"Held": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
    "Metrics": [{"Id": "found", "Expression": "SELECT SUM(ThrottledRequests) FROM \"AWS/DynamoDB\"", "Period": 60}],
    "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}}}}


def test_a_template_may_hold_an_alarm_over_a_query(local: Local) -> None:
    cloudformation, stack = local.client("cloudformation"), local.name("alarms")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(_TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    alarms = local.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{stack}-Held")["MetricAlarms"]
    assert [alarm["Threshold"] for alarm in alarms] == [0.0]
    cloudformation.delete_stack(StackName=stack)
