"""A seeded thing over MQTT with mutual TLS, in the few packets that a probe needs."""

import json
import socket
import ssl
from pathlib import Path

from conftest import ACCOUNT, REGION, Local, allow, document, eventually, verb


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def _connect(local: Local, folder: Path, thing: str, client: str) -> ssl.SSLSocket | None:
    """An MQTT 3.1.1 session; None when the broker closes without accepting it."""
    context = ssl.create_default_context(cafile=str(folder / "root-ca.pem"))
    context.load_cert_chain(folder / f"{thing}.pem.crt", folder / f"{thing}.private.key")
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", local.mqtt_port), 10),
                                     server_hostname="localhost")
    body = _text("MQTT") + b"\x04\x02\x00\x3c" + _text(client)
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    return connection if connection.recv(4) == b"\x20\x02\x00\x00" else None


def _publish(connection: ssl.SSLSocket, topic: str, payload: bytes) -> None:
    body = _text(topic) + payload
    connection.sendall(b"\x30" + bytes([len(body)]) + body)


def _seeded(local: Local, folder: Path) -> str:
    thing, policy = local.name("thing"), local.name("policy")
    arn = f"arn:aws:iot:{REGION}:{ACCOUNT}"
    local.client("iot").create_policy(policyName=policy, policyDocument=document(
        allow("iot:Connect", f"{arn}:client/${{iot:Connection.Thing.ThingName}}"),
        allow("iot:Publish", f"{arn}:topic/device/${{iot:Connection.Thing.ThingName}}/*")))
    answer = verb("seed", "--stack", "s", "--policy", policy, "--things", thing, "--out", str(folder),
                  AWS_ACCESS_KEY_ID=local.key["accessKeyId"], AWS_SECRET_ACCESS_KEY=local.key["secretAccessKey"],
                  AWS_REGION=REGION, AWS_ENDPOINT_URL=local.endpoint)
    assert answer.returncode == 0, answer.stderr
    return str(json.loads(answer.stdout)["things"][0]["thing"])


def test_a_seeded_thing_publishes_and_its_client_id_reaches_a_key_template(local: Local, tmp_path: Path) -> None:
    thing, bucket = _seeded(local, tmp_path), local.bucket()
    role = local.role("iot.amazonaws.com", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    local.rule(f"SELECT * FROM 'device/{thing}/+'", {"s3": {"bucketName": bucket, "key": "${clientid()}",
                                                            "roleArn": role}})
    connection = _connect(local, tmp_path, thing, thing)
    assert connection
    _publish(connection, f"device/{thing}/devicePayload", b"{}")
    (found,) = eventually(lambda: local.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    assert found["Key"] == thing
    connection.close()


def test_a_seeded_thing_may_connect_under_its_own_name_only(local: Local, tmp_path: Path) -> None:
    thing = _seeded(local, tmp_path)
    assert _connect(local, tmp_path, thing, f"not-{thing}") is None
