"""The verbs, run as a person runs them."""

import json
import os
import signal
import socket
import stat
import urllib.request
from pathlib import Path

from conftest import REGION, Local, allow, document, eventually, free_port, started, verb


def _as_admin(local: Local) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": local.key["accessKeyId"], "AWS_SECRET_ACCESS_KEY": local.key["secretAccessKey"],
            "AWS_REGION": REGION, "AWS_ENDPOINT_URL": local.endpoint}


def test_a_busy_port_is_one_clear_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        options = ("--port", "--mqtt-port", "--credentials-port")
        for option in options:
            others = [part for other in options if other != option for part in (other, str(free_port()))]
            answer = verb("serve", option, port, *others, "--state", str(tmp_path))
            assert answer.returncode == 2
            assert f"port {port}" in answer.stderr and option in answer.stderr
            assert len(answer.stderr.splitlines()) == 1


def test_admin_gives_the_same_key_again(local: Local) -> None:
    again = verb("admin", "--endpoint", local.endpoint, "--state", str(local.folder))
    assert json.loads(again.stdout) == local.key
    assert stat.S_IMODE((local.folder / "admin.json").stat().st_mode) == 0o600


def test_the_mqtt_port_is_open_on_loopback_only(local: Local) -> None:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {line.split()[1] for line in lines if line.split()[1].endswith(f":{local.mqtt_port:04X}")
                 and line.split()[3] == "0A"}
    assert addresses == {f"0100007F:{local.mqtt_port:04X}"}


def test_sigterm_ends_the_functions_too(tmp_path: Path) -> None:
    process, ready = started("--port", str(free_port()), "--mqtt-port", str(free_port()), "--state", str(tmp_path))
    key = json.loads(verb("admin", "--endpoint", ready["endpoint"]).stdout)
    local = Local(ready["endpoint"], ready["mqttPort"], tmp_path, key)
    function = local.function()
    local.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers = [int(number) for task in Path(f"/proc/{process.pid}/task").iterdir()
               for number in (task / "children").read_text().split()]
    assert workers and children.exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not [number for number in workers if Path(f"/proc/{number}").exists()]


def test_the_credentials_port_is_the_one_that_was_asked_for_and_stays_so_after_a_reset(tmp_path: Path) -> None:
    asked = free_port()
    process, ready = started("--port", str(free_port()), "--mqtt-port", str(free_port()), "--credentials-port",
                             str(asked), "--state", str(tmp_path))
    try:
        assert ready["credentialsPort"] == asked
        key = json.loads(verb("admin", "--endpoint", ready["endpoint"]).stdout)
        Local(ready["endpoint"], ready["mqttPort"], tmp_path, key).client("iot").create_role_alias(
            roleAlias="fern", roleArn="arn:aws:iam::000000000000:role/fern")
        urllib.request.urlopen(f"{ready['endpoint']}/_ministack/reset", data=b"").close()
        key = json.loads(verb("admin", "--endpoint", ready["endpoint"]).stdout)
        iot = Local(ready["endpoint"], ready["mqttPort"], tmp_path, key).client("iot")
        assert iot.list_role_aliases()["roleAliases"] == []
        eventually(lambda: _listens(asked))
    finally:
        process.terminate()
        assert process.wait(10) == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_death_of_the_parent_ends_serve(tmp_path: Path) -> None:
    port = free_port()
    parent = os.fork()
    if parent == 0:
        started("--port", str(port), "--mqtt-port", str(free_port()), "--state", str(tmp_path))
        os._exit(0)
    os.waitpid(parent, 0)

    def is_gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0
    assert eventually(is_gone)


def test_a_functions_credentials_are_its_roles(local: Local) -> None:
    function = local.function(allow("sqs:ListQueues", "*"))
    name = function.rsplit(":", 1)[1]
    with urllib.request.urlopen(f"{local.endpoint}/_loam/credentials/{name}") as answer:
        found = json.load(answer)
    import boto3
    from botocore.exceptions import ClientError

    session = boto3.Session(found["accessKeyId"], found["secretAccessKey"], found["sessionToken"], REGION)
    assert "assumed-role/role-" in session.client("sts", endpoint_url=local.endpoint).get_caller_identity()["Arn"]
    session.client("sqs", endpoint_url=local.endpoint).list_queues()
    try:
        session.client("s3", endpoint_url=local.endpoint).list_buckets()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied"
    else:
        raise AssertionError("the role may not list buckets")


def test_seed_makes_things_that_may_connect_and_nothing_twice(local: Local, tmp_path: Path) -> None:
    policy = local.name("policy")
    local.client("iot").create_policy(policyName=policy, policyDocument=document(allow("iot:Connect", "*")))
    arguments = ("seed", "--stack", "s", "--policy", policy, "--things", "fern,moss", "--out", str(tmp_path))
    first = json.loads(verb(*arguments, **_as_admin(local)).stdout)
    assert json.loads(verb(*arguments, **_as_admin(local)).stdout) == first
    assert first["port"] == local.mqtt_port
    assert [thing["thing"] for thing in first["things"]] == ["fern", "moss"]
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    (principal,) = local.client("iot").list_thing_principals(thingName="fern")["principals"]
    certificate = local.client("iot").describe_certificate(certificateId=principal.rsplit("/", 1)[1])
    assert certificate["certificateDescription"]["status"] == "ACTIVE"
    assert local.client("iot").list_attached_policies(target=principal)["policies"][0]["policyName"] == policy


def test_seed_without_its_policy_says_so(local: Local, tmp_path: Path) -> None:
    answer = verb("seed", "--stack", "s", "--policy", "none", "--things", "a", "--out", str(tmp_path),
                  **_as_admin(local))
    assert answer.returncode == 1
    assert "[policy-not-found]" in answer.stderr


def test_an_endpoint_that_does_not_answer_is_one_clear_sentence() -> None:
    answer = verb("describe", "--stack", "s", "--endpoint", f"http://127.0.0.1:{free_port()}", AWS_ACCESS_KEY_ID="a",
                  AWS_SECRET_ACCESS_KEY="b", AWS_MAX_ATTEMPTS="1")
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1 and "[aws-refused]" in answer.stderr
