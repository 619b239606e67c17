"""Gap: GetObject of a version takes no notice of `Range`: the emulator answers the whole object with 200.

Loam pins the version of a file that it seals, and reads it part by part.
Source: Amazon S3 API Reference, "GetObject": `Range` is good for any version; 206 with `Content-Range`, or 416 `InvalidRange`; and
the checksums of a whole object are not sent with a part of it.
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_get: Callable[..., Any]


def install() -> None:
    """Cut what is read of a version to the range that was asked for."""
    from ministack.services import s3

    global _get
    _get = replace(s3, "_get_object", _get_range)


def _get_range(bucket_name: str, key: str, headers: dict[str, str], query_params: dict[str, Any] | None = None) -> Any:
    from ministack.services import s3

    asked = headers.get("range", "")
    if not asked or not s3._qp(query_params or {}, "versionId", ""):
        return _get(bucket_name, key, headers, query_params)
    status, answered, body = _get(bucket_name, key, headers, query_params)
    if status != 200:
        return status, answered, body
    found = s3._parse_range(asked, len(body))
    if found is None:
        refusal = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
        return 416, refusal, s3._xml_body(s3._range_error_xml(bucket_name, key))
    start, end = found
    part = body[start:end + 1]
    kept = {name: value for name, value in answered.items() if not name.lower().startswith("x-amz-checksum-")}
    return 206, kept | {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}, part
