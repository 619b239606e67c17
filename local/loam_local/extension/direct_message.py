"""Gap: SendDirectMessage, which the emulator's data plane lacks: one message to one connected client, by its id.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/direct-messaging.html,
https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_SendDirectMessage.html and, for the rates,
https://docs.aws.amazon.com/general/latest/gr/iot-core.html. Its errors: local/README.md.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loam_local.extension import connections, sessions
from loam_local.extension.connections import refused
from loam_local.extension.replace import original, replace
from loam_local.extension.throttle import Rate

LONGEST_TOPIC, MOST_SLASHES, LARGEST_PAYLOAD = 256, 7, 128 * 1024
PER_RECEIVER, PER_ACCOUNT = 100, 20_000
_PATH = re.compile(rf"{re.escape(connections.PATH)}(.+)/messages")
_CLIENT = re.compile(r"[^$].{0,127}", re.DOTALL)
_SECONDS = range(1, 16)
_DEFAULT_SECONDS = "5"
_per_receiver, _per_account = Rate(PER_RECEIVER), Rate(PER_ACCOUNT)
_handle: Callable[..., Any]
_arn: Callable[..., str]
_context: Callable[..., dict[str, Any]]
_dispatch: Callable[..., Any]


@dataclass(frozen=True)
class _Message:
    """A direct message that is a valid request. `seconds` is None when nobody waits for the PUBACK."""

    topic: str
    payload: bytes
    properties: bytes
    seconds: int | None


def install() -> None:
    """Answer the operation, check the sender's right on `client/<client id>` with `iot:Topic`, and hear PUBACKs."""
    from ministack.core import iam_actions
    from ministack.services import iot, iot_data

    global _handle, _arn, _context, _dispatch
    for name in ("_make_publish", "_is_session_expired", "_InFlightMessage"):
        original(iot, name)
    original(iot_data, "_publish_properties")
    _handle = replace(iot_data, "handle_request", _handled)
    _arn = replace(iam_actions, "extract_resource_arn", _resource)
    _context = replace(iam_actions, "request_tag_context", _conditions)
    _dispatch = replace(iot._WSSession, "_dispatch_packet", _dispatched)


def _resource(service: str, method: str, path: str, *more: Any) -> str:
    found = _PATH.fullmatch(path)
    if service == "iot-data" and method == "POST" and found:
        *_rest, region, account = more
        return f"arn:aws:iot:{region}:{account}:client/{found[1]}"
    return _arn(service, method, path, *more)


def _conditions(service: str, action: str, body: bytes, query: dict[str, Any]) -> dict[str, Any]:
    """The sender's grant may be limited to topics by the condition key `iot:Topic`."""
    context = _context(service, action, body, query)
    return context | {"iot:Topic": _flat(query).get("topic", "")} if action == "iot:SendDirectMessage" else context


