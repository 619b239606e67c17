"""What a rule's SELECT clause and substitution templates make of a message that came earlier.

Only the few expressions that Loam's rules use; anything else raises `Stays`, because a guess would store a wrong
message.
The WHERE clause was true, otherwise the action would not have failed.
Source: https://docs.aws.amazon.com/iot/latest/developerguide/iot-sql-functions.html
"""

import base64
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any

from loam_local.replay.letters import Stays

_SELECT = re.compile(r"\s*SELECT\s+(.+?)\s+FROM\s+'", re.IGNORECASE | re.DOTALL)
_COMMA = re.compile(r",(?![^(]*\))")
_ITEM = re.compile(r"(.+?)\s+AS\s+(\w+)", re.IGNORECASE | re.DOTALL)
_ENCODED = re.compile(r"encode\(\s*\*\s*,\s*'base64'\s*\)", re.IGNORECASE)
_TOPIC = re.compile(r"topic\(\s*(\d*)\s*\)", re.IGNORECASE)
_TEMPLATE = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Origin:
    """What the device sent: topic, MQTT client id, bytes, and the time in milliseconds that stands for its arrival."""

    topic: str
    client: str
    payload: bytes
    time: int


def selected(sql: str, origin: Origin) -> bytes:
    """The rule's output, as an action gets it. `SELECT *` gives the bytes as they came."""
    found = _SELECT.match(sql)
    if not found:
        raise Stays("sql-not-understood")
    items = [item.strip() for item in _COMMA.split(found.group(1))]
    if items == ["*"]:
        return origin.payload
    output: dict[str, Any] = {}
    for item in items:
        output |= _object(origin.payload) if item == "*" else _field(item, origin)
    return json.dumps(output, separators=(",", ":"), allow_nan=False).encode()


def substituted(value: Any, origin: Origin) -> Any:
    """An action's parameters with each `${expression}` replaced. Source: AWS IoT, "Substitution templates"."""
    if isinstance(value, str):
        return _TEMPLATE.sub(lambda found: str(_evaluated(found.group(1), origin, "template-not-understood")), value)
    if isinstance(value, dict):
        return {name: substituted(item, origin) for name, item in value.items()}
    return value


def _field(item: str, origin: Origin) -> dict[str, Any]:
    found = _ITEM.fullmatch(item)
    if not found:
        raise Stays("sql-not-understood")
    return {found.group(2): _evaluated(found.group(1), origin, "sql-not-understood")}


def _evaluated(expression: str, origin: Origin, code: str) -> Any:
    expression = expression.strip()
    if _ENCODED.fullmatch(expression):
        return base64.b64encode(origin.payload).decode()
    topic = _TOPIC.fullmatch(expression)
    if topic:
        return _part(origin.topic, topic.group(1), code)
    match expression.lower():
        case "timestamp()":
            return origin.time
        case "clientid()":
            # SQL says n/a of a message that came over HTTPS, the error document N/A.
            return "n/a" if origin.client == "N/A" else origin.client
        case "newuuid()":
            return str(uuid.uuid4())
    raise Stays(code)


def _part(topic: str, number: str, code: str) -> str:
    """The topic, or its part of that number counted from 1."""
    parts = topic.split("/")
    if not number:
        return topic
    if not 1 <= int(number) <= len(parts):
        raise Stays(code)
    return parts[int(number) - 1]


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise Stays("payload-not-json") from error
    if not isinstance(value, dict):
        raise Stays("payload-not-json")
    return value
