"""What AWS documents about SendDirectMessage, with MQTT 3.1.1 and MQTT 5 receivers."""

import base64
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import boto3
import device
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, Local, allow, document, verb
from loam_local.extension import direct_message

_THING = "${iot:Connection.Thing.ThingName}"


def _data(local: Local, key: dict[str, str] | None = None) -> Any:
    """A client without retries, which would hide a status."""
    key = key or local.key
    return boto3.client("iot-data", endpoint_url=local.endpoint, region_name=REGION,
                        config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
                        aws_access_key_id=key["accessKeyId"], aws_secret_access_key=key["secretAccessKey"])


def _receiver(local: Local, folder: Path, receives: bool = True) -> str:
    thing, policy = local.name("thing"), local.name("policy")
    statements = [allow("iot:Connect", f"{device.ARN}:client/{_THING}")]
    if receives:
        statements.append(allow("iot:Receive", f"{device.ARN}:topic/{_THING}/*"))
    local.client("iot").create_policy(policyName=policy, policyDocument=document(*statements))
    answer = verb("seed", "--stack", "s", "--policy", policy, "--things", thing, "--out", str(folder),
                  **device.as_admin(local))
    assert answer.returncode == 0, answer.stderr
    return thing


def _connect(local: Local, folder: Path, thing: str, level: int) -> ssl.SSLSocket:
    """A session of MQTT 3.1.1 (level 4) or MQTT 5 that subscribes to nothing."""
    connection = device.opened(local, folder, thing)
    properties = b"\x00" if level == 5 else b""
    body = device.text("MQTT") + bytes([level, 2]) + (60).to_bytes(2, "big") + properties + device.text(thing)
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    assert connection.recv(64)[:1] == b"\x20"
    connection.settimeout(10)
    return connection


