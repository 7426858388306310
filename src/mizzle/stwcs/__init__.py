"""The calls of stwcs that WFPC2 scripts make, on mizzle: ``updatewcs``, ``wcsutil`` and ``distortion``."""

from __future__ import annotations

import importlib
from typing import Any

from mizzle._version import __version__ as __version__

__all__ = ["distortion", "updatewcs", "wcsutil"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"mizzle.stwcs.{name}")
    raise AttributeError(f"module 'mizzle.stwcs' has no attribute {name!r}")
