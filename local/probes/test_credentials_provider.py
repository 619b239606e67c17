"""The credentials provider: who gets credentials for a certificate, and what policies know of a device."""

import calendar
import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import device
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Local, allow
from loam_local import aws

_SERVICE = "credentials.iot.amazonaws.com"
_NAME = "${credentials-iot:ThingName}"
_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"
_ASK = "iot:AssumeRoleWithCertificate"


@dataclass
class Device:
    """A thing with its certificate, and the alias that it may ask for."""

    local: Local
    folder: Path
    thing: str
    alias: str

    def ask(self, alias: str | None = None, thing: str | None = None, certificate: str | None = "own",
            path: str = "/role-aliases/{}/credentials") -> tuple[int, dict[str, Any]]:
        """Status and body of an answer; without `thing` the header is not sent, None as certificate shows none."""
        context = ssl.create_default_context(cafile=str(self.folder / "root-ca.pem"))
        if certificate:
            name = self.thing if certificate == "own" else certificate
            context.load_cert_chain(self.folder / f"{name}.pem.crt", self.folder / f"{name}.private.key")
        link = http.client.HTTPSConnection("localhost", self.local.credentials_port, timeout=10, context=context)
        headers = {} if thing is None else {"x-amzn-iot-thingname": thing}
        link.request("GET", path.format(alias or self.alias), headers=headers)
        answer = link.getresponse()
        return answer.status, json.load(answer)

    def key(self, thing: str | None = None) -> dict[str, str]:
        """The credentials, which it gets."""
        status, answer = self.ask(thing=thing)
        assert status == 200, answer
        return dict(answer["credentials"])

    def certificate(self) -> str:
        """The id of its certificate."""
        (principal,) = self.local.client("iot").list_thing_principals(thingName=self.thing)["principals"]
        return str(principal).rsplit("/", 1)[1]


def _alias(local: Local, role: str, **more: Any) -> str:
    name = local.name("alias")
    local.client("iot").create_role_alias(roleAlias=name, roleArn=role, **more)
    return name


def _device(local: Local, folder: Path, *statements: dict[str, Any], alias: str | None = None) -> Device:
    """A device that may ask for a role with these statements."""
    alias = alias or _alias(local, local.role(_SERVICE, *statements))
    return Device(local, folder, device.seeded(local, folder, allow(_ASK, f"{_ARN}:rolealias/{alias}")), alias)