def _packet(connection: ssl.SSLSocket) -> tuple[int, bytes]:
    """The next packet: its first byte and the rest."""
    first, length, shift = connection.recv(1)[0], 0, 0
    while True:
        byte = connection.recv(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    body = b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    return first, body


def _acknowledging(connection: ssl.SSLSocket, received: list[tuple[int, bytes]]) -> threading.Thread:
    def run() -> None:
        first, body = _packet(connection)
        received.append((first, body))
        at = 2 + int.from_bytes(body[:2], "big")
        if first & 0x06:
            connection.sendall(b"\x40\x02" + body[at:at + 2])
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _refusal(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize("level", [4, 5])
def test_a_client_that_subscribed_to_nothing_gets_it_and_its_puback_comes_back(
        local: Local, tmp_path: Path, level: int) -> None:
    thing = _receiver(local, tmp_path)
    connection, received = _connect(local, tmp_path, thing, level), []
    thread = _acknowledging(connection, received)
    answer = _data(local).send_direct_message(
        clientId=thing, topic=f"{thing}/m/p/i", payload=b"bytes", confirmation=True, timeout=5,
        responseTopic="p/i/ack", correlationData=base64.b64encode(b"i").decode())
    thread.join()
    assert answer["message"] and answer["traceId"]
    (first, body), = received
    assert first & 0x06 == 2 and body.startswith(device.text(f"{thing}/m/p/i")) and body.endswith(b"bytes")
    assert (b"p/i/ack" in body) is (level == 5), "3.1.1 knows no response topic"
    connection.close()


@pytest.mark.parametrize("level", [4, 5])
def test_without_confirmation_it_is_delivered_with_qos_0(local: Local, tmp_path: Path, level: int) -> None:
    thing = _receiver(local, tmp_path)
    connection, received = _connect(local, tmp_path, thing, level), []
    thread = _acknowledging(connection, received)
    _data(local).send_direct_message(clientId=thing, topic=f"{thing}/m/p/i", payload=b"x", timeout=99)
    thread.join()
    assert received[0][0] & 0x06 == 0
    connection.close()


@pytest.mark.parametrize("level", [4, 5])
def test_a_client_that_does_not_acknowledge_is_a_gateway_timeout(local: Local, tmp_path: Path, level: int) -> None:
    thing = _receiver(local, tmp_path)
    connection = _connect(local, tmp_path, thing, level)
    assert _refusal(_data(local).send_direct_message, clientId=thing, topic=f"{thing}/m/p/i", confirmation=True,
                    timeout=1) == (504, "GatewayTimeoutException")
    connection.close()


def test_a_client_that_is_not_connected_is_not_found_and_nothing_is_queued(local: Local, tmp_path: Path) -> None:
    thing, data = _receiver(local, tmp_path), _data(local)
    assert _refusal(data.send_direct_message, clientId=thing, topic=f"{thing}/m") == (404, "ResourceNotFoundException")
    connection = _connect(local, tmp_path, thing, 4)
    connection.settimeout(0.5)
    with pytest.raises((TimeoutError, socket.timeout)):
        connection.recv(1)
    connection.close()


def test_a_receiver_whose_policy_lacks_receive_is_forbidden(local: Local, tmp_path: Path) -> None:
    thing = _receiver(local, tmp_path, receives=False)
    connection = _connect(local, tmp_path, thing, 4)
    assert _refusal(_data(local).send_direct_message, clientId=thing, topic=f"{thing}/m") == (403, "ForbiddenException")
    connection.close()


def test_the_sender_is_granted_on_the_client_and_by_the_topic(local: Local) -> None:
    iam, user, client = local.client("iam"), local.name("user"), local.name("c")
    iam.create_user(UserName=user)
    statement = allow("iot:SendDirectMessage", f"{device.ARN}:client/{client}")
    statement["Condition"] = {"StringLike": {"iot:Topic": "*/*/p/*"}}
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(statement))
    made = iam.create_access_key(UserName=user)["AccessKey"]
    send = _data(local, {"accessKeyId": made["AccessKeyId"], "secretAccessKey": made["SecretAccessKey"]}
                 ).send_direct_message
    assert _refusal(send, clientId=client, topic="t/m/p/i") == (404, "ResourceNotFoundException")
    assert _refusal(send, clientId=client, topic="t/m/q/i") == (403, "ForbiddenException")
    assert _refusal(send, clientId=f"{client}x", topic="t/m/p/i") == (403, "ForbiddenException")


@pytest.mark.parametrize("arguments", [
    {"topic": "$aws/x"}, {"topic": "a/+"}, {"topic": "a/#"}, {"topic": "a" * 257}, {"topic": "1/2/3/4/5/6/7/8/9"},
    {"clientId": "$c"}, {"confirmation": True, "timeout": 0}, {"confirmation": True, "timeout": 16}])
def test_what_is_no_valid_request_is_refused(local: Local, arguments: dict[str, Any]) -> None:
    request = {"clientId": "c", "topic": "t"} | arguments
    assert _refusal(_data(local).send_direct_message, **request) == (400, "InvalidRequestException")


def test_a_payload_of_128_kib_is_taken_and_one_byte_more_is_too_large(local: Local) -> None:
    send, nobody = _data(local).send_direct_message, local.name("nobody")
    assert _refusal(send, clientId=nobody, topic="t", payload=b"x" * 131_072)[0] == 404
    assert _refusal(send, clientId=nobody, topic="t", payload=b"x" * 131_073) == (413, "RequestEntityTooLargeException")


def test_the_rates_are_100_a_second_to_one_receiver_and_20000_an_account() -> None:
    assert (direct_message.PER_RECEIVER, direct_message.PER_ACCOUNT) == (100, 20_000)


def test_the_longest_topic_and_the_most_slashes_are_taken() -> None:
    assert direct_message.topic_flaw("a" * 256) is None and direct_message.topic_flaw("é" * 128) is None
    assert direct_message.topic_flaw("é" * 129) and direct_message.topic_flaw("")
    assert direct_message.topic_flaw("1/2/3/4/5/6/7/8") is None
