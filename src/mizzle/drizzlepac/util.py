"""Small things of ``drizzlepac.util`` that scripts use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mizzle.io.rewriting import chip_units, opened

__all__ = ["count_sci_extensions", "is_blank"]


def count_sci_extensions(filename: str) -> list[tuple[str, int]]:
    """Return name and version of each science image of a file."""
    with opened(Path(filename)) as hdus:
        return [("SCI", int(unit.header.get("EXTVER", 1))) for unit in chip_units(hdus).values()]


def is_blank(value: Any) -> bool:
    """Return whether a value stands for none: ``None``, ``""``, ``"INDEF"``, ``"None"``."""
    return value is None or str(value).strip().lower() in {"", "none", "indef"}
