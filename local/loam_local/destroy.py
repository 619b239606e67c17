"""`destroy`: delete a stack, on AWS or the local AWS, after removing what keeps AWS from deleting it.

AWS refuses to delete an IoT policy that is attached and a bucket that is not empty. What the template retains
(DeletionPolicy) is left as it is, its contents included.
"""

import argparse
from collections.abc import Iterator
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError

_BATCH = 1000


def run(arguments: argparse.Namespace) -> None:
    """Detach, empty, delete, wait, and say what was done and what remains."""

    def client(service: str) -> Any:
        return aws.client(service, arguments.endpoint, arguments.region)

    cloudformation = client("cloudformation")
    stack = aws.stack(cloudformation, arguments.stack)
    kept = _retained(cloudformation, stack)
    resources = [r for r in aws.resources(cloudformation, arguments.stack) if r["LogicalResourceId"] not in kept]
    for policy in _of(resources, "AWS::IoT::Policy"):
        _detach(client("iot"), policy)
    for bucket in _of(resources, "AWS::S3::Bucket"):
        _empty(client("s3"), bucket)
    _delete(cloudformation, stack)
    if kept:
        print(f"kept, because the template says so: {', '.join(sorted(kept))}", flush=True)
    for key in _of(resources, "AWS::KMS::Key"):
        print(f"key {key} is deleted after its waiting period", flush=True)


def _of(resources: list[dict[str, Any]], kind: str) -> list[str]:
    return [resource["PhysicalResourceId"] for resource in resources if resource["ResourceType"] == kind]


def _retained(cloudformation: Any, stack: dict[str, Any]) -> set[str]:
    """Logical ids that the deployed template, transforms applied, keeps on delete."""
    body = cloudformation.get_template(StackName=stack["StackName"], TemplateStage="Processed")["TemplateBody"]
    if isinstance(body, str):
        from samtranslator.yaml_helper import yaml_parse

        body = yaml_parse(body)
    values = {given["ParameterKey"]: given["ParameterValue"] for given in stack.get("Parameters", [])}
    policies = {logical: resource.get("DeletionPolicy") for logical, resource in body["Resources"].items()}
    return {logical for logical, policy in policies.items()
            if (values.get(policy["Ref"]) if isinstance(policy, dict) else policy) == "Retain"}


def _detach(iot: Any, policy: str) -> None:
    try:
        pages = list(iot.get_paginator("list_targets_for_policy").paginate(policyName=policy))
    except iot.exceptions.ResourceNotFoundException:
        return
    targets = [target for page in pages for target in page["targets"]]
    for target in targets:
        iot.detach_policy(policyName=policy, target=target)
    print(f"policy {policy}: detached from {len(targets)}", flush=True)


def _empty(s3: Any, bucket: str) -> None:
    """Delete every version, delete marker and unfinished upload."""
    from botocore.exceptions import ClientError

    count = 0
    try:
        for batch in _batches(s3, bucket):
            failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get("Errors", [])
            if failed:
                raise LocalError("bucket-not-emptied", f"bucket {bucket}: {failed[0]['Key']} cannot be deleted "
                                 f"({failed[0]['Code']}): remove it yourself and run destroy again")
            count += len(batch)
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
    print(f"bucket {bucket}: {count} object versions deleted", flush=True)


def _batches(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=_BATCH)
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not found:
            return
        yield [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]


def _delete(cloudformation: Any, stack: dict[str, Any]) -> None:
    from botocore.exceptions import ClientError, WaiterError

    print(f"stack {stack['StackName']}: deleting", flush=True)
    delay = {"Delay": 1 if aws.is_local(cloudformation) else 10, "MaxAttempts": 360}
    try:
        cloudformation.delete_stack(StackName=stack["StackId"])
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack["StackId"], WaiterConfig=delay)
    except (ClientError, WaiterError) as error:
        raise LocalError("stack-not-deleted", f"{error}: see the stack's events, remove what they name, run destroy "
                         "again") from error
    print(f"stack {stack['StackName']}: deleted", flush=True)
