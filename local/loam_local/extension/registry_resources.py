"""Gap: IAM checks `AttachPolicy`, `DetachPolicy`, `DescribeCACertificate` and what is done to a role alias as if they
had no resource.

On AWS the first two are checked on their target (a certificate or a thing group), the others on what they name.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
"""

import json
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_TARGETS = "/target-policies/"
_NAMED = {"/cacertificate/": "cacert", "/role-aliases/": "rolealias"}
_arn: Callable[..., str]


def install() -> None:
    """Name the resource of these operations."""
    from ministack.core import iam_actions

    global _arn
    _arn = replace(iam_actions, "extract_resource_arn", _resource)


def _resource(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *more: Any) -> str:
    *_query, region, account = more
    if service == "iot" and path.startswith(_TARGETS):
        return _target(body) or "*"
    for prefix, kind in _NAMED.items():
        if service == "iot" and path.startswith(prefix):
            return f"arn:aws:iot:{region}:{account}:{kind}/{path.removeprefix(prefix)}"
    return _arn(service, method, path, headers, body, *more)


def _target(body: bytes) -> str | None:
    """The ARN that the request names; the emulator refuses a body without one."""
    try:
        named = json.loads(body or b"{}")
    except ValueError:
        return None
    target = named.get("target") if isinstance(named, dict) else None
    return target if isinstance(target, str) else None
