"""What is remembered of policies."""

from typing import Any

from botocore.exceptions import ClientError
from conftest import REGION, Local, document
from loam_local import aws


def _may(call: Any) -> bool:
    try:
        call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_a_changed_policy_counts_with_the_next_request(local: Local) -> None:
    iam, user = local.client("iam"), local.name("user")
    iam.create_user(UserName=user)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    kms = aws.client("kms", local.endpoint, REGION, {"accessKeyId": made["AccessKeyId"],
                                                     "secretAccessKey": made["SecretAccessKey"]})
    for effect in ("Allow", "Deny", "Allow"):
        statement = {"Effect": effect, "Action": "kms:List*", "Resource": "*"}
        iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(statement))
        assert [_may(kms.list_keys), _may(kms.list_aliases)] == [effect == "Allow"] * 2
    iam.delete_user_policy(UserName=user, PolicyName="may")
    assert not _may(kms.list_keys)