async def _handled(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
    found = _PATH.fullmatch(path)
    if method != "POST" or not found:
        return await _handle(method, path, headers, body, query)
    if not _CLIENT.fullmatch(found[1]):
        return _invalid("The client ID must have 1 to 128 characters, the first not $")
    message = _parsed(headers, body or b"", _flat(query))
    return await _send(found[1], message) if isinstance(message, _Message) else message


def _flat(query: dict[str, Any]) -> dict[str, str]:
    return {name: value[0] if isinstance(value, list) else value for name, value in query.items()}


def _invalid(message: str) -> Any:
    return refused(400, "InvalidRequestException", message)


def _parsed(headers: dict[str, str], body: bytes, query: dict[str, str]) -> Any:
    """The message, or the refusal of the request."""
    from ministack.services import iot_data

    topic, seconds = query.get("topic", ""), query.get("timeout", _DEFAULT_SECONDS)
    flaw = topic_flaw(topic)
    if flaw:
        return _invalid(flaw)
    confirmed = {"true": True, "false": False}.get(query.get("confirmation", "false").lower())
    if confirmed is None:
        return _invalid("confirmation must be true or false")
    # Without confirmation nobody waits, and the timeout is ignored.
    if confirmed and (not seconds.isascii() or not seconds.isdigit() or int(seconds) not in _SECONDS):
        return _invalid("timeout must be a whole number of seconds from 1 to 15")
    if len(body) > LARGEST_PAYLOAD:
        return refused(413, "RequestEntityTooLargeException", "The payload exceeds the maximum size allowed")
    # There is no message expiry: a direct message is delivered now or never.
    wanted = {name: value for name, value in query.items() if name != "messageExpiry"}
    properties, error = iot_data._publish_properties(headers, wanted)
    return error or _Message(topic, body, properties, int(seconds) if confirmed else None)


def topic_flaw(topic: str) -> str | None:
    """Why nothing can be sent to this topic; None when it can."""
    if not topic or len(topic.encode()) > LONGEST_TOPIC or topic.count("/") > MOST_SLASHES:
        return f"The topic must have 1 to {LONGEST_TOPIC} bytes and at most {MOST_SLASHES} slashes"
    if topic.startswith("$"):
        return "The topic can't start with $"
    return "The topic must not contain wildcard characters" if {"+", "#"} & set(topic) else None


async def _send(client: str, message: _Message) -> Any:
    from ministack.core.responses import get_account_id, get_region, json_response, new_uuid

    account, region = get_account_id(), get_region()
    key = (account, region, client)
    if not _per_account.allows((account, region)):
        return refused(429, "ThrottlingException", "Rate exceeded")
    session = sessions.live(key)
    if session is None:
        return refused(404, "ResourceNotFoundException", _absent(key))
    if not session._policy_allows("iot:Receive", f"topic/{message.topic}"):
        return refused(403, "ForbiddenException", "The receiving client is not authorized to receive on the topic")
    if not _per_receiver.allows(key):
        return refused(429, "ThrottlingException", "Rate exceeded")
    if not await (_delivered(session, message) if message.seconds is None else _confirmed(session, message)):
        return refused(504, "GatewayTimeoutException", "No delivery confirmation from the client in time")
    return json_response({"message": "OK", "traceId": new_uuid()})


def _absent(key: sessions.Key) -> str:
    from ministack.services import iot

    stored = iot._persistent_sessions.get(key)
    if stored is not None and not iot._is_session_expired(stored):
        return "The client has a persistent session and is not connected"
    return "The client is not connected"


async def _delivered(session: Any, message: _Message) -> bool:
    """QoS 0: written to the connection is all that is known."""
    from ministack.services import iot

    await session.send_bytes(iot._make_publish(message.topic, message.payload,
                                               properties=session._publish_properties(message.properties)))
    return True


async def _confirmed(session: Any, message: _Message) -> bool:
    """QoS 1: whether the PUBACK came in time. Without it the message stays in flight, as MQTT wants."""
    from ministack.services import iot

    packet = session._alloc_packet_id()
    session._in_flight[packet] = iot._InFlightMessage(packet, message.topic, message.payload, message.properties)
    waiting = vars(session).setdefault("loam_confirmations", {})
    waiting[packet] = asyncio.get_running_loop().create_future()
    try:
        await session.send_bytes(iot._make_publish(message.topic, message.payload, qos=1, packet_id=packet,
                                                   properties=session._publish_properties(message.properties)))
        session._ensure_retransmit_timer()
        await asyncio.wait_for(waiting[packet], message.seconds)
        return True
    except TimeoutError:
        return False
    finally:
        waiting.pop(packet, None)


async def _dispatched(session: Any, kind: int, flags: int, body: bytes) -> bool:
    from ministack.services import iot

    if kind == iot.PKT_PUBACK and len(body) >= 2:
        future = vars(session).get("loam_confirmations", {}).get(int.from_bytes(body[:2], "big"))
        if future is not None and not future.done():
            future.set_result(None)
    return await _dispatch(session, kind, flags, body)
