"""WCSs of chips: `HSTWCS`, the alternates of a header (`altwcs`), and WCSs in files of their own (`headerlet`)."""

from __future__ import annotations

import importlib
from typing import Any

from mizzle.stwcs.wcsutil.hstwcs import HSTWCS

__all__ = ["HSTWCS", "altwcs", "headerlet", "hstwcs"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"mizzle.stwcs.wcsutil.{name}")
    raise AttributeError(f"module 'mizzle.stwcs.wcsutil' has no attribute {name!r}")