def _denied(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException")
        return True
    return False


def test_the_endpoint_is_a_host_of_the_account_with_the_port_of_the_provider(local: Local) -> None:
    address = local.client("iot").describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
    host, _colon, port = address.partition(":")
    assert f".credentials.iot.{REGION}." in host and int(port) == local.credentials_port
    configuration = local.client("iot").describe_domain_configuration(domainConfigurationName="iot:CredentialProvider")
    assert configuration["domainName"] == address


def test_the_server_s_certificate_is_good_for_the_endpoint(local: Local, tmp_path: Path) -> None:
    device.seeded(local, tmp_path)
    address = local.client("iot").describe_endpoint(endpointType="iot:CredentialProvider")["endpointAddress"]
    context = ssl.create_default_context(cafile=str(tmp_path / "root-ca.pem"))
    link = socket.create_connection(("127.0.0.1", local.credentials_port), 10)
    with context.wrap_socket(link, server_hostname=address.partition(":")[0]) as connection:
        assert connection.getpeercert()


def test_the_credentials_are_a_session_of_the_role_named_by_the_certificate(local: Local, tmp_path: Path) -> None:
    one = _device(local, tmp_path, allow("sqs:ListQueues", "*"))
    key = one.key()
    arn = aws.client("sts", local.endpoint, REGION, key).get_caller_identity()["Arn"]
    assert "assumed-role/role-" in arn and arn.endswith(f"/{one.certificate()}")
    aws.client("sqs", local.endpoint, REGION, key).list_queues()
    assert _denied(aws.client("s3", local.endpoint, REGION, key).list_buckets)


@pytest.mark.parametrize("seconds", [900, 3600])
def test_the_credentials_last_as_long_as_the_alias_says(local: Local, tmp_path: Path, seconds: int) -> None:
    alias = _alias(local, local.role(_SERVICE), credentialDurationSeconds=seconds)
    expiration = _device(local, tmp_path, alias=alias).key()["expiration"]
    # gmtime() alone reads a coarser clock, which may be behind that of the provider.
    left = calendar.timegm(time.strptime(expiration, "%Y-%m-%dT%H:%M:%SZ")) - time.time()
    assert seconds - 30 < left <= seconds


def test_an_alias_that_outlasts_its_role_s_sessions_gives_nothing(local: Local, tmp_path: Path) -> None:
    alias = _alias(local, local.role(_SERVICE), credentialDurationSeconds=3601)
    status, answer = _device(local, tmp_path, alias=alias).ask()
    assert status == 400 and "MaxSessionDuration" in answer["message"]


def test_a_thing_that_the_certificate_is_not_attached_to_is_refused(local: Local, tmp_path: Path) -> None:
    one, other = _device(local, tmp_path), _device(local, tmp_path)
    for thing in (other.thing, "nobody", ""):
        assert one.ask(thing=thing) == (403, {"message": "Invalid thing name passed"})
    assert one.ask(thing=one.thing)[0] == 200


def test_a_certificate_whose_policy_does_not_allow_it_is_refused(local: Local, tmp_path: Path) -> None:
    one = _device(local, tmp_path)
    other = Device(local, tmp_path, device.seeded(local, tmp_path), one.alias)
    assert other.ask() == (403, {"message": "Access Denied"})
    assert one.ask(alias=_alias(local, local.role(_SERVICE))) == (403, {"message": "Access Denied"})


def test_thing_variables_of_an_iot_policy_have_no_value_here(local: Local, tmp_path: Path) -> None:
    alias = _alias(local, local.role(_SERVICE))
    condition = {"Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}}}
    thing = device.seeded(local, tmp_path, allow(_ASK, f"{_ARN}:rolealias/{alias}") | condition)
    assert Device(local, tmp_path, thing, alias).ask(thing=thing) == (403, {"message": "Access Denied"})


def test_an_alias_that_does_not_exist_is_told_to_who_may_ask_for_it(local: Local, tmp_path: Path) -> None:
    name = local.name("alias")
    assert _device(local, tmp_path, alias=name).ask() == (404, {"message": "Role alias does not exist"})
    assert _device(local, tmp_path).ask(alias=name) == (403, {"message": "Access Denied"})


@pytest.mark.parametrize("service", ["iot.amazonaws.com", "lambda.amazonaws.com"])
def test_a_role_that_does_not_trust_the_provider_gives_nothing(local: Local, tmp_path: Path, service: str) -> None:
    status, answer = _device(local, tmp_path, alias=_alias(local, local.role(service))).ask()
    assert status == 400 and answer["message"].startswith("Unable to assume the role")


def test_a_role_that_does_not_exist_gives_nothing(local: Local, tmp_path: Path) -> None:
    alias = _alias(local, f"arn:aws:iam::{ACCOUNT}:role/{local.name('none')}")
    assert _device(local, tmp_path, alias=alias).ask()[0] == 400


def test_a_certificate_that_is_not_active_or_not_there_is_refused(local: Local, tmp_path: Path) -> None:
    one, refused = _device(local, tmp_path), (403, {"message": "Certificate is invalid on this endpoint"})
    assert one.ask(certificate=None) == refused
    local.client("iot").update_certificate(certificateId=one.certificate(), newStatus="INACTIVE")
    assert one.ask() == refused
    local.client("iot").update_certificate(certificateId=one.certificate(), newStatus="ACTIVE")
    assert one.ask()[0] == 200


@pytest.mark.parametrize("path", ["/", "/role-aliases/{}", "/role-aliases//credentials",
                                  "/role-aliases/{}/credentials/x"])
def test_another_path_is_not_found(local: Local, tmp_path: Path, path: str) -> None:
    assert _device(local, tmp_path).ask(path=path) == (404, {"message": "Not Found"})


def test_the_provider_speaks_no_mqtt_and_listens_on_loopback_only(local: Local, tmp_path: Path) -> None:
    one = _device(local, tmp_path)
    elsewhere = Local(local.endpoint, local.credentials_port, local.folder, local.key)
    link = device.opened(elsewhere, tmp_path, one.thing)
    link.sendall(b"\x10\x04\r\n\r\n")
    assert link.recv(16).startswith(b"HTTP/1.1 404")
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert {line[1] for line in lines if line[1].endswith(f":{local.credentials_port:04X}") and line[3] == "0A"} == {
        f"0100007F:{local.credentials_port:04X}"}


def test_a_policy_of_the_role_knows_certificate_thing_and_type(local: Local, tmp_path: Path) -> None:
    bucket, kind = local.bucket(), local.name("kind")
    one = _device(local, tmp_path, *(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/{variable}/*") for variable in (
        _NAME, "${credentials-iot:ThingTypeName}", "${credentials-iot:AwsCertificateId}")))
    local.client("iot").create_thing_type(thingTypeName=kind)
    local.client("iot").update_thing(thingName=one.thing, thingTypeName=kind)
    certificate = one.certificate()
    named = aws.client("s3", local.endpoint, REGION, one.key(thing=one.thing)).put_object
    for prefix in (one.thing, kind, certificate):
        named(Bucket=bucket, Key=f"{prefix}/a", Body=b"")
    assert _denied(named, Bucket=bucket, Key="other/a", Body=b"")
    nameless = aws.client("s3", local.endpoint, REGION, one.key()).put_object
    nameless(Bucket=bucket, Key=f"{certificate}/a", Body=b"")
    for prefix in (one.thing, kind, _NAME):
        assert _denied(nameless, Bucket=bucket, Key=f"{prefix}/a", Body=b"")


def _opening(key: str) -> dict[str, Any]:
    """The statement of a role that opens what was sealed for the device itself, and for no other use."""
    return allow("kms:Decrypt", key) | {"Condition": {
        "StringEquals": {"kms:EncryptionContext:thing": _NAME}, "Null": {"kms:EncryptionContext:use": "true"}}}


@pytest.fixture(scope="module")
def sealing(local: Local) -> str:
    """The ARN of a key."""
    return str(local.client("kms").create_key()["KeyMetadata"]["Arn"])


def _opened(one: Device, sealing: str, key: dict[str, str], context: dict[str, str]) -> bool:
    """Whether the credentials open what was sealed under the context."""
    sealed = one.local.client("kms").encrypt(KeyId=sealing, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    kms = aws.client("kms", one.local.endpoint, REGION, key)
    return not _denied(kms.decrypt, CiphertextBlob=sealed, EncryptionContext=context, KeyId=sealing)


def test_a_device_opens_what_was_sealed_for_it_and_nothing_else(local: Local, tmp_path: Path, sealing: str) -> None:
    one = _device(local, tmp_path, _opening(sealing))
    other = _device(local, tmp_path, alias=one.alias)
    key, mine = one.key(thing=one.thing), {"thing": one.thing, "direction": "download"}
    assert _opened(one, sealing, key, mine)
    assert not _opened(one, sealing, key, mine | {"thing": other.thing})
    assert not _opened(one, sealing, key, mine | {"use": "archive"})
    assert not _opened(one, sealing, key, {"direction": "download"})
    assert not _opened(one, sealing, other.key(thing=other.thing), mine)


def test_a_device_that_does_not_say_who_it_is_opens_nothing(local: Local, tmp_path: Path, sealing: str) -> None:
    one = _device(local, tmp_path, _opening(sealing))
    key = one.key()
    for thing in (one.thing, _NAME, ""):
        assert not _opened(one, sealing, key, {"thing": thing})
