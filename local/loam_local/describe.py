"""`describe`: everything that a test or a person needs to know about a deployed stack."""

import argparse
import json
from typing import Any

from loam_local import aws


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The stack's outputs, resources, functions with their roles' credentials, and rules."""

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    cloudformation = client("cloudformation")
    stack = aws.stack(cloudformation, arguments.stack)
    resources = aws.resources(cloudformation, arguments.stack)
    by_type: dict[str, dict[str, str]] = {}
    for resource in resources:
        by_type.setdefault(resource["ResourceType"], {})[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]
    iot = client("iot")

    def host(kind: str) -> str:
        return iot.describe_endpoint(endpointType=kind)["endpointAddress"].partition(":")[0]

    return {
        "region": arguments.region,
        "account": stack["StackId"].split(":")[4],
        "endpoint": arguments.endpoint,
        "iotEndpoint": host("iot:Data-ATS"),
        "mqttPort": aws.mqtt_port(arguments.endpoint, arguments.mqtt_port),
        "credentialsEndpoint": host("iot:CredentialProvider"),
        "credentialsPort": aws.credentials_port(arguments.endpoint),
        "outputs": aws.outputs(stack),
        "resources": {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources},
        "functions": _functions(client("lambda"), arguments.endpoint, by_type.get("AWS::Lambda::Function", {})),
        "rules": {logical: _rule(iot, name) for logical, name in by_type.get("AWS::IoT::TopicRule", {}).items()},
    }


def _functions(client: Any, endpoint: str, names: dict[str, str]) -> dict[str, Any]:
    if not names:
        return {}
    pages = client.get_paginator("list_functions").paginate()
    configured = {function["FunctionName"]: function for page in pages for function in page["Functions"]}
    return {logical: _function(endpoint, configured[name]) for logical, name in names.items() if name in configured}


def _function(endpoint: str, function: dict[str, Any]) -> dict[str, Any]:
    found = aws.fetch(endpoint, f"/_loam/credentials/{function['FunctionName']}")
    return {
        "name": function["FunctionName"],
        "arn": function["FunctionArn"],
        "role": function["Role"],
        "environment": function.get("Environment", {}).get("Variables", {}),
        "timeout": function["Timeout"],
        "memory": function["MemorySize"],
        "credentials": json.loads(found) if found else None,
    }


def _rule(iot: Any, name: str) -> dict[str, str]:
    return {"name": name, "sql": iot.get_topic_rule(ruleName=name)["rule"]["sql"]}
