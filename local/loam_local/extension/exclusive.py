"""Gap: a certificate attached exclusively is like any other. Here it has one thing, whatever the client id is.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/exclusive-thing.html and, for `thingName` in the events,
https://docs.aws.amazon.com/iot/latest/developerguide/life-cycle-events.html
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import original, replace

_EXCLUSIVE = "EXCLUSIVE_THING"
_KEY = "loamExclusiveThing"
_principals: Callable[..., Any]
_context: Callable[..., dict[str, Any]]
_publish: Callable[..., Any]


def install() -> None:
    """Remember exclusive attachments, resolve the policy variables by them, name the thing in lifecycle events."""
    from ministack.services import iot

    global _principals, _context, _publish
    original(iot, "_thing_name_from_arn")
    _principals = replace(iot, "_handle_thing_principals", _handle)
    _context = replace(iot, "_mqtt_policy_context", _policy_context)
    _publish = replace(iot._WSSession, "_publish_lifecycle", _publish_lifecycle)


def thing_of(account: str, region: str, certificate: str | None) -> str | None:
    """The thing that the certificate is attached to exclusively, if it is."""
    from ministack.services import iot

    record = iot._certificates.get_scoped(account, region, certificate) if certificate else None
    return record.get(_KEY) if isinstance(record, dict) else None


def _handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, str]) -> Any:
    """Attach and detach with `thingPrincipalType`. AWS's wording of the refusal is not known."""
    from ministack.core.responses import error_response_json
    from ministack.services import iot

    thing = path.removeprefix("/things/").removesuffix("/principals")
    principal = headers.get("x-amzn-principal") or query.get("principal") or ""
    record = iot._certificates.get(principal.rsplit("/", 1)[-1])
    exclusive = query.get("thingPrincipalType") == _EXCLUSIVE
    if method == "PUT" and record is not None:
        others = {iot._thing_name_from_arn(arn) for arn in record.get("attachedThings", [])} - {thing}
        if others and (exclusive or record.get(_KEY)):
            return error_response_json("InvalidRequestException",
                                       f"The principal is attached to another thing: {sorted(others)[0]}", 400)
    answer = _principals(method, path, headers, body, query)
    if record is not None and answer[0] == 200:
        if method == "PUT" and exclusive:
            record[_KEY] = thing
        elif method == "DELETE" and record.get(_KEY) == thing:
            del record[_KEY]
    return answer


def _policy_context(account: str, region: str, certificate: str, client: str) -> dict[str, Any]:
    """With an exclusive attachment the certificate alone says which thing connects, not the client id."""
    found = _context(account, region, certificate, client)
    thing = thing_of(account, region, certificate)
    if not thing:
        return found
    return found | {"iot:connection.thing.isattached": "true", "iot:connection.thing.thingname": thing}


async def _publish_lifecycle(session: Any, event_type: str, **fields: Any) -> None:
    """The event, with `thingName` for an exclusive attachment; a disconnect tells what its connect told."""
    if not hasattr(session, "loam_thing"):
        session.loam_thing = thing_of(session.account_id, session.region, session.certificate_id)
    named = {"thingName": session.loam_thing} if session.loam_thing else {}
    await _publish(session, event_type, **named, **fields)
