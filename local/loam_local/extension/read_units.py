"""Gap: the emulator says half a unit or one for every read, however much is read, and nothing of a batch of reads.

Loam tells callers what a list cost, and its tests state what each route costs; both repeat what DynamoDB says.
Source: Amazon DynamoDB Developer Guide, "DynamoDB read and write operations", Read operation consumption: GetItem and each
item of BatchGetItem are rounded up to 4 KB; Query and Scan round up the sum of what they read, before any filter; a read of
nothing costs as much as the smallest; eventually consistent reads cost half.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_UNIT_BYTES = 4096
_evaluated = threading.local()
_page: Callable[..., Any]
_capacity: Callable[..., Any]
_batch: Callable[..., Any]


def install() -> None:
    """Remember the page that a query or scan reads, and state the units of it; state those of a batch."""
    from ministack.services import dynamodb

    global _page, _capacity, _batch
    _page = replace(dynamodb, "_paginate_evaluated_items", _remembered_page)
    _capacity = replace(dynamodb, "_add_consumed_capacity", _with_units)
    _batch = replace(dynamodb, "_batch_get_item", _batch_with_units)


def units(sizes: list[int], consistent: bool) -> float:
    """The read units of a sum of items, in bytes; at least one, or half of one."""
    whole = max(1, -(-sum(sizes) // _UNIT_BYTES))
    return float(whole) if consistent else whole / 2


def _remembered_page(items: Any, limit: Any, table: Any, index_name: str | None = None) -> Any:
    from ministack.services import dynamodb

    page, more = _page(items, limit, table, index_name)
    entries = [dynamodb._apply_index_projection(item, table, index_name) for item in page] if index_name else page
    _evaluated.sizes = [dynamodb._item_size_bytes(entry) for entry in entries]
    return page, more


def _with_units(result: dict[str, Any], data: dict[str, Any], table_name: str, write: bool = False,
                **rest: Any) -> None:
    from ministack.services import dynamodb

    _capacity(result, data, table_name, write=write, **rest)
    if write or "ConsumedCapacity" not in result:
        return
    if "ScannedCount" in result:
        sizes = _evaluated.sizes
    else:
        item = dynamodb._get_item_by_key(dynamodb._tables[table_name], data["Key"])
        sizes = [dynamodb._item_size_bytes(item)] if item else []
    read = units(sizes, bool(data.get("ConsistentRead")))
    _restate(result["ConsumedCapacity"], read)


def _restate(capacity: dict[str, Any], read: float) -> None:
    """The same statement with other units: of the table, or of the one index that was read."""
    capacity["CapacityUnits"] = read
    indexes = [index for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
               for index in capacity.get(kind, {}).values()]
    for part in indexes or [part for part in [capacity.get("Table")] if part]:
        part["CapacityUnits"] = read


def _batch_with_units(data: dict[str, Any]) -> Any:
    from ministack.services import dynamodb

    status, headers, body = _batch(data)
    if status != 200 or data.get("ReturnConsumedCapacity", "NONE") == "NONE":
        return status, headers, body
    answer, stated = json.loads(body), []
    for name, asked in data["RequestItems"].items():
        table = dynamodb._tables[dynamodb._normalize_table_name(name)]
        items = [dynamodb._get_item_by_key(table, key) for key in asked["Keys"]]
        consistent = bool(asked.get("ConsistentRead"))
        read = sum(units([dynamodb._item_size_bytes(item)] if item else [], consistent) for item in items)
        stated.append({"TableName": name, "CapacityUnits": read}
                      | ({"Table": {"CapacityUnits": read}} if data["ReturnConsumedCapacity"] == "INDEXES" else {}))
    return dynamodb.json_response({**answer, "ConsumedCapacity": stated})
