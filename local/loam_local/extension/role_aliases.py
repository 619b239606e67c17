"""Gap: role aliases, the names under which devices ask for the credentials of a role.

Sources: https://docs.aws.amazon.com/iot/latest/apireference/API_CreateRoleAlias.html and its siblings for Describe,
Update, Delete and List. AWS's wording for an alias that exists, or does not, is not known.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import original, replace

_LIST = "/role-aliases"
_ONE = "/role-aliases/"
_NAME = re.compile(r"[\w=,@-]{1,128}", re.ASCII)
_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
_ROLE_LENGTH = range(20, 2049)
_SECONDS = range(900, 43201)
_DEFAULT_SECONDS = 3600
_MOST = 250
_USUAL = 25
# An AccountRegionScopedDict of the emulator, as its other registries are.
_aliases: Any
_route: Callable[..., Any]
_reset: Callable[..., None]


def install() -> None:
    """Answer the five operations."""
    from ministack.core.responses import AccountRegionScopedDict
    from ministack.services import iot

    global _aliases, _route, _reset
    for name in ("_parse_body", "_tags_error", "_set_created_tags", "_job_validation_clause", "_job_validation_error"):
        original(iot, name)
    _aliases = AccountRegionScopedDict()
    iot._TAGGABLE_RESOURCES["rolealias"] = (_aliases, "Role alias {name} does not exist.")
    _route = replace(iot, "_route_request", _routed)
    _reset = replace(iot, "reset", _forget)


def found(name: str) -> dict[str, Any] | None:
    """The alias in the account and region of the request, as DescribeRoleAlias tells it."""
    return _aliases.get(name)


def arn(name: str) -> str:
    """The alias's ARN in the account and region of the request."""
    from ministack.core.responses import get_account_id, get_region

    return f"arn:aws:iot:{get_region()}:{get_account_id()}:rolealias/{name}"


async def _routed(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    from ministack.core.responses import json_response
    from ministack.services import iot

    if path == _LIST and method == "GET":
        return _page({name: value[0] if isinstance(value, list) else value for name, value in query.items()})
    if not path.startswith(_ONE) or method not in ("POST", "GET", "PUT", "DELETE"):
        return await _route(method, path, headers, body, query)
    name = path.removeprefix(_ONE)
    if method == "POST":
        return create(name, iot._parse_body(body))
    if method == "PUT":
        return update(name, iot._parse_body(body))
    if method == "DELETE":
        return delete(name)
    return json_response({"roleAliasDescription": found(name)}) if found(name) else _missing(name)


def create(name: str, asked: dict[str, Any]) -> Any:
    """CreateRoleAlias. The role need not exist, as on AWS: the device is told when it asks."""
    from ministack.core.responses import error_response_json, get_account_id
    from ministack.services import iot

    alias = {"credentialDurationSeconds": _DEFAULT_SECONDS} | asked
    refused = _refusal(name, alias) or iot._tags_error(asked.get("tags"), required=False)
    if refused:
        return refused
    if found(name):
        return error_response_json("ResourceAlreadyExistsException", f"Role alias {name} already exists", 409)
    now = iot._now_epoch()
    _aliases[name] = {"roleAlias": name, "roleAliasArn": arn(name), "roleArn": alias["roleArn"],
                      "owner": get_account_id(), "credentialDurationSeconds": alias["credentialDurationSeconds"],
                      "creationDate": now, "lastModifiedDate": now}
    iot._set_created_tags(arn(name), asked.get("tags"))
    return _named(name)


def update(name: str, asked: dict[str, Any]) -> Any:
    """UpdateRoleAlias: what is not named stays."""
    from ministack.services import iot

    alias = found(name)
    if alias is None:
        return _missing(name)
    changed = {member: asked.get(member, alias[member]) for member in ("roleArn", "credentialDurationSeconds")}
    refused = _refusal(name, changed)
    if refused:
        return refused
    _aliases[name] = alias | changed | {"lastModifiedDate": iot._now_epoch()}
    return _named(name)


def delete(name: str) -> Any:
    """DeleteRoleAlias."""
    from ministack.core.responses import json_response
    from ministack.services import iot

    if _aliases.pop(name, None) is None:
        return _missing(name)
    iot._tags.pop(arn(name), None)
    return json_response({})


def _refusal(name: str, alias: dict[str, Any]) -> Any:
    """AWS's limits: the name's characters, the role's ARN, and how long credentials may last."""
    from ministack.services import iot

    role, seconds = alias.get("roleArn"), alias["credentialDurationSeconds"]
    wrong: list[tuple[Any, str, str]] = []
    if not _NAME.fullmatch(name):
        wrong.append((name, "roleAlias", r"Member must satisfy regular expression pattern: [\w=,@-]+, 1 to 128 long"))
    if not isinstance(role, str) or len(role) not in _ROLE_LENGTH or not _ROLE.fullmatch(role):
        wrong.append((role, "roleArn", "Member must be the ARN of a role"))
    if type(seconds) is not int or seconds not in _SECONDS:
        wrong.append((seconds, "credentialDurationSeconds", "Member must have value between 900 and 43200"))
    return iot._job_validation_error([iot._job_validation_clause(*each) for each in wrong]) if wrong else None


def _page(query: dict[str, str]) -> Any:
    """ListRoleAliases: names in alphabetical order, backwards unless the caller wants them ascending."""
    from ministack.core.responses import error_response_json, json_response

    size, ascending = query.get("pageSize", str(_USUAL)), query.get("isAscendingOrder") == "true"
    after = _after(query.get("marker"))
    if after is None or not (size.isascii() and size.isdigit() and 1 <= int(size) <= _MOST):
        message = f"pageSize must be 1 to {_MOST} and marker one of ours"
        return error_response_json("InvalidRequestException", message, 400)
    names = sorted(_aliases, reverse=not ascending)
    rest = [name for name in names if not after or (name > after if ascending else name < after)]
    page = rest[:int(size)]
    more = {"nextMarker": base64.b64encode(page[-1].encode()).decode()} if len(rest) > len(page) else {}
    return json_response({"roleAliases": page, **more})


def _after(marker: str | None) -> str | None:
    """The name that the last page ended with: empty for the first page, None for a forged marker."""
    try:
        return base64.b64decode(marker, validate=True).decode() if marker else ""
    except (binascii.Error, UnicodeDecodeError):
        return None


def _named(name: str) -> Any:
    from ministack.core.responses import json_response

    return json_response({"roleAlias": name, "roleAliasArn": arn(name)})


def _missing(name: str) -> Any:
    from ministack.core.responses import error_response_json

    return error_response_json("ResourceNotFoundException", f"Role alias {name} does not exist", 404)


def _forget() -> None:
    _aliases.clear()
    _reset()
