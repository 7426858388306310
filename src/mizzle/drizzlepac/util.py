"""Small things of ``drizzlepac.util`` that scripts use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mizzle.io.rewriting import opened

__all__ = ["count_sci_extensions", "is_blank"]


def count_sci_extensions(filename: str, return_ind: bool = False) -> tuple[int, str] | list[int]:
    """Return how many science images a file has, and what they are called; or their places in the file.

    Parameters
    ----------
    filename : str
        A FITS file.
    return_ind : bool
        The places instead: indices of the extensions.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with opened(Path(filename)) as hdus:
        places = [index for index, hdu in enumerate(hdus) if hdu.name == "SCI"]
        if return_ind:
            return places
        return (len(places), "SCI") if places else (1, "PRIMARY")


def is_blank(value: Any) -> bool:
    """Return whether a value stands for none: ``None``, ``""``, ``"INDEF"``, ``"None"``."""
    return value is None or str(value).strip().lower() in {"", "none", "indef"}
