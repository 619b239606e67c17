"""What AWS documents about things of the registry."""

import pytest
from botocore.exceptions import ClientError
from conftest import Local


def test_an_update_that_expects_another_version_is_refused_and_one_that_expects_this_is_not(local: Local) -> None:
    iot, name = local.client("iot"), local.name("versioned")
    iot.create_thing(thingName=name)
    change = {"attributes": {"colour": "red"}, "merge": True}
    with pytest.raises(ClientError) as refused:
        iot.update_thing(thingName=name, attributePayload=change, expectedVersion=2)
    assert refused.value.response["Error"]["Code"] == "VersionConflictException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    iot.update_thing(thingName=name, attributePayload=change, expectedVersion=1)
    found = iot.describe_thing(thingName=name)
    assert (found["version"], found["attributes"]) == (2, {"colour": "red"})
