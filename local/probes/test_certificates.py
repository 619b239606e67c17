"""What AWS documents about certificates that connect: just-in-time registration, deactivation, exclusive things."""

import contextlib
import json
import shutil
from pathlib import Path

import device
import pytest
from botocore.exceptions import ClientError
from conftest import Local, allow, verb
from loam_local.pki import Authority, certificate_id


def _told(local: Local, topic: str) -> str:
    """The URL of a queue that gets what is published on the topic filter."""
    url, arn = local.queue()
    role = local.role("iot.amazonaws.com", allow("sqs:SendMessage", arn))
    local.rule(f"SELECT * FROM '{topic}'", {"sqs": {"queueUrl": url, "roleArn": role}})
    return url


def _registered(local: Local, folder: Path) -> tuple[str, str]:
    """An auto-registering CA, and the name of a certificate of it that nobody has seen: (CA's id, name)."""
    device.seeded(local, folder)  # the broker's own certificate comes with it
    authority, iot, name = Authority.ensure(folder / "factory"), local.client("iot"), local.name("new")
    proof, _key = authority.issue(iot.get_registration_code()["registrationCode"])
    made = iot.register_ca_certificate(caCertificate=authority.pem, verificationCertificate=proof, setAsActive=True,
                                       allowAutoRegistration=True)
    certificate, key = authority.issue(name)
    (folder / f"{name}.pem.crt").write_text(certificate + authority.pem)
    (folder / f"{name}.private.key").write_text(key)
    return made["certificateId"], name


def test_an_unknown_certificate_of_an_auto_registering_ca_is_told_and_closed_each_time(
        local: Local, tmp_path: Path) -> None:
    ca, name = _registered(local, tmp_path)
    url = _told(local, f"$aws/events/certificates/registered/{ca}")
    certificate = certificate_id((tmp_path / f"{name}.pem.crt").read_text())
    for _try in range(2):
        assert device.connect(local, tmp_path, name) is None
        event = local.received(url)
        assert (event["certificateId"], event["caCertificateId"]) == (certificate, ca)
        assert event["certificateStatus"] == "PENDING_ACTIVATION"
    found = local.client("iot").describe_certificate(certificateId=certificate)["certificateDescription"]
    assert (found["status"], found["caCertificateId"]) == ("PENDING_ACTIVATION", ca)


