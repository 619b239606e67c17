"""What AWS documents about ranges of an object's version, and the emulator alone does not do."""

import pytest
from botocore.exceptions import ClientError
from conftest import Local


def _versions(local: Local, *bodies: bytes) -> tuple[str, list[str]]:
    """A bucket with an object `k` of these versions."""
    s3, bucket = local.client("s3"), local.bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket, [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in bodies]


@pytest.mark.parametrize(("asked", "part", "place"), [("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=8-", b"89", "bytes 8-9/10"),
                                                      ("bytes=-3", b"789", "bytes 7-9/10"),
                                                      ("bytes=9-99", b"9", "bytes 9-9/10")])
def test_a_range_of_a_version_is_that_part_of_that_version(local: Local, asked: str, part: bytes, place: str) -> None:
    bucket, (first, _) = _versions(local, b"0123456789", b"replaced")
    answer = local.client("s3").get_object(Bucket=bucket, Key="k", VersionId=first, Range=asked)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (answer["Body"].read(), answer["ContentRange"], answer["VersionId"]) == (part, place, first)


def test_a_range_behind_the_end_of_a_version_is_refused(local: Local) -> None:
    bucket, (first, _) = _versions(local, b"0123456789", b"longer than the first one")
    with pytest.raises(ClientError) as refused:
        local.client("s3").get_object(Bucket=bucket, Key="k", VersionId=first, Range="bytes=10-")
    assert refused.value.response["Error"]["Code"] == "InvalidRange"


def test_a_version_without_a_range_is_whole_and_a_missing_one_is_missing(local: Local) -> None:
    bucket, (first, _) = _versions(local, b"0123456789", b"other")
    s3 = local.client("s3")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"0123456789"
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="k", VersionId="0" * 32, Range="bytes=0-1")
    assert refused.value.response["Error"]["Code"] == "NoSuchVersion"
