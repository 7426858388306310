"""``reset_dq_bits``: bits cleared in data-quality files, in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from mizzle.io.rewriting import chip_units, rewriting
from mizzle.translation.bits import parse_bits
from mizzle.translation.inputs import list_quality

__all__ = ["reset_dq_bits"]


def reset_dq_bits(input: Any, bits: Any, extver: Any = None, extname: str = "dq") -> list[str]:
    """Clear bits in the data quality of files.

    Parameters
    ----------
    input : str, Path or iterable of them
        ``flt`` or ``c1m`` files; of a ``c0m``, its ``c1m`` is meant.
    bits : int or str
        As ``'4096,8192'``.
    extver : int or sequence of int, optional
        Versions of the extension; all by default.
    extname : str
        Its name; a ``c1m`` may call it SCI or SDQ.

    Returns
    -------
    files : list of str
        What was changed.
    """
    mask = parse_bits(bits, "bits")
    versions = None if extver is None else {int(v) for v in np.atleast_1d(extver)}
    changed = []
    for path in list_quality(input, "reset_dq_bits"):
        with rewriting(path) as hdus:
            units = chip_units(hdus, (extname.upper(),)) or chip_units(hdus, ("SCI", "SDQ"))
            for unit in units.values():
                if versions is None or unit.header.get("EXTVER", 1) in versions:
                    unit.data = (unit.data.astype(np.int32) & ~mask).astype(unit.data.dtype)
        changed.append(str(path))
    return changed
