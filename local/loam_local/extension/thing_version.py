"""Gap: UpdateThing takes no notice of `expectedVersion`.

Source: https://docs.aws.amazon.com/iot/latest/apireference/API_UpdateThing.html
"""

from collections.abc import Callable
from typing import Any

from loam_local.extension.replace import replace

_update: Callable[..., Any]


def install() -> None:
    """Refuse an update that expects another version than the thing has."""
    from ministack.services import iot

    global _update
    _update = replace(iot, "_update_thing", _updated)


def _updated(name: str, payload: dict[str, Any]) -> Any:
    from ministack.core.responses import error_response_json
    from ministack.services import iot

    thing, expected = iot._things.get(name), payload.get("expectedVersion")
    if thing is not None and expected is not None and expected != thing.get("version", 1):
        return error_response_json("VersionConflictException",
                                   f"The version for thing {name} does not match the expected version.", 409)
    return _update(name, payload)
