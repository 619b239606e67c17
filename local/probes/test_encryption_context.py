"""What policies see of the encryption context of a call to KMS."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import REGION, Local, document
from loam_local import aws

_MINE = {"thing": "fern"}


@pytest.fixture(scope="module")
def key(local: Local) -> str:
    """The ARN of a key that all probes here share."""
    return str(local.client("kms").create_key()["KeyMetadata"]["Arn"])


def _user(local: Local, key: str, action: str, **conditions: dict[str, Any]) -> Any:
    """A client of a user who may do the action on the key under these conditions."""
    iam, user = local.client("iam"), local.name("user")
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": action, "Resource": key,
                 "Condition": {name.replace("_", ":"): value for name, value in conditions.items()}}
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(statement))
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return aws.client("kms", local.endpoint, REGION, {"accessKeyId": made["AccessKeyId"],
                                                      "secretAccessKey": made["SecretAccessKey"]})


def _denied(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return True
    return False


def test_a_pair_s_value_is_compared_in_each_operation(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:*", StringEquals={"kms:EncryptionContext:thing": "fern"})
    sealed = {name: local.client("kms").encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"thing": name})
              ["CiphertextBlob"] for name in ("fern", "moss")}
    for name, denied in (("fern", False), ("moss", True)):
        context: dict[str, Any] = {"EncryptionContext": {"thing": name}}
        assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", **context) == denied
        assert _denied(kms.decrypt, CiphertextBlob=sealed[name], **context) == denied
        assert _denied(kms.generate_data_key, KeyId=key, KeySpec="AES_256", **context) == denied
        assert _denied(kms.generate_data_key_without_plaintext, KeyId=key, KeySpec="AES_256", **context) == denied


def test_a_pair_that_is_missing_equals_nothing(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", StringEquals={"kms:EncryptionContext:thing": "fern"})
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"other": "fern"})


def test_a_pair_s_key_is_compared_in_any_case_and_its_value_as_it_is(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", StringEquals={"kms:EncryptionContext:Thing": "fern"})
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"tHING": "fern"})
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"thing": "Fern"})


def test_null_forbids_a_pair(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", Null={"kms:EncryptionContext:use": "true"})
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE)
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE | {"use": "archive"})


def test_null_of_all_keys_demands_a_context(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", Null={"kms:EncryptionContextKeys": "false"})
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE)
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={})


def test_for_all_values_lets_no_other_key_pass(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", ForAllValues_StringEquals={"kms:EncryptionContextKeys": ["thing", "part"]})
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE)
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x")
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE | {"other": "1"})


def test_for_any_value_wants_one_of_the_keys(local: Local, key: str) -> None:
    kms = _user(local, key, "kms:Encrypt", ForAnyValue_StringEquals={"kms:EncryptionContextKeys": "thing"})
    assert not _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext=_MINE | {"other": "1"})
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"other": "1"})
    assert _denied(kms.encrypt, KeyId=key, Plaintext=b"x")
