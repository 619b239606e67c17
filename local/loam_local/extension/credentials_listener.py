"""Gap: the credentials provider has no listener. Here: HTTP/1.1 over mutual TLS on a port of its own (AWS: a host of its
own, on port 443), with the broker's certificate, and its address in what DescribeEndpoint answers.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html. AWS refuses a connection whose
server name is not the endpoint's; here every name of the certificate is as good.
"""

import asyncio
import hashlib
import json
import logging
import os
import re
import ssl
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from loam_local.extension.replace import original, replace

# Status, AWS's name of an error, body.
Answer = tuple[int, str | None, dict[str, Any]]
_TYPE = "iot:CredentialProvider"
_PATH = re.compile(r"/role-aliases/([^/]+)/credentials")
_THING = "x-amzn-iot-thingname"
_REQUEST_SECONDS = 10
_answer: Callable[[str | None, str, str | None], Answer]
_server: asyncio.AbstractServer | None = None
# The port that the system gave, so that it is the same after a reset.
_port = 0
_start: Callable[[], Any]
_stop: Callable[[], Any]
_serve: Callable[..., Any]
_names: Callable[[], tuple[list[str], list[str]]]
_describe: Callable[[dict[str, str]], Any]
_address: Callable[[str], str]


def install(answer: Callable[[str | None, str, str | None], Answer]) -> None:
    """Listen when the broker does. `answer` decides: certificate id, role alias, thing name."""
    from ministack.services import iot

    global _answer, _start, _stop, _serve, _names, _describe, _address
    _answer = answer
    original(iot, "_MtlsAcceptor")
    _start = replace(iot, "_mtls_start_locked", _started)
    _stop = replace(iot, "_mtls_stop_locked", _stopped)
    _serve = replace(iot, "_mtls_handle_conn", _served)
    _names = replace(iot, "_mtls_server_cert_sans", _named)
    _describe = replace(iot, "_describe_endpoint", _described)
    _address = replace(iot, "_endpoint_address", _addressed)


def port() -> int | None:
    """Where it listens; None when the port could not be had."""
    return _port if _server else None


async def _started() -> None:
    """Bind after the broker, on the host that it is bound on. The acceptor makes TLS of a connection, as for MQTT."""
    from ministack.services import iot

    global _server, _port
    await _start()
    if _server is not None:
        return
    wanted = _port or int(os.environ.get("LOAM_CREDENTIALS_PORT", "0"))
    try:
        _server = await asyncio.get_running_loop().create_server(iot._MtlsAcceptor, os.environ["BIND_HOST"], wanted)
    except OSError as error:
        logging.getLogger(__name__).warning("no credentials provider on port %d: %s", wanted, error)
        return
    _port = _server.sockets[0].getsockname()[1]


async def _stopped() -> None:
    global _server
    if _server is not None:
        _server.close()
        _server = None
    await _stop()


async def _served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request for a connection; MQTT's go on to the broker."""
    from ministack.services import iot

    if writer.get_extra_info("sockname")[1] != _port:
        await _serve(reader, writer)
        return
    iot._mtls_sessions.add(writer)
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _REQUEST_SECONDS)
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(_response(*_answered(head.decode("latin-1"), hashlib.sha256(der).hexdigest() if der else None)))
        await writer.drain()
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ssl.SSLError):
        pass
    finally:
        iot._mtls_sessions.discard(writer)
        await iot._mtls_close(writer)


def _answered(head: str, certificate: str | None) -> Answer:
    """What to answer a request, by its first lines."""
    first, *lines = head.split("\r\n")
    method, target, *_version = [*first.split(" "), "", ""]
    found = _PATH.fullmatch(unquote(target.partition("?")[0]))
    if method != "GET" or found is None:
        return 404, "NotFoundException", {"message": "Not Found"}
    headers = {name.strip().lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
    return _answer(certificate, found.group(1), headers.get(_THING))


def _response(status: int, error: str | None, body: dict[str, Any]) -> bytes:
    text = json.dumps(body, separators=(",", ":")).encode()
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Content-Type: application/json",
             f"Content-Length: {len(text)}", f"x-amzn-RequestId: {uuid.uuid4()}", "Connection: close",
             *([f"x-amzn-ErrorType: {error}"] if error else [])]
    return "\r\n".join([*lines, "", ""]).encode() + text


def _named() -> tuple[list[str], list[str]]:
    """The names of the server's certificate: the provider's host as well, which the broker's wildcard does not cover."""
    from ministack.services import iot

    hosts, addresses = _names()
    return [*hosts, f"*.credentials.iot.{os.environ['MINISTACK_REGION']}.{iot._MINISTACK_HOST}"], addresses


def _described(query: dict[str, str]) -> Any:
    from ministack.core.responses import json_response

    if query.get("endpointType") == _TYPE and port():
        return json_response({"endpointAddress": _addressed(_TYPE)})
    return _describe(query)


def _addressed(kind: str) -> str:
    """The endpoint's address: the provider's has its own port."""
    found = _address(kind)
    return f"{found.rpartition(':')[0]}:{_port}" if kind == _TYPE else found
