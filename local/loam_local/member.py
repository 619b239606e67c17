"""`member`: an operator makes a person a member of a thing, without the owner.

Every call is right for AWS as well. Run it again and nothing changes but the role. A membership of an earlier owner's time
begins anew: what the thing measured before belongs to that owner.
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
    _write(dynamodb, memberships, key, arguments.role, epoch)
    return {"user": user, "thing": arguments.thing, "role": arguments.role, "epoch": epoch}


def _write(dynamodb: Any, table: str, key: dict[str, Any], role: str, epoch: int) -> None:
    """Change the role of a membership of this epoch; else begin one."""
    item = {"TableName": table, "Key": key, "ExpressionAttributeNames": {"#role": "role"}}
    values = {":role": {"S": role}, ":epoch": {"N": str(epoch)}}
    try:
        dynamodb.update_item(**item, UpdateExpression="SET #role = :role", ConditionExpression="epoch = :epoch",
                             ExpressionAttributeValues=values)
    except dynamodb.exceptions.ConditionalCheckFailedException:
        now = {":now": {"N": str(time.time_ns() // 1_000_000)}}
        dynamodb.update_item(**item, UpdateExpression="SET #role = :role, since = :now, epoch = :epoch",
                             ExpressionAttributeValues=values | now)


def _table(tables: dict[str, str], logical_id: str) -> str:
    if logical_id not in tables:
        raise LocalError("table-not-found", f"the stack has no {logical_id}: deploy a template that declares it")
    return tables[logical_id]


def _sub(cognito: Any, pool: str | None, user: str) -> str:
    """The id that tokens carry. A user pool that signs in by mail takes the sub as a name, too; a short name is that of a
    person whom `user` made."""
    if pool is None:
        raise LocalError("output-not-found", "the stack has no output UserPoolId: deploy a template that declares it")
    for name in (user, f"{user}@example.com"):
        try:
            attributes = cognito.admin_get_user(UserPoolId=pool, Username=name)["UserAttributes"]
        except cognito.exceptions.UserNotFoundException:
            continue
        return next(each["Value"] for each in attributes if each["Name"] == "sub")
    raise LocalError("user-not-found", f"no person {user} in the stack's user pool: make one first, here with "
                     "`cargo xtask token --name <name>`, in your account in Cognito")


def _epoch(dynamodb: Any, things: str, thing: str) -> int:
    """Which owner's time it is for the thing."""
    key = {"thing": {"S": thing}, "item": {"S": "record"}}
    record = dynamodb.get_item(TableName=things, Key=key, ConsistentRead=True).get("Item")
    if record is None or record["state"]["S"] == "retired":
        raise LocalError("thing-not-found", f"no thing {thing} is registered in this stack: let it join first, or look for "
                         "its name in GET /v1/things")
    return int(record["epoch"]["N"])
