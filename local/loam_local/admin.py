"""`admin`: an IAM user with every right, because the emulator checks signatures and policies only of real users."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from loam_local import aws

_USER = "loam-admin"
_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
_ROOT = {"accessKeyId": "test", "secretAccessKey": "test"}


def run(arguments: argparse.Namespace) -> dict[str, str]:
    """The administrator's key: the kept one if it still works, otherwise a new one."""
    kept = Path(arguments.state) / "admin.json" if arguments.state else None
    if kept and kept.exists():
        key = json.loads(kept.read_text())
        if _works(key, arguments):
            return key
    key = _make(aws.client("iam", arguments.endpoint, arguments.region, _ROOT))
    if kept:
        _keep(kept, key)
    return key


def _works(key: dict[str, str], arguments: argparse.Namespace) -> bool:
    from botocore.exceptions import ClientError

    try:
        aws.client("sts", arguments.endpoint, arguments.region, key).get_caller_identity()
    except ClientError:
        return False
    return True


def _make(iam: Any) -> dict[str, str]:
    """Ensure the user and its policy, add a key. A user holds two keys at most, so older ones go first."""
    try:
        iam.create_user(UserName=_USER)
    except iam.exceptions.EntityAlreadyExistsException:
        for old in iam.list_access_keys(UserName=_USER)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=_USER, AccessKeyId=old["AccessKeyId"])
    iam.attach_user_policy(UserName=_USER, PolicyArn=_POLICY)
    made = iam.create_access_key(UserName=_USER)["AccessKey"]
    return {"accessKeyId": made["AccessKeyId"], "secretAccessKey": made["SecretAccessKey"]}


def _keep(path: Path, key: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(key, file)
