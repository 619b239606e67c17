"""`logs`: every line that a stack's functions have logged, by log group."""

import argparse
from typing import Any

from loam_local import aws


def run(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """All events of the log groups that the stack's template made."""

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    resources = aws.resources(client("cloudformation"), arguments.stack)
    groups = [r["PhysicalResourceId"] for r in resources if r["ResourceType"] == "AWS::Logs::LogGroup"]
    return {group: _lines(client("logs"), group) for group in groups}


def _lines(logs: Any, group: str) -> list[str]:
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]
