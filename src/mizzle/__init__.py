"""mizzle: Hubble WFPC2 exposures in, one drizzled image with one proven zeropoint out.

The door: everything here loads when it is first touched, so that ``import mizzle`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mizzle._version import __version__
from mizzle.errors import DataError, InputError, MizzleError, SettingsError

if TYPE_CHECKING:
    from mizzle.io.exposures import read_exposure
    from mizzle.model import Catalog, Chip, Exposure, Mosaic, Result
    from mizzle.pipeline import process, run
    from mizzle.settings import Settings, load_settings
    from mizzle.visits import batch

_HOMES = {
    "run": "mizzle.pipeline",
    "batch": "mizzle.visits",
    "process": "mizzle.pipeline",
    "read_exposure": "mizzle.io.exposures",
    "Settings": "mizzle.settings",
    "load_settings": "mizzle.settings",
    "Exposure": "mizzle.model",
    "Chip": "mizzle.model",
    "Mosaic": "mizzle.model",
    "Catalog": "mizzle.model",
    "Result": "mizzle.model",
}
_ROOMS = (
    "archive", "drizzlepac", "execution", "geometry", "instrument", "io", "kernel", "model", "pipeline", "report",
    "settings", "simulate", "skypac", "steps", "stwcs", "visits",
)  # fmt: skip

__all__ = [
    "Catalog",
    "Chip",
    "DataError",
    "Exposure",
    "InputError",
    "MizzleError",
    "Mosaic",
    "Result",
    "Settings",
    "SettingsError",
    "__version__",
    "batch",
    "load_settings",
    "process",
    "read_exposure",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"mizzle.{name}")
    raise AttributeError(f"module 'mizzle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS})
