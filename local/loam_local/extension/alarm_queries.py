"""Gap: CloudFormation's alarms over a query or metric math (`Metrics`) are refused. Here they exist and never fire.

Source: "AWS::CloudWatch::Alarm" in the CloudFormation reference: an alarm has either `MetricName` or `Metrics`.
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

# The emulator wants one metric; an alarm without one is stored and never evaluated.
_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "Period")
_theirs: Callable[..., dict[str, Any]]


def install() -> None:
    """Store such an alarm with its queries (the emulator looks the function up for each alarm)."""
    from ministack.services.cloudformation import provisioners

    global _theirs
    _theirs = replace(provisioners, "_cw_metric_alarm_record", _record)


def _record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    queries = properties.get("Metrics")
    if not queries:
        return _theirs(name, properties)
    alone = {key: value for key, value in properties.items() if key != "Metrics"}
    stored = _theirs(name, alone | {"MetricName": "-", "Namespace": "-"})
    return {key: value for key, value in stored.items() if key not in _ONE_METRIC} | {"Metrics": queries}
