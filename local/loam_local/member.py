"""`member`: an operator makes a person a member of a thing, until owners pair things themselves.

Every call is right for AWS as well. Run it again and nothing changes but the role.
"""

import argparse
import time
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write or remove the membership; it belongs to the thing's present epoch."""
    where = (arguments.endpoint, arguments.region)
    cloudformation = aws.client("cloudformation", *where)
    pool = aws.outputs(aws.stack(cloudformation, arguments.stack)).get("UserPoolId")
    tables = {each["LogicalResourceId"]: each["PhysicalResourceId"]
              for each in aws.resources(cloudformation, arguments.stack)}
    dynamodb = aws.client("dynamodb", *where)
    user = _sub(aws.client("cognito-idp", *where), pool, arguments.user)
    key = {"user": {"S": user}, "thing": {"S": arguments.thing}}
    memberships = _table(tables, "MembershipsTable")
    if arguments.remove:
        dynamodb.delete_item(TableName=memberships, Key=key)
        return {"user": user, "thing": arguments.thing, "role": None}
    epoch = _epoch(dynamodb, _table(tables, "ThingsTable"), arguments.thing)
    dynamodb.update_item(
        TableName=memberships, Key=key,
        UpdateExpression="SET #role = :role, since = if_not_exists(since, :now), epoch = :epoch",
        ExpressionAttributeNames={"#role": "role"},
        ExpressionAttributeValues={":role": {"S": arguments.role}, ":epoch": {"N": str(epoch)},
                                   ":now": {"N": str(time.time_ns() // 1_000_000)}})
    return {"user": user, "thing": arguments.thing, "role": arguments.role, "epoch": epoch}


def _table(tables: dict[str, str], logical_id: str) -> str:
    if logical_id not in tables:
        raise LocalError("table-not-found", f"the stack has no {logical_id}: deploy a template that declares it")
    return tables[logical_id]


def _sub(cognito: Any, pool: str | None, user: str) -> str:
    """The id that tokens carry. A user pool that signs in by mail takes the sub as a name, too."""
    if pool is None:
        raise LocalError("output-not-found", "the stack has no output UserPoolId: deploy a template that declares it")
    try:
        attributes = cognito.admin_get_user(UserPoolId=pool, Username=user)["UserAttributes"]
    except cognito.exceptions.UserNotFoundException as error:
        raise LocalError("user-not-found", f"no person {user} in the stack's user pool: make one first") from error
    return next(each["Value"] for each in attributes if each["Name"] == "sub")


def _epoch(dynamodb: Any, things: str, thing: str) -> int:
    """Which owner's time it is for the thing."""
    key = {"thing": {"S": thing}, "item": {"S": "record"}}
    record = dynamodb.get_item(TableName=things, Key=key, ConsistentRead=True).get("Item")
    if record is None or record["state"]["S"] == "retired":
        raise LocalError("thing-not-found", f"no thing {thing} is registered in this stack: let it join first")
    return int(record["epoch"]["N"])
