"""Gap: IAM checks `AttachPolicy`, `DetachPolicy` and `DescribeCACertificate` as if they had no resource.

On AWS the first two are checked on their target (a certificate or a thing group), the third on the CA certificate.
Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
"""

import json
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_TARGETS = "/target-policies/"
_AUTHORITY = "/cacertificate/"
_arn: Callable[..., str]


def install() -> None:
    """Name the resource of the three operations."""
    from ministack.core import iam_actions

    global _arn
    _arn = replace(iam_actions, "extract_resource_arn", _resource)


def _resource(service: str, method: str, path: str, headers: dict[str, str], body: bytes, *more: Any) -> str:
    *_query, region, account = more
    if service == "iot" and path.startswith(_TARGETS):
        return _target(body) or "*"
    if service == "iot" and path.startswith(_AUTHORITY):
        return f"arn:aws:iot:{region}:{account}:cacert/{path.removeprefix(_AUTHORITY)}"
    return _arn(service, method, path, headers, body, *more)


def _target(body: bytes) -> str | None:
    """The ARN that the request names; the emulator refuses a body without one."""
    try:
        named = json.loads(body or b"{}")
    except ValueError:
        return None
    target = named.get("target") if isinstance(named, dict) else None
    return target if isinstance(target, str) else None
