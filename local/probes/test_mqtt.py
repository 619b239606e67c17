"""A seeded thing over MQTT with mutual TLS."""

from pathlib import Path

import device
from conftest import Local, allow, eventually


def test_a_seeded_thing_publishes_and_its_client_id_reaches_a_key_template(local: Local, tmp_path: Path) -> None:
    thing, bucket = device.seeded(local, tmp_path), local.bucket()
    role = local.role("iot.amazonaws.com", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    local.rule(f"SELECT * FROM 'device/{thing}/+'", {"s3": {"bucketName": bucket, "key": "${clientid()}",
                                                            "roleArn": role}})
    connection = device.connect(local, tmp_path, thing)
    assert connection
    device.publish(connection, f"device/{thing}/devicePayload", b"{}")
    (found,) = eventually(lambda: local.client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    assert found["Key"] == thing
    connection.close()


def test_a_seeded_thing_may_connect_under_its_own_name_only(local: Local, tmp_path: Path) -> None:
    thing = device.seeded(local, tmp_path)
    assert device.connect(local, tmp_path, thing, f"not-{thing}") is None


def test_a_client_without_a_certificate_is_refused(local: Local, tmp_path: Path) -> None:
    device.seeded(local, tmp_path)
    assert device.connect(local, tmp_path, None) is None
