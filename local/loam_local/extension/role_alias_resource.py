"""Gap: `AWS::IoT::RoleAlias` is not deployed.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iot-rolealias.html: `Ref` is
the name, `RoleAliasArn` an attribute, another name a replacement, the rest is updated in place.
"""

import json
from typing import Any

from loam_local.extension import role_aliases
from loam_local.extension.replace import original

_TYPE = "AWS::IoT::RoleAlias"
_MEMBERS = {"RoleArn": "roleArn", "CredentialDurationSeconds": "credentialDurationSeconds"}


def install() -> None:
    """Let CloudFormation make, change and delete role aliases."""
    from ministack.services.cloudformation import provisioners

    for name in ("_physical_name", "_rename_replacement", "_iot_tags", "_iot_update_tags"):
        original(provisioners, name)
    provisioners._RESOURCE_HANDLERS[_TYPE] = {"create": _create, "update": _update, "update_with_logical_id": True,
                                              "delete": _delete}
    provisioners._STACK_TAG_PROPERTY[_TYPE] = ("Tags", "list")


def _create(logical: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    from ministack.services.cloudformation import provisioners

    name = _name(logical, properties, stack)
    _done(role_aliases.create(name, _asked(properties) | {"tags": provisioners._iot_tags(properties)}))
    return name, {"RoleAliasArn": role_aliases.arn(name)}


def _update(physical: str, old: dict[str, Any], new: dict[str, Any], stack: str,
            logical: str | None = None) -> tuple[str, dict[str, str]]:
    from ministack.services.cloudformation import provisioners

    renamed = new.get("RoleAlias") != old.get("RoleAlias")
    name = _name(logical or physical, new, stack) if renamed else physical
    replaced = provisioners._rename_replacement(physical, old, new, stack, logical, name, physical, _create, _delete)
    if replaced is not None:
        return replaced
    _done(role_aliases.update(physical, {"credentialDurationSeconds": 3600} | _asked(new)))
    provisioners._iot_update_tags(role_aliases.arn(physical), old, new)
    return physical, {"RoleAliasArn": role_aliases.arn(physical)}


def _delete(physical: str, _properties: dict[str, Any]) -> None:
    """Gone already is as good."""
    if role_aliases.found(physical):
        _done(role_aliases.delete(physical))


def _name(logical: str, properties: dict[str, Any], stack: str) -> str:
    from ministack.services.cloudformation import provisioners

    return properties.get("RoleAlias") or provisioners._physical_name(stack, logical)


def _asked(properties: dict[str, Any]) -> dict[str, Any]:
    """What the API is asked for. CloudFormation hands numbers on as it finds them, often as text."""
    asked = {member: properties[name] for name, member in _MEMBERS.items() if name in properties}
    seconds = asked.get("credentialDurationSeconds")
    if isinstance(seconds, str) and seconds.isdigit():
        asked["credentialDurationSeconds"] = int(seconds)
    return asked


def _done(answer: Any) -> None:
    """CloudFormation tells a refusal as the resource's reason for failing."""
    if answer[0] >= 400:
        raise ValueError(json.loads(answer[2])["message"])
