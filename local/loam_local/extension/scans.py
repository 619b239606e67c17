"""Gap: speed. Each page of a scan costs the emulator a copy, a sort and a hash of the whole table, once for each segment.

A list of a fleet is a parallel scan: of 100,000 things it takes the emulator the better part of a minute. Here a page of a
table without a sort key, asked for without index, filter or projection, looks at each key once and sorts what it answers.
What comes out is the same: the emulator's segments, order, pages and units.
Source for what must hold: DynamoDB Developer Guide, "Scanning tables in DynamoDB", Parallel scan and Paginating the results.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from loam_local.extension.replace import replace

# What a plain scan may ask for; all others stay with the emulator.
_PLAIN = {"TableName", "Segment", "TotalSegments", "Limit", "ExclusiveStartKey", "ReturnConsumedCapacity", "ConsistentRead"}
_CAPACITIES = {"INDEXES", "TOTAL", "NONE"}
_MOST_SEGMENTS = 1_000_000
_theirs: Callable[..., Any]


def install() -> None:
    """Answer plain scans here."""
    from ministack.services import dynamodb

    global _theirs
    _theirs = replace(dynamodb, "_scan", _scan)


def _scan(data: dict[str, Any]) -> Any:
    from ministack.services import dynamodb

    name = dynamodb._normalize_table_name(data.get("TableName"))
    table = dynamodb._tables.get(name)
    if not table or not _is_plain(data, table):
        return _theirs(data)
    keys, limit = _keys(data, table), data.get("Limit")
    first = sorted(keys) if limit is None else heapq.nsmallest(limit, keys)
    items = (item for key in first for item in table["items"][key].values())
    page, more = dynamodb._paginate_evaluated_items(items, limit, table)
    answer = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
    if more and page:
        answer["LastEvaluatedKey"] = dynamodb._build_key(page[-1], table["pk_name"], None)
    dynamodb._add_consumed_capacity(answer, data, name)
    return dynamodb.json_response(answer)


def _is_plain(data: dict[str, Any], table: dict[str, Any]) -> bool:
    """Whether there is nothing in it that the emulator would have to check or refuse."""
    limit, segment, segments = data.get("Limit"), data.get("Segment", 0), data.get("TotalSegments", 1)
    numbers = [segment, segments, 1 if limit is None else limit]
    return (not table.get("sk_name") and data.keys() <= _PLAIN and ("Segment" in data) == ("TotalSegments" in data)
            and all(type(number) is int for number in numbers)
            and 0 <= segment < segments <= _MOST_SEGMENTS and (limit is None or limit >= 1)
            and (data.get("ExclusiveStartKey") is None or set(data["ExclusiveStartKey"]) == {table["pk_name"]})
            and data.get("ReturnConsumedCapacity", "NONE") in _CAPACITIES)


def _keys(data: dict[str, Any], table: dict[str, Any]) -> Iterator[Any]:
    """The keys of the segment behind the start, in no order."""
    from ministack.services import dynamodb

    segment, segments, begin = data.get("Segment", 0), data.get("TotalSegments", 1), data.get("ExclusiveStartKey")
    keys = (key for key, rows in table["items"].items() if rows)
    if segments > 1:
        keys = (key for key in keys if _hash(str(key)) % segments == segment)
    if begin:
        after = dynamodb._extract_key_val(begin[table["pk_name"]])
        keys = (key for key in keys if key > after)
    return keys


@lru_cache(maxsize=1 << 20)
def _hash(key: str) -> int:
    """The emulator's own: `_seg_match` in its `_scan`."""
    return int.from_bytes(hashlib.sha1(key.encode()).digest()[:4], "big")
