"""Gap: rule action s3, which the emulator accepts and skips.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/s3-rule-action.html
"""

import json
import re
from typing import Any

from loam_local.extension import roles
from loam_local.extension.message import ActionFailed, Message

_WHOLE_MESSAGE = re.compile(r"^\s*select\s+\*\s+from\b", re.IGNORECASE)


def put(message: Message, parameters: dict[str, Any], event: Any) -> None:
    """Store the rule's output under bucketName and key, as the action's role. Raises `ActionFailed`."""
    from ministack.core.responses import request_scope
    from ministack.services import s3

    bucket, key = parameters.get("bucketName", ""), parameters.get("key", "")
    refused = roles.refusal(parameters.get("roleArn", ""), "iot.amazonaws.com", "s3:PutObject",
                            f"arn:aws:s3:::{bucket}/{key}", message.region, message.rule_arn)
    if refused:
        raise ActionFailed(_text(refused, message, bucket, key))
    acl = {"x-amz-acl": parameters["cannedAcl"]} if parameters.get("cannedAcl") else {}
    headers = {"content-type": "application/octet-stream", **acl}
    with request_scope(message.account, message.region):
        status, _headers, answer = s3._put_object(bucket, key, _body(message, event), headers)
    if status >= 300:
        raise ActionFailed(_text(_code(answer), message, bucket, key))


def _body(message: Message, event: Any) -> bytes:
    """`SELECT *` keeps the payload as it came, and only the rule's own actions see the payload as their event."""
    if _WHOLE_MESSAGE.match(message.sql) and event == message.value:
        return message.payload
    if isinstance(event, str):
        return event.encode()
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def _code(answer: bytes | str) -> str:
    text = answer.decode() if isinstance(answer, bytes) else answer
    found = re.search(r"<Code>(.*?)</Code>", text)
    return found.group(1) if found else text


def _text(reason: str, message: Message, bucket: str, key: str) -> str:
    return (f"Failed to put S3 object. The error received was {reason}. Message arrived on: {message.topic}, "
            f"Action: s3, Bucket: {bucket}, Key: {key}")
