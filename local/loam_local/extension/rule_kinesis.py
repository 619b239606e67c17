"""Gap: rule action kinesis, which the emulator accepts and skips.

Source: https://docs.aws.amazon.com/iot/latest/developerguide/kinesis-rule-action.html
"""

import base64
import json
from typing import Any

from loam_local.extension import roles
from loam_local.extension.message import ActionFailed, Message


def put(message: Message, parameters: dict[str, Any], event: Any) -> None:
    """Put the rule's output on the stream under partitionKey, as the action's role. Raises `ActionFailed`."""
    from ministack.core.responses import new_uuid, request_scope
    from ministack.services import kinesis

    stream = parameters.get("streamName", "")
    arn = f"arn:aws:kinesis:{message.region}:{message.account}:stream/{stream}"
    refused = roles.refusal(parameters.get("roleArn", ""), "iot.amazonaws.com", "kinesis:PutRecord", arn,
                            message.region, message.rule_arn)
    if refused:
        raise ActionFailed(refused)
    text = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    # Without a partition key AWS spreads the records over the shards.
    record = {"StreamName": stream, "PartitionKey": parameters.get("partitionKey") or new_uuid(),
              "Data": base64.b64encode(text.encode()).decode()}
    with request_scope(message.account, message.region):
        status, _headers, answer = kinesis._put_record(record)
    if status >= 300:
        raise ActionFailed(f"Failed to put a record on stream {stream}: {answer!r}")
