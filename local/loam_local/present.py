"""`present`: show a certificate to the broker in one MQTT CONNECT, also one that a careful library would not use."""

import argparse
import contextlib
import socket
import ssl
from typing import Any

_SECONDS = 20
_ACCEPTED = b"\x20\x02\x00\x00"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Connect, say who it is, leave again; whether the broker accepted it. A first connect never is."""
    context = ssl.create_default_context(cafile=arguments.root_ca)
    context.set_ciphers("DEFAULT:@SECLEVEL=1")  # for RSA keys of 1,024 bits
    context.load_cert_chain(arguments.cert, arguments.key)
    answer = b""
    # A broker that does not like the certificate may close at any moment, in the handshake too.
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        answer = _connect(context, arguments)
    return {"accepted": answer == _ACCEPTED}


def _connect(context: ssl.SSLContext, arguments: argparse.Namespace) -> bytes:
    """The answer to CONNECT (MQTT 3.1.1, clean session), empty when there is none."""
    name = arguments.client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    dialled = (arguments.host, arguments.port)
    with (socket.create_connection(dialled, _SECONDS) as plain,
          context.wrap_socket(plain, server_hostname=arguments.host) as connection):
        connection.sendall(b"\x10" + _length(len(body)) + body)
        answer = connection.recv(len(_ACCEPTED))
        if answer == _ACCEPTED:
            connection.sendall(b"\xe0\x00")
        return answer


def _length(number: int) -> bytes:
    """MQTT's remaining length: seven bits a byte, the lowest first."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _length(high) if high else bytes([low])
