"""The calls of drizzlepac that WFPC2 scripts make, on mizzle: the same names, parameters, defaults and files.

Change ``import drizzlepac`` to ``import mizzle.drizzlepac as drizzlepac`` (`mizzle migrate` does it). Every call is
translated to mizzle's settings and steps; where the result differs from the incumbent's, docs/from_drizzlepac.md says
how, and how much. Files are changed in place, as those calls do, after their first bytes were kept in ``OrIg_files``.
A call that fails raises a `mizzle.MizzleError`; none returns None for a failure.
"""

from __future__ import annotations

import importlib
from typing import Any

from mizzle._version import __version__ as __version__

__all__ = [
    "ablot",
    "adrizzle",
    "astrodrizzle",
    "catalogs",
    "imagefindpars",
    "photeq",
    "pixtopix",
    "pixtosky",
    "refimagefindpars",
    "resetbits",
    "skytopix",
    "tweakback",
    "tweakreg",
    "updatehdr",
    "util",
    "wcs_functions",
    "wfpc2Data",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"mizzle.drizzlepac.{name}")
    raise AttributeError(f"module 'mizzle.drizzlepac' has no attribute {name!r}")
