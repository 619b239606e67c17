"""Replaces a function of the emulator by name, and says so plainly when the name is gone."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from loam_local.errors import LocalError


def original(module: ModuleType | type, name: str) -> Callable[..., Any]:
    """The emulator's function of this name. Raises `emulator-changed` when the pinned version has none."""
    found = getattr(module, name, None)
    if not callable(found):
        raise LocalError("emulator-changed", f"{module.__name__} has no function {name}, which the extension replaces: "
                         "install the ministack version that local/requirements.txt names, or adapt the extension")
    return found


def replace(module: ModuleType | type, name: str, replacement: Callable[..., Any]) -> Callable[..., Any]:
    """Put `replacement` in the place of the emulator's function and return the original."""
    before = original(module, name)
    setattr(module, name, replacement)
    return before
