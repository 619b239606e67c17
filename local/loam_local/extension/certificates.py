"""Gaps: a client without certificate is let in, and a certificate that is no longer ACTIVE keeps its sessions.

AWS ends those sessions "within a few minutes"; here it takes LOAM_DEACTIVATION_SECONDS. AWS does not document the
reason that its event then tells. Nor does it say that TLS refuses expired certificates, and Device Defender lists
ACTIVE ones that are past their date: here they reach registration, and so do RSA keys of 1,024 bits.
Sources: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateCertificate.html and
https://docs.aws.amazon.com/iot-device-defender/latest/devguide/device-defender-audit-checks.html
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Any

from loam_local.extension import sessions
from loam_local.extension.replace import original, replace

# MQTT 5: "Not authorized".
_NOT_AUTHORIZED = 0x87
# OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name.
_NO_CHECK_TIME = 0x200000
_certificate: Callable[..., Any]
_serve: Callable[..., Any]
_context: Callable[[], ssl.SSLContext]


def install() -> None:
    """Refuse who brings no certificate, end the sessions of a deactivated one, leave dates and key sizes to us."""
    from ministack.services import iot

    global _certificate, _serve, _context
    for name in ("_mtls_active_registrations", "_mtls_first_packet", "_mtls_close"):
        original(iot, name)
    _certificate = replace(iot, "_handle_certificate", _handled)
    _serve = replace(iot, "_mtls_serve_conn", _served)
    _context = replace(iot, "_mtls_build_ssl_context", _built)


def _handled(method: str, path: str, body: bytes, query: dict[str, str]) -> Any:
    from ministack.services import iot

    answer = _certificate(method, path, body, query)
    loop = iot._mtls_loop
    if method == "PUT" and answer[0] == 200 and loop:
        certificate, seconds = path.rsplit("/", 1)[-1], float(os.environ.get("LOAM_DEACTIVATION_SECONDS", "60"))
        loop.call_soon_threadsafe(loop.call_later, seconds, _end_sessions, certificate)
    return answer


def _end_sessions(certificate: str) -> None:
    """End what the certificate still holds open, unless it is ACTIVE again."""
    from ministack.services import iot

    if iot._mtls_active_registrations(certificate):
        return
    for session in list(iot._connected_clients.values()):
        if session.certificate_id == certificate:
            _ending.add(task := asyncio.ensure_future(sessions.end(session, "AUTH_ERROR", _NOT_AUTHORIZED)))
            task.add_done_callback(_ending.discard)


_ending: set["asyncio.Future[None]"] = set()


async def _served(reader: Any, writer: Any) -> None:
    """Close on the CONNECT of a client that showed no certificate, without CONNACK as for an unknown certificate."""
    from ministack.services import iot

    connection = writer.get_extra_info("ssl_object")
    if connection is not None and connection.getpeercert(binary_form=True):
        await _serve(reader, writer)
        return
    await iot._mtls_first_packet(reader)
    await iot._mtls_close(writer)


def _built() -> ssl.SSLContext:
    context = _context()
    context.verify_flags |= _NO_CHECK_TIME
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context
