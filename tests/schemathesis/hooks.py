"""What schemathesis cannot know of the API that it asks.

Every second well-formed request is about a thing that exists: a name made up by chance is always a 404.
"""

import os
from typing import Any

import schemathesis
from schemathesis import GenerationMode

_THING = os.environ["LOAM_THING"]
# What ends a thing is asked of another one.
_MORTAL = os.environ["LOAM_MORTAL_THING"]
_turns = {"count": 0}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Name a thing that exists, unless what is sent is meant to be wrong."""
    if "thing" not in (case.path_parameters or {}) or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    _turns["count"] += 1
    if _turns["count"] % 2:
        ends = case.method.upper() == "DELETE" or case.path.endswith("/revoke")
        case.path_parameters["thing"] = _MORTAL if ends else _THING
