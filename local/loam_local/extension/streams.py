"""Gap: a DynamoDB stream's function gets its batches as AWS documents it: under its role, with partial batch responses,
bisected and tried again only so often, and with a letter about what was given up.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html (the role's permissions).
"""

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loam_local.extension import destinations, roles
from loam_local.extension.replace import original, replace

_log = logging.getLogger("loam.streams")
_SHARD = "shardId-00000000000000000000-00000000"
_READING = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")
_MANY = 100


@dataclass
class _Trouble:
    """The batch at whose beginning the mapping stands, after it failed."""

    attempts: int = 0
    width: int | None = None


_troubles: dict[str, _Trouble] = {}


def install() -> None:
    """Take over the emulator's look at the streams of tables."""
    from ministack.services import dynamodb, lambda_svc

    for name in ("_iter_all_esms", "_apply_filter_criteria", "_execute_function", "_dispatch_esm_batch",
                 "_get_func_record_for_qualifier", "_dynamodb_stream_table_from_arn_spec"):
        original(lambda_svc, name)
    for name in ("stream_start_position", "stream_records_since"):
        original(dynamodb, name)
    replace(lambda_svc, "_poll_dynamodb_streams", _poll)


def _poll() -> bool:
    """Start a batch for each mapping that has records and is not at work. True if one was started."""
    from ministack.core.responses import request_scope
    from ministack.services import lambda_svc

    began = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            began = _begin(account, region, mapping) or began
    return began


def _begin(account: str, region: str, mapping: dict[str, Any]) -> bool:
    from ministack.services import lambda_svc

    identity, table = mapping["UUID"], _table(mapping)
    if not table or not mapping.get("Enabled", True) or lambda_svc._esm_inflight.get(identity):
        return False
    if lambda_svc._esm_backoff_until.get(identity, 0) > time.time() or not _batch(mapping, table)[1]:
        return False
    lambda_svc._dispatch_esm_batch(identity, _work, account, region, mapping, table)
    return True


def _table(mapping: dict[str, Any]) -> str | None:
    """The table whose present stream feeds the mapping."""
    from ministack.core.arn import ArnParseError, parse_arn
    from ministack.services import dynamodb, lambda_svc

    try:
        source = parse_arn(mapping.get("EventSourceArn", ""))
    except ArnParseError:
        return None
    found = lambda_svc._dynamodb_stream_table_from_arn_spec(source) if source.service == "dynamodb" else None
    table = dynamodb._tables.get(found[0]) if found else None
    return found[0] if table and table.get("LatestStreamArn") == mapping["EventSourceArn"] else None


def _batch(mapping: dict[str, Any], table: str) -> tuple[int, list[dict[str, Any]]]:
    """Where the mapping stands in the stream, and the records from there on."""
    from ministack.services import dynamodb, lambda_svc

    identity = mapping["UUID"]
    lambda_svc._init_stream_position(identity, mapping["EventSourceArn"], mapping.get("StartingPosition", "LATEST"))
    with lambda_svc._dynamodb_stream_positions_lock:
        at = max(lambda_svc._dynamodb_stream_positions[identity], dynamodb.stream_start_position(table))
        lambda_svc._dynamodb_stream_positions[identity] = at
    width = _troubles.get(identity, _Trouble()).width or int(mapping.get("BatchSize") or _MANY)
    return at, dynamodb.stream_records_since(table, at, width)


def _work(account: str, region: str, mapping: dict[str, Any], table: str) -> None:
    from ministack.core.responses import request_scope

    with request_scope(account, region):
        try:
            _hand_over(region, mapping, table)
        except Exception:
            _log.exception("a batch of the stream of %s came to no end", table)
            _pause(mapping)


def _hand_over(region: str, mapping: dict[str, Any], table: str) -> None:
    """One batch to the function; then go on behind what succeeded."""
    from ministack.services import lambda_svc

    function, config = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
    if function is None:
        return _pause(mapping)
    refused = _refusal(config, mapping["EventSourceArn"], region)
    if refused:
        mapping["LastProcessingResult"] = f"PROBLEM: Function call failed: {refused}"
        _log.warning("%s cannot read its stream: %s", mapping["FunctionName"], refused)
        return _pause(mapping)
    at, records = _batch(mapping, table)
    wanted = lambda_svc._apply_filter_criteria(records, mapping)
    if not wanted:
        return _advance(mapping, at + len(records))
    result = lambda_svc._execute_function(function, {"Records": wanted})
    failed = _first_failed(mapping, wanted, result)
    if failed is None:
        mapping["LastProcessingResult"] = "OK"
        return _advance(mapping, at + len(records))
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    succeeded = next(place for place, record in enumerate(records) if record is wanted[failed])
    if failed:
        # What stands before the first failed record succeeded; the rest begins anew.
        return _advance(mapping, at + succeeded)
    _again_or_never(mapping, config, at, records, wanted, result)


