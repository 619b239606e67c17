"""Gap: policies of a role do not know who holds its session: neither conditions nor variables see the keys that came
with the credentials.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html. Variables are replaced in the
caller's own policies, not in those of a resource.
"""

import dataclasses
import re
import secrets
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_KEYS = "loamKeys"
_NAMES = "_loam_names_variables"
# What has one value can stand in a policy as a variable; what has several is a condition only.
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_.:/+=@-]+)\}")
# In the place of a variable without a value: nobody can ask for it, as somebody could for the variable's own spelling.
_NOTHING = secrets.token_hex(16)
_theirs: Callable[..., dict[str, Any]]
_principal: Callable[..., Any]


def install() -> None:
    """Tell policies what a session knows of its holder."""
    from ministack.core import iam_evaluator

    global _theirs, _principal
    _theirs = replace(iam_evaluator, "_principal_keys", _known)
    _principal = replace(iam_evaluator, "resolve_principal", _resolved)


def tell(session: dict[str, Any], keys: dict[str, Any]) -> None:
    """Let policies see these condition keys (in lower case) in all that is signed with the session's credentials."""
    session[_KEYS] = keys


def _known(credential: Any) -> dict[str, Any]:
    from ministack.services import sts

    session = sts._sessions.get(credential.access_key_id) or {}
    return _theirs(credential) | session.get(_KEYS, {})


def _resolved(*arguments: Any, **named: Any) -> Any:
    """The principal, its policies' variables replaced by who it is."""
    from ministack.core.iam_evaluator import AuthError

    found = _principal(*arguments, **named)
    if isinstance(found, AuthError) or found.policies is None:
        return found
    return dataclasses.replace(found, policies=[[_substituted(statement, found.keys) for statement in document]
                                                for document in found.policies])


def _substituted(statement: Any, keys: dict[str, Any]) -> Any:
    """The statement for this caller. A variable without a value matches nothing."""
    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda found: single(found.group(1)), value)
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        return [filled(each) for each in value] if isinstance(value, list) else value

    def single(name: str) -> str:
        value = keys.get(name.lower())
        return value if isinstance(value, str) else _NOTHING

    if not _names_variables(statement):
        return statement
    return dataclasses.replace(statement, resources=filled(statement.resources), conditions=filled(statement.conditions),
                               not_resources=filled(statement.not_resources))


def _names_variables(statement: Any) -> bool:
    """Asked with every request; a statement is the same object in all of them."""
    known = statement.__dict__.get(_NAMES)
    if known is None:
        known = "${" in f"{statement.resources}{statement.not_resources}{statement.conditions}"
        setattr(statement, _NAMES, known)
    return known
