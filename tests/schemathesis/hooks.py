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
    """Name a thing that exists and leave out a cursor that nobody gave, unless what is sent is meant to be wrong.

    The rules of all things stay: other tests live by them.
    """
    if (case.path_parameters or {}).get("scope") == "default" and case.method.upper() != "GET":
        case.path_parameters["scope"] = f"thing:{_THING}"
    if case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    _turns["count"] += 1
    if _turns["count"] % 2 == 0:
        return
    (case.query or {}).pop("cursor", None)
    if "thing" in (case.path_parameters or {}):
        ends = case.method.upper() == "DELETE" or case.path.endswith("/revoke")
        case.path_parameters["thing"] = _MORTAL if ends else _THING
