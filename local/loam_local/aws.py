"""Clients for AWS or the local AWS. boto3 is imported on first use, because it takes longer than most verbs."""

import json
import urllib.error
import urllib.request
from typing import Any

from loam_local.errors import LocalError


def client(service: str, endpoint: str | None, region: str, key: dict[str, str] | None = None) -> Any:
    """A boto3 client; `key` holds accessKeyId, secretAccessKey and perhaps sessionToken; without it the ordinary credentials
    are used.

    `endpoint` None leaves the choice to the SDK (AWS_ENDPOINT_URL, or AWS itself).
    """
    import boto3

    named = {} if key is None else {"aws_access_key_id": key["accessKeyId"],
                                    "aws_secret_access_key": key["secretAccessKey"],
                                    "aws_session_token": key.get("sessionToken")}
    return boto3.client(service, endpoint_url=endpoint, region_name=region, **named)


def is_local(client: Any) -> bool:
    """Whether the client speaks to the local AWS, where waiting is idle."""
    return ".localhost" in client.meta.endpoint_url or "127.0.0.1" in client.meta.endpoint_url


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    """The outputs of a stack as DescribeStacks gives it."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def stack(cloudformation: Any, name: str) -> dict[str, Any]:
    """The stack as DescribeStacks gives it. Raises `stack-not-found`."""
    from botocore.exceptions import ClientError

    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise LocalError("aws-refused", f"{error}: check the credentials, the region and the endpoint") from error
        raise LocalError("stack-not-found", f"there is no stack {name} at {cloudformation.meta.endpoint_url}: deploy "
                         "it first, or name another with --stack") from error


def resources(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    """Every resource of the stack that exists."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    found = [summary for page in pages for summary in page["StackResourceSummaries"]]
    return [resource for resource in found if resource.get("PhysicalResourceId")]


def fetch(endpoint: str, path: str) -> bytes | None:
    """GET a route of the local AWS that is no AWS API; None when there is no such route (as on AWS)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(endpoint.rstrip("/") + path, timeout=10) as answer:
            return answer.read()
    except urllib.error.URLError:
        return None


def mqtt_port(endpoint: str | None, given: int | None) -> int:
    """The MQTT port with mutual TLS: as given, as the local AWS says, or AWS's 8883."""
    return given if given is not None else _port(endpoint, "mqttPort", 8883)


def credentials_port(endpoint: str | None) -> int:
    """The port of the credentials provider: as the local AWS says, or AWS's 443."""
    return _port(endpoint, "credentialsPort", 443)


def _port(endpoint: str | None, name: str, otherwise: int) -> int:
    answer = fetch(endpoint, "/_loam/info") if endpoint else None
    return json.loads(answer)[name] if answer else otherwise
