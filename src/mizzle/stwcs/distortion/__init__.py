"""Frames without distortion: ``utils.output_wcs``."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["utils"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"mizzle.stwcs.distortion.{name}")
    raise AttributeError(f"module 'mizzle.stwcs.distortion' has no attribute {name!r}")
