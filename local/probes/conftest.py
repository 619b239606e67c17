"""One local AWS for all probes, and what a probe makes in it. Every probe uses names of its own."""

import io
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

_LOCAL = Path(__file__).resolve().parents[1]
_FUNCTION = (Path(__file__).parent / "echo_function.py").read_text()
REGION = "us-east-1"
ACCOUNT = "000000000000"
T = TypeVar("T")


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def verb(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one verb of the package as a person would."""
    return subprocess.run([sys.executable, "-m", "loam_local", *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(_LOCAL), **variables})


def started(*arguments: str) -> tuple["subprocess.Popen[str]", dict[str, Any]]:
    """A `serve` process and the line in which it says that it is ready."""
    process = subprocess.Popen([sys.executable, "-m", "loam_local", "serve", *arguments], stdout=subprocess.PIPE,
                               text=True, env={**os.environ, "PYTHONPATH": str(_LOCAL)})
    assert process.stdout
    line = process.stdout.readline()
    assert line, f"serve ended with {process.wait()}"
    return process, json.loads(line)


def eventually(look: Callable[[], T], seconds: float = 10.0) -> T:
    """What `look` finds once it finds something; fails when the deadline passes first."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.05)
    return found


@dataclass
class Local:
    """The running local AWS and shorthand for what the probes need."""

    endpoint: str
    mqtt_port: int
    folder: Path
    key: dict[str, str]
    credentials_port: int = 0
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client with the administrator's key."""
        from loam_local import aws

        if service not in self.clients:
            self.clients[service] = aws.client(service, self.endpoint, REGION, self.key)
        return self.clients[service]

    def name(self, prefix: str) -> str:
        """A name that no other probe uses."""
        return f"{prefix}-{secrets.token_hex(4)}"

    def role(self, service: str, *statements: dict[str, Any], source: str = ACCOUNT) -> str:
        """A role that `service` may assume for `source`'s account, with these statements; returns its ARN."""
        name, iam = self.name("role"), self.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if service == "iot.amazonaws.com":
            trust["Condition"] = {"StringEquals": {"aws:SourceAccount": source}}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document(*statements))
        return made["Role"]["Arn"]

    def queue(self) -> tuple[str, str]:
        """A queue: (URL, ARN)."""
        url = self.client("sqs").create_queue(QueueName=self.name("queue"))["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[1]}"

    def bucket(self) -> str:
        """An empty bucket."""
        name = self.name("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def received(self, url: str) -> dict[str, Any]:
        """The next message's body on the queue, awaited."""
        def look() -> Any:
            return self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages")
        message = eventually(look)[0]
        self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    def is_empty(self, url: str) -> bool:
        """Whether the queue holds nothing now."""
        return "Messages" not in self.client("sqs").receive_message(QueueUrl=url)

    def function(self, *statements: dict[str, Any], **settings: Any) -> str:
        """A function that echoes its event to its log, fails when the event holds "fail"; returns its ARN."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, f"#!{sys.executable}\n{_FUNCTION}")
        made = self.client("lambda").create_function(
            FunctionName=self.name("function"), Runtime="provided.al2023", Handler="bootstrap", Timeout=5,
            Role=self.role("lambda.amazonaws.com", *statements), Code={"ZipFile": package.getvalue()}, **settings)
        self.client("lambda").get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"],
                                                                    WaiterConfig={"Delay": 0.1, "MaxAttempts": 50})
        return made["FunctionArn"]

    def permit(self, function: str, principal: str, **source: str) -> None:
        """Let an AWS service invoke the function."""
        self.client("lambda").add_permission(FunctionName=function, StatementId=self.name("statement"),
                                             Action="lambda:InvokeFunction", Principal=principal, **source)

    def rule(self, sql: str, *actions: dict[str, Any], error: dict[str, Any] | None = None) -> str:
        """A topic rule; returns its ARN."""
        name = self.name("rule").replace("-", "_")
        payload = {"sql": sql, "awsIotSqlVersion": "2016-03-23", "actions": list(actions), "ruleDisabled": False}
        self.client("iot").create_topic_rule(ruleName=name,
                                             topicRulePayload=payload | ({"errorAction": error} if error else {}))
        return f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/{name}"

    def errors(self) -> tuple[str, dict[str, Any]]:
        """A queue's URL and an error action that fills it."""
        url, arn = self.queue()
        return url, {"sqs": {"queueUrl": url, "roleArn": self.role("iot.amazonaws.com", allow("sqs:SendMessage", arn))}}

    def publish(self, topic: str, payload: Any) -> None:
        """Publish over HTTPS, as a backend does."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client("iot-data").publish(topic=topic, qos=1, payload=body)


def allow(action: str, resource: str) -> dict[str, Any]:
    """One statement of a policy."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="session")
def local() -> Iterator[Local]:
    """The local AWS, started once, stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="loam-probes-") as folder:
        process, ready = started("--port", str(free_port()), "--mqtt-port", str(free_port()), "--state",
                                 f"{folder}/state", "--async-retry-seconds", "0.1",
                                 "--deactivation-seconds", "1")
        try:
            answer = verb("admin", "--endpoint", ready["endpoint"], "--state", folder)
            assert answer.returncode == 0, answer.stderr
            yield Local(ready["endpoint"], ready["mqttPort"], Path(folder), json.loads(answer.stdout),
                        ready["credentialsPort"])
        finally:
            process.terminate()
            assert process.wait(10) == 0
