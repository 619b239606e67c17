"""A device over MQTT 3.1.1 with mutual TLS, in the few packets that a probe needs."""

import json
import socket
import ssl
from pathlib import Path
from typing import Any

from conftest import ACCOUNT, REGION, Local, allow, document, verb

ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"
_THING = "${iot:Connection.Thing.ThingName}"
_WILL, _CLEAN = 0x04, 0x02


def text(value: str) -> bytes:
    """A string as MQTT frames it."""
    return len(value).to_bytes(2, "big") + value.encode()


def as_admin(local: Local) -> dict[str, str]:
    """The environment in which a verb acts as the administrator."""
    return {"AWS_ACCESS_KEY_ID": local.key["accessKeyId"], "AWS_SECRET_ACCESS_KEY": local.key["secretAccessKey"],
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL": local.endpoint}


def seeded(local: Local, folder: Path, *more: dict[str, Any]) -> str:
    """A thing that may connect under its name, publish below `device/{thing}/` and to its will's topic, and what `more` allows."""
    thing, policy = local.name("thing"), local.name("policy")
    local.client("iot").create_policy(policyName=policy, policyDocument=document(
        allow("iot:Connect", f"{ARN}:client/{_THING}"), allow("iot:Publish", f"{ARN}:topic/device/{_THING}/*"),
        allow("iot:Publish", f"{ARN}:topic/lwt/{_THING}"), *more))
    answer = verb("seed", "--stack", "s", "--policy", policy, "--things", thing, "--out", str(folder),
                  **as_admin(local))
    assert answer.returncode == 0, answer.stderr
    return str(json.loads(answer.stdout)["things"][0]["thing"])


def opened(local: Local, folder: Path, certificate: str | None) -> ssl.SSLSocket:
    """A TLS connection with the certificate of this name, or with none."""
    context = ssl.create_default_context(cafile=str(folder / "root-ca.pem"))
    context.set_ciphers("DEFAULT:@SECLEVEL=1")  # for the keys that are too short on purpose
    if certificate:
        context.load_cert_chain(folder / f"{certificate}.pem.crt", folder / f"{certificate}.private.key")
    return context.wrap_socket(socket.create_connection(("127.0.0.1", local.mqtt_port), 10),
                               server_hostname="localhost")


def connect(local: Local, folder: Path, certificate: str | None, client: str | None = None, will: str | None = None,
            clean: bool = True) -> ssl.SSLSocket | None:
    """An MQTT session; None when the broker closes without accepting it."""
    connection = opened(local, folder, certificate)
    flags = (_CLEAN if clean else 0) | (_WILL if will else 0)
    body = text("MQTT") + bytes([4, flags]) + (60).to_bytes(2, "big") + text(client or certificate or "nobody")
    body += text(will) + text("{}") if will else b""
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    if connection.recv(4)[:1] == b"\x20":
        return connection
    connection.close()
    return None


def publish(connection: ssl.SSLSocket, topic: str, payload: bytes) -> None:
    """Publish with QoS 0."""
    body = text(topic) + payload
    connection.sendall(b"\x30" + bytes([len(body)]) + body)


def say_goodbye(connection: ssl.SSLSocket) -> None:
    """DISCONNECT, then close."""
    connection.sendall(b"\xe0\x00")
    connection.close()


def is_closed(connection: ssl.SSLSocket, seconds: float = 10.0) -> bool:
    """Whether the broker ends the connection within the time."""
    connection.settimeout(seconds)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
