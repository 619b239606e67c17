"""What AWS documents about GetConnection, DeleteConnection, ListSubscriptions and ListNamedShadowsForThing."""

import re
from pathlib import Path
from typing import Any

import boto3
import device
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from conftest import REGION, Local, allow, document, eventually
from loam_local.extension import connections, sessions
from loam_local.extension.throttle import Rate

_README = Path(__file__).resolve().parents[1] / "README.md"
_OPERATIONS = ("GetConnection", "DeleteConnection", "ListNamedShadowsForThing", "SendDirectMessage")
_ROW = re.compile(r"\| `(\w+)` \| (\d{3}) `(\w+)` \|")


def _data(local: Local) -> Any:
    """A client without retries, which would hide a 429."""
    if "iot-data-once" not in local.clients:
        local.clients["iot-data-once"] = boto3.client(
            "iot-data", endpoint_url=local.endpoint, region_name=REGION,
            config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id=local.key["accessKeyId"], aws_secret_access_key=local.key["secretAccessKey"])
    return local.clients["iot-data-once"]


def _refusal(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def _once(call: Any, **arguments: Any) -> Any:
    """The answer, waiting while the rate of one request a second and client forbids to ask."""
    def look() -> Any:
        try:
            return [call(**arguments)]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ThrottlingException":
                raise
            return None
    return eventually(look)[0]


def test_a_connected_client_is_told_with_its_thing_and_its_session(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    connection = device.connect(local, tmp_path, thing)
    assert connection
    found = _data(local).get_connection(clientId=thing)
    assert (found["connected"], found["thingName"], found["clientId"]) == (True, thing, thing)
    assert (found["cleanSession"], found["keepAliveDuration"], found["sessionExpiry"]) == (True, 60, 0)
    assert "connectedSince" in found and "disconnectedSince" not in found and "sourceIp" not in found
    port = connection.getsockname()[1]
    found = _once(_data(local).get_connection, clientId=thing, includeSocketInformation=True)
    assert (found["sourceIp"], found["sourcePort"], found["targetPort"]) == ("127.0.0.1", port, local.mqtt_port)
    device.say_goodbye(connection)


def test_a_client_that_left_is_told_with_the_reason(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    connection = device.connect(local, tmp_path, thing, clean=False)
    assert connection
    device.say_goodbye(connection)
    eventually(lambda: _once(_data(local).get_connection, clientId=thing)["connected"] is False)
    found = _once(_data(local).get_connection, clientId=thing)
    assert (found["disconnectReason"], found["cleanSession"]) == ("CLIENT_INITIATED_DISCONNECT", False)
    assert "disconnectedSince" in found and "connectedSince" not in found


def test_a_client_is_told_for_30_minutes_after_its_end_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ("0", "r", "c")
    ended = sessions.Connection(None, True, 60, 0, ("", 0), ("", 0), began=0, ended=1_000)
    monkeypatch.setitem(sessions._connections, key, ended)
    monkeypatch.setattr(sessions, "now", lambda: 1_000 + 30 * 60 * 1000)
    assert sessions.found(key) is ended
    monkeypatch.setattr(sessions, "now", lambda: 1_001 + 30 * 60 * 1000)
    assert sessions.found(key) is None


@pytest.mark.parametrize("operation", ["get_connection", "delete_connection"])
def test_a_client_that_nobody_knows_is_not_found(local: Local, operation: str) -> None:
    call = getattr(_data(local), operation)
    assert _refusal(call, clientId=local.name("nobody")) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize("operation", ["get_connection", "delete_connection"])
def test_a_client_id_that_starts_with_a_dollar_is_no_valid_request(local: Local, operation: str) -> None:
    assert _refusal(getattr(_data(local), operation), clientId="$aws") == (400, "InvalidRequestException")


@pytest.mark.parametrize("operation", ["get_connection", "delete_connection"])
def test_one_client_may_be_asked_for_once_a_second(local: Local, operation: str) -> None:
    call, client, other = getattr(_data(local), operation), local.name("c"), local.name("c")
    assert _refusal(call, clientId=client)[0] == 404
    assert _refusal(call, clientId=client) == (429, "ThrottlingException")
    assert _refusal(call, clientId=other)[0] == 404


def test_a_rate_refills_with_the_second_and_never_beyond_its_size() -> None:
    rate = Rate(100)
    assert [rate.allows("a", 0.0) for _ in range(101)].count(True) == 100
    assert not rate.allows("a", 0.0099) and rate.allows("a", 0.0101)
    assert rate.allows("b", 0.0)
    assert [rate.allows("a", 60.0) for _ in range(101)].count(True) == 100


def test_the_rates_are_one_a_client_and_a_hundred_an_account() -> None:
    assert (connections._PER_CLIENT, connections._PER_ACCOUNT) == (1, 100)


def test_both_operations_are_granted_on_the_clients_arn(local: Local) -> None:
    allowed, iam, user = local.name("c"), local.client("iam"), local.name("user")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(
        allow("iot:GetConnection", f"{device.ARN}:client/{allowed}"),
        allow("iot:DeleteConnection", f"{device.ARN}:client/{allowed}")))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    data = boto3.client("iot-data", endpoint_url=local.endpoint, region_name=REGION,
                        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    for call in (data.get_connection, data.delete_connection):
        assert _refusal(call, clientId=allowed)[0] == 404
        assert _refusal(call, clientId=f"{allowed}x") == (403, "ForbiddenException")


def _events(local: Local, thing: str) -> str:
    """The URL of a queue that gets the thing's presence events and its last will."""
    url, arn = local.queue()
    role = local.role("iot.amazonaws.com", allow("sqs:SendMessage", arn))
    for source in (f"$aws/events/presence/+/{thing}", f"lwt/{thing}"):
        local.rule(f"SELECT *, topic() AS topic FROM '{source}'", {"sqs": {"queueUrl": url, "roleArn": role}})
    return url


@pytest.mark.parametrize("prevent", [False, True])
def test_delete_connection_ends_it_with_or_without_the_will_and_the_client_may_return(
        local: Local, tmp_path: Path, prevent: bool) -> None:
    thing = device.seeded(local, tmp_path)
    url = _events(local, thing)
    connection = device.connect(local, tmp_path, thing, will=f"lwt/{thing}")
    assert connection and local.received(url)["eventType"] == "connected"
    _data(local).delete_connection(clientId=thing, preventWillMessage=prevent)
    assert device.is_closed(connection)
    if not prevent:
        assert local.received(url)["topic"] == f"lwt/{thing}"
    event = local.received(url)
    assert (event["disconnectReason"], event["clientInitiatedDisconnect"]) == ("API_INITIATED_DISCONNECT", False)
    assert _once(_data(local).get_connection, clientId=thing)["disconnectReason"] == "API_INITIATED_DISCONNECT"
    assert _refusal(lambda: _once(_data(local).delete_connection, clientId=thing))[0] == 404
    again = device.connect(local, tmp_path, thing)
    assert again
    device.say_goodbye(again)


@pytest.mark.parametrize("clean", [False, True])
def test_delete_connection_keeps_a_persistent_session_unless_told_to_clean_it(
        local: Local, tmp_path: Path, clean: bool) -> None:
    thing = device.seeded(local, tmp_path)
    connection = device.connect(local, tmp_path, thing, clean=False)
    assert connection
    _data(local).delete_connection(clientId=thing, cleanSession=clean)
    assert device.is_closed(connection)
    again = device.opened(local, tmp_path, thing)
    body = device.text("MQTT") + b"\x04\x00\x00\x3c" + device.text(thing)
    again.sendall(b"\x10" + bytes([len(body)]) + body)
    assert again.recv(4) == bytes([0x20, 2, 0 if clean else 1, 0])
    device.say_goodbye(again)


def test_the_subscriptions_of_a_client_are_listed_by_pages(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path, allow("iot:Subscribe", f"{device.ARN}:topicfilter/t/*"))
    call = _data(local).list_subscriptions
    assert _refusal(call, clientId=thing) == (404, "ResourceNotFoundException")
    connection = device.connect(local, tmp_path, thing)
    assert connection and call(clientId=thing)["subscriptions"] == []
    filters = b"".join(device.text(name) + b"\x01" for name in ("t/b/+", "t/a/+"))
    connection.sendall(b"\x82" + bytes([2 + len(filters)]) + b"\x00\x07" + filters)
    assert connection.recv(8)[:1] == b"\x90"
    first = call(clientId=thing, maxResults=1)
    last = call(clientId=thing, maxResults=1, nextToken=first["nextToken"])
    assert first["subscriptions"] == [{"topicFilter": "t/a/+", "qos": 1}]
    assert last["subscriptions"] == [{"topicFilter": "t/b/+", "qos": 1}] and "nextToken" not in last
    assert _refusal(call, clientId=thing, nextToken="?") == (400, "InvalidRequestException")
    device.say_goodbye(connection)


def test_named_shadows_are_listed_by_pages_and_the_classic_one_is_not(local: Local) -> None:
    thing, data = local.name("thing"), _data(local)
    local.client("iot").create_thing(thingName=thing)
    assert data.list_named_shadows_for_thing(thingName=thing)["results"] == []
    data.update_thing_shadow(thingName=thing, payload=b'{"state":{"reported":{}}}')
    for name in ("c", "a", "b"):
        data.update_thing_shadow(thingName=thing, shadowName=name, payload=b'{"state":{"reported":{}}}')
    data.delete_thing_shadow(thingName=thing, shadowName="b")
    first = data.list_named_shadows_for_thing(thingName=thing, pageSize=1)
    last = data.list_named_shadows_for_thing(thingName=thing, pageSize=1, nextToken=first["nextToken"])
    assert (first["results"], last["results"], "nextToken" in last) == (["a"], ["c"], False)


def test_named_shadows_of_no_thing_and_with_a_forged_token_are_refused(local: Local) -> None:
    call, thing = _data(local).list_named_shadows_for_thing, local.name("thing")
    assert _refusal(call, thingName=thing) == (404, "ResourceNotFoundException")
    local.client("iot").create_thing(thingName=thing)
    assert _refusal(call, thingName=thing, nextToken="?") == (400, "InvalidRequestException")


def test_the_readmes_table_of_errors_is_the_sdks(local: Local) -> None:
    told = {(operation, int(status), error) for operation, status, error in _ROW.findall(_README.read_text())}
    model = _data(local).meta.service_model
    known = {(operation, shape.metadata["error"]["httpStatusCode"], shape.name)
             for operation in _OPERATIONS for shape in model.operation_model(operation).error_shapes}
    assert told == known
