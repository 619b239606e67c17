"""Gap: what AWS remembers of each client's connection, for 30 minutes beyond its end. The broker keeps only a flag.

Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_GetConnection.html
"""

import contextvars
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from loam_local.extension.replace import original, replace

KNOWN_AFTER_THE_END_MS = 30 * 60 * 1000
# What a persistent session lasts on AWS unless the account was told otherwise.
_PERSISTENT_SECONDS = 3600
Key = tuple[str, str, str]


@dataclass
class Connection:
    """One connection, live while `ended` is None. Times are Unix ms, durations seconds."""

    thing: str | None
    clean: bool
    keep_alive: int
    expiry: int
    source: tuple[str, int]
    target: tuple[str, int]
    began: int
    ended: int | None = None
    reason: str | None = None


_connections: dict[Key, Connection] = {}
_sockets: contextvars.ContextVar[tuple[Any, Any]] = contextvars.ContextVar("loam_sockets", default=(None, None))
_register: Callable[..., None]
_deregister: Callable[..., bool]
_dispatch: Callable[..., Any]
_serve: Callable[..., Any]
_reset: Callable[..., None]


def install() -> None:
    """Follow the broker's session table."""
    from ministack.services import iot

    global _register, _deregister, _dispatch, _serve, _reset
    original(iot, "_read_string")
    _register = replace(iot, "_register_client", _registered)
    _deregister = replace(iot, "_deregister_client", _deregistered)
    _dispatch = replace(iot._WSSession, "_dispatch_packet", _dispatched)
    _serve = replace(iot, "_mtls_serve_conn", _served)
    _reset = replace(iot, "broker_reset", _forget)


def found(key: Key) -> Connection | None:
    """The client's connection, or its last one while AWS still tells of it."""
    connection = _connections.get(key)
    if connection and connection.ended and now() - connection.ended > KNOWN_AFTER_THE_END_MS:
        del _connections[key]
        return None
    return connection


def live(key: Key) -> Any:
    """The broker's session of the client, None when it is not connected."""
    from ministack.services import iot

    return iot._connected_clients.get(key)


async def end(session: Any, reason: str, code: int) -> None:
    """End a session from the broker's side: MQTT 5 is told `code`, 3.1.1 sees the close; the event tells `reason`."""
    from ministack.services import iot

    session._forced_disconnect_reason = reason
    try:
        if session.protocol_version == iot.MQTT_5:
            await session.send_bytes(iot._make_disconnect(code))
        await session._send({"type": "websocket.close", "code": 1000})
    except OSError:
        pass
    await session.cleanup()


def now() -> int:
    """Unix time in ms."""
    return int(time.time() * 1000)


def _registered(account: str, region: str, client: str, session: Any, superseded: str | None = None) -> None:
    _register(account, region, client, session, superseded)
    source, target = _sockets.get()
    expiry = session._session_expiry_interval
    persistent = _PERSISTENT_SECONDS if expiry is None else expiry
    _connections[account, region, client] = Connection(
        thing=session._policy_context.get("iot:connection.thing.thingname"), clean=not session._persist_session,
        keep_alive=getattr(session, "loam_keep_alive", 0), expiry=persistent if session._persist_session else 0,
        source=_address(source), target=_address(target), began=now())


def _deregistered(account: str, region: str, client: str, session: Any = None) -> bool:
    ended = _deregister(account, region, client, session)
    connection = _connections.get((account, region, client))
    if ended and connection:
        connection.ended = now()
        connection.reason = session.disconnect_reason() if session is not None else "CONNECTION_LOST"
    return ended


async def _dispatched(session: Any, kind: int, flags: int, body: bytes) -> bool:
    """Keep the keep-alive of a CONNECT: two bytes after the protocol's name, its level and the flags."""
    from ministack.services import iot

    if kind == iot.PKT_CONNECT:
        _name, offset = iot._read_string(body, 0)
        session.loam_keep_alive = int.from_bytes(body[offset + 2:offset + 4], "big")
    return await _dispatch(session, kind, flags, body)


async def _served(reader: Any, writer: Any) -> None:
    from ministack.services import iot

    source = writer.get_extra_info("peername")
    _sockets.set((source, writer.get_extra_info("sockname")))
    iot._publish_source_ip.set(_address(source)[0])
    await _serve(reader, writer)


def _address(found: Any) -> tuple[str, int]:
    return (str(found[0]), int(found[1])) if found else ("127.0.0.1", 0)


def _forget() -> None:
    _reset()
    _connections.clear()
