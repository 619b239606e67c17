"""The example app against the local AWS. What stands for `POST /v1/credentials` here answers as the route does."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import app
import pytest
from conftest import ACCOUNT, REGION, Local, allow, document

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON = _ROOT / "target/venv/app/bin/python"
_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"


def _mailbox(who: str, client: str) -> list[dict[str, Any]]:
    """What the template lets an app do."""
    own = f"loam/users/{who}"
    return [allow("iot:Connect", f"{_ARN}:client/{client}"), allow("iot:Receive", f"{_ARN}:topic/{own}/*"),
            allow("iot:Subscribe", f"{_ARN}:topicfilter/{own}/*"),
            allow("iot:Publish", f"{_ARN}:topic/{own}/things/*/desired"),
            allow("iot:Publish", f"{_ARN}:topic/{own}/things/*/commands/request")]


class Route:
    """`POST /v1/credentials` on a port of its own, for people of these pools."""

    def __init__(self, people: app.People) -> None:
        self.asked: list[dict[str, str]] = []
        self.identities: list[str] = []
        route, local = self, people.local
        policy = local.name("policy")
        local.client("iot").create_policy(policyName=policy, policyDocument=document(
            *_mailbox("${iot:ClientId}", f"{REGION}:*")))

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                route.asked.append(dict(self.headers) | {"path": self.path})
                token = self.headers["Authorization"].removeprefix("Bearer ")
                identity = people.identity(token)
                route.identities.append(identity)
                local.client("iot").attach_policy(policyName=policy, target=identity)
                key, own = people.key(identity, token), f"loam/users/{identity}"
                answer = {"identityId": identity, "clientId": identity, "accessKeyId": key["accessKeyId"],
                          "secretKey": key["secretAccessKey"], "sessionToken": key["sessionToken"],
                          "endpoint": f"data-ats.iot.{REGION}.amazonaws.com", "expiresAt": 0,
                          "topics": {"subscribe": f"{own}/#", "desired": f"{own}/things/+/desired",
                                     "commands": f"{own}/things/+/commands/request"}}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def people(local: Local) -> app.People:
    """Pools whose role is the template's."""
    who = "${cognito-identity.amazonaws.com:sub}"
    return app.people(local, *_mailbox(who, who))


@pytest.fixture
def route(people: app.People) -> Iterator[Route]:
    """The route, until the probe ends."""
    found = Route(people)
    yield found
    found.server.shutdown()


def _started(people: app.People, route: Route, tmp_path: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The app, with a token file and settings by environment alone."""
    assert _PYTHON.exists(), "the example's environment is missing: cargo xtask test --level contract makes it"
    token = tmp_path / "id.token"
    token.write_text(people.tokens()["IdToken"])
    port = route.server.server_address[1]
    variables = {"LOAM_API": f"http://127.0.0.1:{port}", "AWS_REGION": REGION, "AWS_ENDPOINT_URL": people.local.endpoint}
    return subprocess.Popen([str(_PYTHON), str(_ROOT / "examples/app/app.py"), "--token-file", str(token), *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={"PATH": os.environ["PATH"], **variables})


def _line(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout
    found = process.stdout.readline()
    assert found, process.stderr.read() if process.stderr else ""
    return dict(json.loads(found))


def _end(process: "subprocess.Popen[str]") -> None:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err


def test_the_app_prints_what_comes(people: app.People, route: Route, tmp_path: Path) -> None:
    process = _started(people, route, tmp_path, "watch")
    assert _line(process) == {"subject": "connected"}
    people.local.publish(f"loam/users/{route.identities[0]}/things/pump1/state", {"version": 9})
    assert _line(process) == {"thing": "pump1", "subject": "state", "told": {"version": 9}}
    assert [asked["path"] for asked in route.asked] == ["/v1/credentials"]
    _end(process)


def test_the_app_comes_back_with_fresh_credentials(people: app.People, route: Route, tmp_path: Path) -> None:
    process = _started(people, route, tmp_path, "watch")
    assert _line(process) == {"subject": "connected"}
    people.local.client("iot-data").delete_connection(clientId=route.identities[0])
    assert _line(process) == {"subject": "connected"}
    assert len(route.asked) == 2
    _end(process)


@pytest.mark.parametrize(("command", "topic"), [("set", "desired"), ("command", "commands/request")])
def test_the_app_asks_for_a_state_and_orders_a_command(people: app.People, route: Route, tmp_path: Path, command: str,
                                                        topic: str) -> None:
    local = people.local
    url, arn = local.queue()
    action = {"sqs": {"queueUrl": url, "useBase64": False,
                      "roleArn": local.role("iot.amazonaws.com", allow("sqs:SendMessage", arn))}}
    local.rule(f"SELECT *, topic() AS topic, clientid() AS client FROM 'loam/users/+/things/pump1/{topic}'", action)
    process = _started(people, route, tmp_path, command, "pump1", '{"name": "flush"}')
    sent = local.received(url)
    identity = route.identities[0]
    assert len(sent.pop("requestId")) == 36
    assert sent == {"name": "flush", "topic": f"loam/users/{identity}/things/pump1/{topic}", "client": identity}
    _end(process)


def test_the_app_signs_in_by_itself_and_says_what_is_wrong(people: app.People) -> None:
    variables = {"LOAM_API": "http://127.0.0.1:1", "AWS_REGION": REGION, "AWS_ENDPOINT_URL": people.local.endpoint,
                 "LOAM_PASSWORD": "wrong", "PATH": os.environ["PATH"]}
    answer = subprocess.run([str(_PYTHON), str(_ROOT / "examples/app/app.py"), "--user", "nobody", "--client-id",
                             people.client, "watch"], capture_output=True, text=True, timeout=30, env=variables)
    assert (answer.returncode, "check user, password" in answer.stderr) == (1, True), answer.stderr
    assert "wrong" not in answer.stdout + answer.stderr
