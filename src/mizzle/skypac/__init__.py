"""The call of stsci.skypac that WFPC2 scripts make, on mizzle: ``skymatch.skymatch``."""

from __future__ import annotations

import importlib
from typing import Any

from mizzle._version import __version__ as __version__

__all__ = ["skymatch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"mizzle.skypac.{name}")
    raise AttributeError(f"module 'mizzle.skypac' has no attribute {name!r}")