def test_the_session_of_a_deactivated_certificate_ends_after_a_while(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    url = _told(local, f"$aws/events/presence/disconnected/{thing}")
    connection = device.connect(local, tmp_path, thing)
    assert connection
    certificate = certificate_id((tmp_path / f"{thing}.pem.crt").read_text())
    local.client("iot").update_certificate(certificateId=certificate, newStatus="INACTIVE")
    assert not device.is_closed(connection, 0.2)
    assert device.is_closed(connection)
    assert local.received(url)["clientInitiatedDisconnect"] is False
    assert device.connect(local, tmp_path, thing) is None


def test_connect_and_disconnect_of_one_connection_carry_one_version_and_the_thing(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    url = _told(local, f"$aws/events/presence/+/{thing}")
    versions = []
    for _connection in range(2):
        connection = device.connect(local, tmp_path, thing)
        assert connection
        came = local.received(url)
        device.say_goodbye(connection)
        went = local.received(url)
        assert (came["eventType"], went["eventType"]) == ("connected", "disconnected")
        assert came["versionNumber"] == went["versionNumber"] and came["thingName"] == went["thingName"] == thing
        assert came["sessionIdentifier"] == went["sessionIdentifier"]
        versions.append(came["versionNumber"])
    assert versions[0] < versions[1]


def test_a_takeover_ends_the_older_connection_under_its_own_version(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    url = _told(local, f"$aws/events/presence/+/{thing}")
    first = device.connect(local, tmp_path, thing)
    second = device.connect(local, tmp_path, thing)
    assert first and second and device.is_closed(first)
    events = [local.received(url) for _event in range(3)]
    by_version = sorted((event["versionNumber"], event["eventType"]) for event in events)
    assert [kind for _version, kind in by_version] == ["connected", "disconnected", "connected"]
    assert [e["disconnectReason"] for e in events if e["eventType"] == "disconnected"] == ["DUPLICATE_CLIENTID"]
    device.say_goodbye(second)


def test_an_exclusive_certificate_is_attached_to_no_second_thing(local: Local, tmp_path: Path) -> None:
    thing, iot, other = device.seeded(local, tmp_path), local.client("iot"), local.name("other")
    iot.create_thing(thingName=other)
    principal = iot.list_thing_principals(thingName=thing)["principals"][0]
    iot.attach_thing_principal(thingName=thing, principal=principal, thingPrincipalType="EXCLUSIVE_THING")
    with pytest.raises(ClientError) as caught:
        iot.attach_thing_principal(thingName=other, principal=principal)
    assert caught.value.response["Error"]["Code"] == "InvalidRequestException"
    iot.detach_thing_principal(thingName=thing, principal=principal)
    iot.attach_thing_principal(thingName=other, principal=principal)


def test_an_event_of_a_thing_that_is_not_exclusive_names_no_thing(local: Local, tmp_path: Path) -> None:
    thing, iot = device.seeded(local, tmp_path), local.client("iot")
    principal = iot.list_thing_principals(thingName=thing)["principals"][0]
    iot.detach_thing_principal(thingName=thing, principal=principal)
    iot.attach_thing_principal(thingName=thing, principal=principal)
    url = _told(local, f"$aws/events/presence/connected/{thing}")
    connection = device.connect(local, tmp_path, thing)
    assert connection and "thingName" not in local.received(url)
    device.say_goodbye(connection)


def _ca(folder: Path) -> list[str]:
    return ["--ca", str(folder / "ca.pem"), "--key", str(folder / "ca.key")]


def _issued(folder: Path, name: str, *flaws: str) -> str:
    """A certificate of the CA in `folder`, beside it; its id."""
    answer = verb("certificate", *_ca(folder), "--name", name, "--out", str(folder), *flaws)
    assert answer.returncode == 0, answer.stderr
    return str(json.loads(answer.stdout)["certificateId"])


def test_register_ca_makes_its_devices_join_and_again_changes_nothing(local: Local, tmp_path: Path) -> None:
    device.seeded(local, tmp_path)  # registers the CA without automatic registration
    first = verb("register-ca", *_ca(tmp_path), **device.as_admin(local))
    assert verb("register-ca", *_ca(tmp_path), **device.as_admin(local)).stdout == first.stdout
    ca = json.loads(first.stdout)["caId"]
    found = local.client("iot").describe_ca_certificate(certificateId=ca)["certificateDescription"]
    assert (found["status"], found["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    name = local.name("joins")
    certificate = _issued(tmp_path, name)
    assert device.connect(local, tmp_path, name) is None
    found = local.client("iot").describe_certificate(certificateId=certificate)["certificateDescription"]
    assert (found["status"], found["caCertificateId"]) == ("PENDING_ACTIVATION", ca)


def test_register_ca_makes_a_ca_only_when_told_to(local: Local, tmp_path: Path) -> None:
    refused = verb("register-ca", *_ca(tmp_path), **device.as_admin(local))
    assert refused.returncode == 2 and "[ca-unreadable]" in refused.stderr
    assert verb("register-ca", "--make", *_ca(tmp_path), **device.as_admin(local)).returncode == 0


def test_register_ca_with_another_ca_s_key_says_so(local: Local, tmp_path: Path) -> None:
    Authority.ensure(tmp_path / "other")
    Authority.ensure(tmp_path)
    arguments = ["--ca", str(tmp_path / "ca.pem"), "--key", str(tmp_path / "other" / "ca.key")]
    answer = verb("register-ca", *arguments, **device.as_admin(local))
    assert answer.returncode == 2 and "[ca-key-mismatch]" in answer.stderr


@pytest.mark.parametrize("flaw", ["--dates=expired", "--dates=not-yet-valid", "--key-type=rsa1024",
                                  "--key-type=rsa2048", "--key-type=p384"])
def test_a_certificate_with_a_flaw_reaches_registration(local: Local, tmp_path: Path, flaw: str) -> None:
    _ca_id, _name = _registered(local, tmp_path)
    factory = tmp_path / "factory"
    shutil.copy(tmp_path / "root-ca.pem", factory)
    name = local.name("flawed")
    certificate = _issued(factory, name, flaw)
    assert device.connect(local, factory, name) is None
    found = local.client("iot").describe_certificate(certificateId=certificate)["certificateDescription"]
    assert found["status"] == "PENDING_ACTIVATION"


def test_a_forged_certificate_never_reaches_registration(local: Local, tmp_path: Path) -> None:
    _ca_id, _name = _registered(local, tmp_path)
    factory = tmp_path / "factory"
    shutil.copy(tmp_path / "root-ca.pem", factory)
    certificate = _issued(factory, "forged", "--forged")
    with contextlib.suppress(OSError):
        assert device.connect(local, factory, "forged") is None
    with pytest.raises(ClientError):
        local.client("iot").describe_certificate(certificateId=certificate)