def _refusal(config: dict[str, Any], stream: str, region: str) -> str | None:
    """Why the function's role may not read the stream."""
    refusals = (roles.refusal(config.get("Role", ""), "lambda.amazonaws.com", action, stream, region,
                              config["FunctionArn"]) for action in _READING)
    return next((refusal for refusal in refusals if refusal), None)


def _first_failed(mapping: dict[str, Any], records: list[dict[str, Any]], result: dict[str, Any]) -> int | None:
    """The place of the first record that did not succeed; None when all did.

    An answer that names no record of the batch is a failure of the whole batch.
    """
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return None
    body = result.get("body")
    try:
        answer = json.loads(body) if isinstance(body, str | bytes) and body else body
        named = [failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures") or []]
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return min((numbers.index(number) if number in numbers else 0 for number in named), default=None)


def _again_or_never(mapping: dict[str, Any], config: dict[str, Any], at: int, records: list[dict[str, Any]],
                    wanted: list[dict[str, Any]], result: dict[str, Any]) -> None:
    """Half of the batch, the batch once more, or a letter about it."""
    trouble = _troubles.setdefault(mapping["UUID"], _Trouble())
    most, oldest = mapping.get("MaximumRetryAttempts"), mapping.get("MaximumRecordAgeInSeconds")
    if mapping.get("BisectBatchOnFunctionError") and result.get("error") and len(records) > 1:
        # Splitting uses up no attempt.
        trouble.width = len(records) // 2
        return _pause(mapping)
    trouble.attempts += 1
    age = time.time() - float(wanted[0]["dynamodb"]["ApproximateCreationDateTime"])
    if _is_set(most) and trouble.attempts > int(most or 0):
        condition = "RetryAttemptsExhausted"
    elif _is_set(oldest) and age > int(oldest or 0):
        condition = "RecordAgeExceeded"
    else:
        return _pause(mapping)
    _tell(mapping, config, wanted, condition, trouble.attempts)
    _advance(mapping, at + len(records))


def _is_set(limit: Any) -> bool:
    return limit is not None and int(limit) >= 0


def _advance(mapping: dict[str, Any], position: int) -> None:
    from ministack.services import lambda_svc

    _troubles.pop(mapping["UUID"], None)
    lambda_svc._esm_backoff_until.pop(mapping["UUID"], None)
    with lambda_svc._dynamodb_stream_positions_lock:
        lambda_svc._dynamodb_stream_positions[mapping["UUID"]] = position


def _pause(mapping: dict[str, Any]) -> None:
    from ministack.services import lambda_svc

    wait = lambda_svc._LAMBDA_ASYNC_RETRY_BASE_SECONDS
    lambda_svc._esm_backoff_until[mapping["UUID"]] = time.time() + wait


def _tell(mapping: dict[str, Any], config: dict[str, Any], records: list[dict[str, Any]], condition: str,
          attempts: int) -> None:
    """Send what AWS sends of a batch that is given up: where it stands in the stream, not what is in it."""
    from ministack.core.responses import new_uuid

    target = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if not target:
        return
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    letter = {
        "requestContext": {"requestId": new_uuid(), "functionArn": config["FunctionArn"], "condition": condition,
                           "approximateInvokeCount": attempts},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": _time(time.time()),
        "DDBStreamBatchInfo": {
            "shardId": _SHARD,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _time(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": _time(last["ApproximateCreationDateTime"]),
            "batchSize": len(records),
            "streamArn": mapping["EventSourceArn"],
        },
    }
    try:
        destinations.deliver(config, target, json.dumps(letter), {})
    except destinations.Undelivered as problem:
        _log.warning("the letter about a batch of %s went nowhere: %s", mapping["FunctionName"], problem)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
