"""Gap: speed. Each request costs the emulator all policies of its caller anew: read from JSON, each pattern matched.

A run of the tests makes hundreds of thousands of requests under the same few roles. Here a document is read once and a
pattern is matched once with each value; what is allowed is the same, and a changed policy is another document.
Source for what must hold: IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from loam_local.extension.replace import original, replace

_DOCUMENTS = 4096
# Every thing of a fleet has resources of its own.
_MATCHES = 131_072
_theirs: Callable[[Any], Any]


def install() -> None:
    """Remember what documents say and what patterns match."""
    from ministack.core import iam_evaluator

    global _theirs
    _theirs = replace(iam_evaluator, "parse_policy_document", _parsed)
    for name in ("fnmatch_iam", "fnmatch_iam_cs"):
        replace(iam_evaluator, name, lru_cache(_MATCHES)(original(iam_evaluator, name)))


def _parsed(document: Any) -> Any:
    return _of_text(document) if isinstance(document, str) else _theirs(document)


@lru_cache(_DOCUMENTS)
def _of_text(document: str) -> Any:
    return _theirs(document)
