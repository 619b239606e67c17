"""Gap: policies do not see the encryption context of a call to KMS (`kms:EncryptionContext:<key>` with the value of one
pair, its key in any case; `kms:EncryptionContextKeys` with all keys).

Source: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html. `ReEncrypt` is not in the emulator,
and the constraints of `CreateGrant` are not looked at.
"""

import json
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_ACTIONS = frozenset(f"kms:{operation}" for operation in (
    "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext"))
_theirs: Callable[..., dict[str, Any]]


def install() -> None:
    """Add the keys to those that the emulator reads from a request."""
    from ministack.core import iam_actions

    global _theirs
    _theirs = replace(iam_actions, "request_tag_context", _known)


def _known(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
    keys = _theirs(service, action, body, parameters)
    return keys | condition_keys(_context(body)) if action in _ACTIONS else keys


def _context(body: bytes) -> dict[str, str]:
    """The request's encryption context; the emulator refuses a body that is none."""
    try:
        asked = json.loads(body)
    except ValueError:
        return {}
    context = asked.get("EncryptionContext") if isinstance(asked, dict) else None
    return context if isinstance(context, dict) else {}


def condition_keys(context: dict[str, str]) -> dict[str, Any]:
    """The condition keys of an encryption context; without a pair there are none. Of keys that differ by case alone AWS
    says only that one should have none: here such a key has several values, which no single value equals."""
    values: dict[str, list[str]] = {}
    for key, value in context.items():
        values.setdefault(f"kms:EncryptionContext:{key}".lower(), []).append(value)
    single: dict[str, Any] = {name: found[0] if len(found) == 1 else found for name, found in values.items()}
    return single | ({"kms:EncryptionContextKeys": list(context)} if context else {})
