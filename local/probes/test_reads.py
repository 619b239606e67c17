"""What AWS documents about the cost of reads and about parallel scans, and the emulator alone does not do, or does slowly."""

from typing import Any

import pytest
from conftest import Local

_KB4 = 4096


def _table(local: Local, *sizes: int) -> str:
    """A table of items of so many bytes each: key `k`, and `v`."""
    client, name = local.client("dynamodb"), local.name("reads")
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
    for at, size in enumerate(sizes):
        key = f"{at:05}"
        client.put_item(TableName=name, Item={"k": {"S": key}, "v": {"S": "x" * (size - len("k") - len("v") - len(key))}})
    return name


def _units(answer: dict[str, Any]) -> float:
    capacity = answer["ConsumedCapacity"]
    return sum(one["CapacityUnits"] for one in capacity) if isinstance(capacity, list) else capacity["CapacityUnits"]


@pytest.mark.parametrize(("size", "consistent", "units"),
                         [(_KB4, True, 1), (_KB4 + 1, True, 2), (_KB4, False, 0.5), (2 * _KB4 + 1, False, 1.5)])
def test_a_read_of_one_item_is_rounded_up_to_4_kb(local: Local, size: int, consistent: bool, units: float) -> None:
    name = _table(local, size)
    answer = local.client("dynamodb").get_item(TableName=name, Key={"k": {"S": "00000"}}, ConsistentRead=consistent,
                                               ReturnConsumedCapacity="TOTAL")
    assert _units(answer) == units


def test_a_batch_rounds_up_each_item_and_a_missing_one_costs_as_much_as_the_smallest(local: Local) -> None:
    name = _table(local, 100, _KB4 + 1)
    keys = [{"k": {"S": key}} for key in ("00000", "00001", "missing")]
    client = local.client("dynamodb")
    for consistent, units in [(True, 4), (False, 2)]:
        answer = client.batch_get_item(RequestItems={name: {"Keys": keys, "ConsistentRead": consistent}},
                                       ReturnConsumedCapacity="TOTAL")
        assert _units(answer) == units
    assert "ConsumedCapacity" not in client.batch_get_item(RequestItems={name: {"Keys": keys}})


def test_a_scan_rounds_up_the_sum_and_a_filter_makes_it_no_cheaper(local: Local) -> None:
    name = _table(local, *[1000] * 9)
    client = local.client("dynamodb")
    assert _units(client.scan(TableName=name, ReturnConsumedCapacity="TOTAL", ConsistentRead=True)) == 3
    nothing = {"FilterExpression": "v = :v", "ExpressionAttributeValues": {":v": {"S": "no"}}}
    answer = client.scan(TableName=name, ReturnConsumedCapacity="TOTAL", **nothing)
    assert (answer["Count"], answer["ScannedCount"], _units(answer)) == (0, 9, 1.5)
    assert _units(client.scan(TableName=_table(local), ReturnConsumedCapacity="TOTAL")) == 0.5


def test_a_query_rounds_up_the_sum_of_what_it_reads(local: Local) -> None:
    client, name = local.client("dynamodb"), local.name("reads")
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST",
                        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
                        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in "ks"])
    for at in range(9):
        client.put_item(TableName=name, Item={"k": {"S": "k"}, "s": {"S": f"{at}"}, "v": {"S": "x" * 995}})
    query = {"TableName": name, "KeyConditionExpression": "k = :k", "ExpressionAttributeValues": {":k": {"S": "k"}},
             "ReturnConsumedCapacity": "TOTAL"}
    assert _units(client.query(**query, ConsistentRead=True)) == 3
    assert _units(client.query(**query, Limit=4)) == 0.5
    assert _units(client.query(**query, Limit=5)) == 1


@pytest.mark.parametrize(("segments", "limit"), [(1, 7), (4, 3), (8, 100)])
def test_the_segments_of_a_scan_hold_each_item_once_whatever_the_pages(local: Local, segments: int, limit: int) -> None:
    name = _table(local, *[20] * 40)
    found: list[str] = []
    for segment in range(segments):
        request: dict[str, Any] = {"TableName": name, "Segment": segment, "TotalSegments": segments, "Limit": limit}
        while True:
            answer = local.client("dynamodb").scan(**request)
            found += [item["k"]["S"] for item in answer["Items"]]
            assert answer["Count"] == answer["ScannedCount"] <= limit
            if "LastEvaluatedKey" not in answer:
                break
            assert answer["LastEvaluatedKey"] == {"k": answer["Items"][-1]["k"]}
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    assert sorted(found) == [f"{at:05}" for at in range(40)]


def test_a_page_of_a_scan_ends_at_one_megabyte(local: Local) -> None:
    name = _table(local, *[300_000] * 4)
    answer = local.client("dynamodb").scan(TableName=name, ReturnConsumedCapacity="TOTAL")
    assert (answer["Count"], "LastEvaluatedKey" in answer) == (3, True)


def test_a_plain_scan_answers_what_the_emulators_own_does(local: Local) -> None:
    client, name = local.client("dynamodb"), _table(local, *[50] * 30)
    request = {"TableName": name, "Segment": 1, "TotalSegments": 3, "Limit": 5}
    plain = client.scan(**request)
    # With a projection of everything it is one for the emulator.
    theirs = client.scan(**request, ProjectionExpression="k, v")
    assert (plain["Items"], plain["LastEvaluatedKey"]) == (theirs["Items"], theirs["LastEvaluatedKey"])
