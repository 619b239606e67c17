"""Gap: GetConnection and DeleteConnection, which the emulator's data plane lacks.

Sources: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_GetConnection.html and
https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_DeleteConnection.html; rates:
https://docs.aws.amazon.com/general/latest/gr/iot-core.html; resources:
https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html. Its errors: local/README.md.
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension import named_shadows, sessions, subscriptions
from loam_local.extension.replace import original, replace
from loam_local.extension.throttle import Rate

PATH = "/connections/"
# MQTT 5: "Administrative action".
_ADMINISTRATIVE_ACTION = 0x98
_LONGEST = 128
_PER_CLIENT, _PER_ACCOUNT = 1, 100
_rates = {operation: (Rate(_PER_CLIENT), Rate(_PER_ACCOUNT)) for operation in ("GET", "DELETE")}
_handle: Callable[..., Any]
_arn: Callable[..., str]


def install() -> None:
    """Answer the two operations, and check the caller's right on `client/<client id>`."""
    from ministack.core import iam_actions
    from ministack.services import iot, iot_data

    global _handle, _arn
    original(iot, "_make_disconnect")
    original(iot, "_unscope_topic")
    _handle = replace(iot_data, "handle_request", _handled)
    _arn = replace(iam_actions, "extract_resource_arn", _resource)


def refused(status: int, code: str, message: str) -> Any:
    """An error as the data plane tells it."""
    from ministack.core.responses import error_response_json

    return error_response_json(code, message, status, content_type="application/json")


def _resource(service: str, method: str, path: str, *more: Any) -> str:
    *_rest, region, account = more
    if service == "iot-data" and path.startswith(PATH):
        return f"arn:aws:iot:{region}:{account}:client/{path.removeprefix(PATH).removesuffix(subscriptions.SUFFIX)}"
    if service == "iot-data" and path.startswith(named_shadows.PATH):
        return named_shadows.RESOURCE
    return _arn(service, method, path, *more)


async def _handled(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    flat = {name: value[0] if isinstance(value, list) else value for name, value in query.items()}
    if path.startswith(named_shadows.PATH):
        return named_shadows.answer(method, path, flat)
    if method == "GET" and path.startswith(PATH) and path.endswith(subscriptions.SUFFIX):
        return subscriptions.answer(_key(path.removeprefix(PATH).removesuffix(subscriptions.SUFFIX)), flat)
    if method in _rates and path.startswith(PATH) and not path.endswith(subscriptions.SUFFIX):
        return await _connection(method, path.removeprefix(PATH), flat)
    return await _handle(method, path, headers, body, query)


def _key(client: str) -> sessions.Key:
    from ministack.core.responses import get_account_id, get_region

    return get_account_id(), get_region(), client


async def _connection(method: str, client: str, query: dict[str, str]) -> Any:
    if not 1 <= len(client) <= _LONGEST or client.startswith("$"):
        return refused(400, "InvalidRequestException", "The client ID must have 1 to 128 characters, the first not $")
    key = _key(client)
    per_client, per_account = _rates[method]
    if not (per_account.allows(key[:2]) and per_client.allows(key)):
        return refused(429, "ThrottlingException", "Rate exceeded")
    return _get(key, _is_true(query, "includeSocketInformation")) if method == "GET" else await _delete(key, query)


def _is_true(query: dict[str, str], name: str) -> bool:
    return query.get(name, "").lower() == "true"


def _get(key: sessions.Key, with_sockets: bool) -> Any:
    from ministack.core.responses import json_response

    found = sessions.found(key)
    if found is None:
        return refused(404, "ResourceNotFoundException", f"No connection of client {key[2]}")
    told: dict[str, Any] = {"connected": found.ended is None, "cleanSession": found.clean, "clientId": key[2],
                            "keepAliveDuration": found.keep_alive, "sessionExpiry": found.expiry}
    if found.thing:
        told["thingName"] = found.thing
    if found.ended is None:
        told["connectedSince"] = found.began
    else:
        told |= {"disconnectedSince": found.ended, "disconnectReason": found.reason}
    if with_sockets:
        told |= {"sourceIp": found.source[0], "sourcePort": found.source[1], "targetIp": found.target[0],
                 "targetPort": found.target[1]}
    return json_response(told)


async def _delete(key: sessions.Key, query: dict[str, str]) -> Any:
    """Disconnect the client. Who is not connected is told as not found, its persistent session kept."""
    session = sessions.live(key)
    if session is None:
        return refused(404, "ResourceNotFoundException", f"No connection of client {key[2]}")
    if _is_true(query, "cleanSession"):
        session._persist_session = False
    if _is_true(query, "preventWillMessage"):
        session._will_topic = None
    await sessions.end(session, "API_INITIATED_DISCONNECT", _ADMINISTRATIVE_ACTION)
    return 200, {"Content-Type": "application/json"}, b""
