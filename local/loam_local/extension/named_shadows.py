"""Gap: ListNamedShadowsForThing, which the emulator's data plane lacks.

Source: https://docs.aws.amazon.com/iot/latest/apireference/API_iotdata_ListNamedShadowsForThing.html
"""

import base64
import binascii
import time
from typing import Any

PATH = "/api/things/shadow/ListNamedShadowsForThing/"
# The developer guide's table of resources says "All": a grant on one thing is not enough.
RESOURCE = "*"
_MOST = 100


def answer(method: str, path: str, query: dict[str, str]) -> Any:
    """A page of the names of a thing's named shadows, in order. A thing that nobody knows is not found."""
    from loam_local.extension.connections import refused
    from ministack.core.responses import json_response
    from ministack.services import iot

    if method != "GET":
        return refused(405, "MethodNotAllowedException", "This path is read with GET only")
    thing = path.removeprefix(PATH)
    size, after = query.get("pageSize", "25"), _after(query.get("nextToken"))
    if after is None or not (size.isascii() and size.isdigit() and 1 <= int(size) <= _MOST):
        return refused(400, "InvalidRequestException", f"pageSize must be 1 to {_MOST} and nextToken one of ours")
    kept = {name for (owner, name), shadow in iot._shadows.items() if owner == thing and not shadow.get("deleted")}
    if not kept and iot._things.get(thing) is None:
        return refused(404, "ResourceNotFoundException", f"No thing {thing}")
    names = sorted(name for name in kept if name > after)
    page, rest = names[:int(size)], names[int(size):]
    more = {"nextToken": base64.b64encode(page[-1].encode()).decode()} if rest else {}
    return json_response({"results": page, "timestamp": int(time.time()), **more})


def _after(token: str | None) -> str | None:
    """The name that the last page ended with: empty for the first page, None for a forged token."""
    try:
        return base64.b64decode(token, validate=True).decode() if token else ""
    except (binascii.Error, UnicodeDecodeError):
        return None
