"""A function on AWS's runtime interface: it fails when its event holds "fail", otherwise it answers the event."""

import json
import os
import urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/"


def answered(event: object) -> tuple[str, object]:
    """What to post for the event, and where."""
    if isinstance(event, dict) and event.get("fail"):
        return "error", {"errorMessage": "told to fail", "errorType": "Told"}
    records = event.get("Records") if isinstance(event, dict) else None
    if isinstance(records, list) and all("dynamodb" in record for record in records):
        return of_stream([record["dynamodb"] for record in records])
    return "response", {"event": event}


def of_stream(records: list[dict]) -> tuple[str, object]:
    """Items with "fail" fail the batch, items with "again" are named as failed."""
    if any("fail" in record["NewImage"] for record in records):
        return "error", {"errorMessage": "told to fail", "errorType": "Told"}
    again = [record["SequenceNumber"] for record in records if "again" in record["NewImage"]]
    return "response", {"batchItemFailures": [{"itemIdentifier": number} for number in again]}


while True:
    with urllib.request.urlopen(API + "next") as request:
        identity, received = request.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(request.read())
    print(json.dumps({"seen": received, "request": identity}), flush=True)
    kind, body = answered(received)
    urllib.request.urlopen(urllib.request.Request(f"{API}{identity}/{kind}", json.dumps(body).encode()))
