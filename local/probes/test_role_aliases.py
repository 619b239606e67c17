"""Role aliases: the registry's operations, their limits and rights, and the CloudFormation resource."""

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Local, allow, document
from loam_local import aws

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/loam"
_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}:rolealias"


def _code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def _described(local: Local, name: str) -> dict[str, Any]:
    return dict(local.client("iot").describe_role_alias(roleAlias=name)["roleAliasDescription"])


def test_an_alias_is_described_as_it_was_made(local: Local) -> None:
    name = local.name("alias")
    made = local.client("iot").create_role_alias(roleAlias=name, roleArn=_ROLE)
    assert (made["roleAlias"], made["roleAliasArn"]) == (name, f"{_ARN}/{name}")
    found = _described(local, name)
    assert (found["roleArn"], found["credentialDurationSeconds"], found["owner"]) == (_ROLE, 3600, ACCOUNT)
    assert found["creationDate"] == found["lastModifiedDate"]


def test_an_update_changes_what_it_names(local: Local) -> None:
    iot, name = local.client("iot"), local.name("alias")
    iot.create_role_alias(roleAlias=name, roleArn=_ROLE)
    iot.update_role_alias(roleAlias=name, credentialDurationSeconds=900)
    assert (_described(local, name)["roleArn"], _described(local, name)["credentialDurationSeconds"]) == (_ROLE, 900)
    iot.update_role_alias(roleAlias=name, roleArn=f"{_ROLE}2")
    assert (_described(local, name)["roleArn"], _described(local, name)["credentialDurationSeconds"]) == (f"{_ROLE}2", 900)


@pytest.mark.parametrize(("seconds", "outside"), [(900, 899), (43200, 43201)])
def test_credentials_last_15_minutes_at_least_and_12_hours_at_most(local: Local, seconds: int, outside: int) -> None:
    # The SDK itself knows the least value.
    iot = boto3.client("iot", endpoint_url=local.endpoint, region_name=REGION,
                       config=Config(parameter_validation=False), aws_access_key_id=local.key["accessKeyId"],
                       aws_secret_access_key=local.key["secretAccessKey"])
    name = local.name("alias")
    iot.create_role_alias(roleAlias=name, roleArn=_ROLE, credentialDurationSeconds=seconds)
    assert _code(iot.update_role_alias, roleAlias=name, credentialDurationSeconds=outside) == "InvalidRequestException"
    assert _described(local, name)["credentialDurationSeconds"] == seconds


@pytest.mark.parametrize("name", ["a.b", "a:b", "a" * 129, "ä"])
def test_a_name_outside_aws_s_characters_is_refused(local: Local, name: str) -> None:
    call = local.client("iot").create_role_alias
    assert _code(call, roleAlias=name, roleArn=_ROLE) == "InvalidRequestException"


def test_a_name_may_have_each_of_aws_s_characters(local: Local) -> None:
    name = f"{local.name('alias')}_=,@-" + "x" * 100
    local.client("iot").create_role_alias(roleAlias=name, roleArn=_ROLE)
    assert _described(local, name)["roleAliasArn"] == f"{_ARN}/{name}"


def test_an_alias_that_exists_is_not_made_again_and_one_that_does_not_is_not_found(local: Local) -> None:
    iot, name = local.client("iot"), local.name("alias")
    iot.create_role_alias(roleAlias=name, roleArn=_ROLE)
    assert _code(iot.create_role_alias, roleAlias=name, roleArn=_ROLE) == "ResourceAlreadyExistsException"
    iot.delete_role_alias(roleAlias=name)
    for call in (iot.describe_role_alias, iot.delete_role_alias, iot.update_role_alias):
        assert _code(call, roleAlias=name) == "ResourceNotFoundException"


def test_a_list_is_paged_in_alphabetical_order(local: Local) -> None:
    iot, prefix = local.client("iot"), local.name("list")
    for letter in "bac":
        iot.create_role_alias(roleAlias=f"{prefix}-{letter}", roleArn=_ROLE)
    found: list[str] = []
    marker: dict[str, str] = {}
    while True:
        page = iot.list_role_aliases(pageSize=1, ascendingOrder=True, **marker)
        found += page["roleAliases"]
        if "nextMarker" not in page:
            break
        marker = {"marker": page["nextMarker"]}
    assert [name for name in found if name.startswith(prefix)] == [f"{prefix}-{letter}" for letter in "abc"]


def test_a_right_on_one_alias_is_none_on_another(local: Local) -> None:
    iam, user, name = local.client("iam"), local.name("user"), local.name("alias")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(allow("iot:*", f"{_ARN}/{name}")))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    mine = aws.client("iot", local.endpoint, REGION, {"accessKeyId": key["AccessKeyId"],
                                                      "secretAccessKey": key["SecretAccessKey"]})
    mine.create_role_alias(roleAlias=name, roleArn=_ROLE)
    denied = _code(mine.create_role_alias, roleAlias=f"{name}2", roleArn=_ROLE)
    assert denied in ("AccessDeniedException", "AccessDenied", "UnauthorizedException")


def _template(name: str, **properties: Any) -> str:
    alias = {"Type": "AWS::IoT::RoleAlias", "Properties": {"RoleAlias": name, "RoleArn": _ROLE} | properties}
    return json.dumps({"Resources": {"Alias": alias}, "Outputs": {
        "Name": {"Value": {"Ref": "Alias"}}, "Arn": {"Value": {"Fn::GetAtt": ["Alias", "RoleAliasArn"]}}}})


def _deployed(local: Local, stack: str, template: str, kind: str = "create") -> dict[str, str]:
    cloudformation = local.client("cloudformation")
    getattr(cloudformation, f"{kind}_stack")(StackName=stack, TemplateBody=template)
    cloudformation.get_waiter(f"stack_{kind}_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
    return aws.outputs(aws.stack(cloudformation, stack))


def test_a_stack_makes_updates_renames_and_deletes_an_alias(local: Local) -> None:
    stack, name = local.name("stack"), local.name("alias")
    assert _deployed(local, stack, _template(name)) == {"Name": name, "Arn": f"{_ARN}/{name}"}
    assert _described(local, name)["credentialDurationSeconds"] == 3600
    _deployed(local, stack, _template(name, CredentialDurationSeconds=900), "update")
    assert _described(local, name)["credentialDurationSeconds"] == 900
    assert _deployed(local, stack, _template(f"{name}2"), "update")["Arn"] == f"{_ARN}/{name}2"
    assert _described(local, f"{name}2")["credentialDurationSeconds"] == 3600
    describe = local.client("iot").describe_role_alias
    assert _code(describe, roleAlias=name) == "ResourceNotFoundException"
    local.client("cloudformation").delete_stack(StackName=stack)
    local.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
    assert _code(describe, roleAlias=f"{name}2") == "ResourceNotFoundException"


def test_a_stack_without_a_name_for_its_alias_gets_one(local: Local) -> None:
    stack = local.name("stack")
    template = json.loads(_template("x"))
    del template["Resources"]["Alias"]["Properties"]["RoleAlias"]
    name = _deployed(local, stack, json.dumps(template))["Name"]
    assert name.startswith(stack) and _described(local, name)["roleArn"] == _ROLE
