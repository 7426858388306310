"""What people hand to the kernel, checked once: a number that is none, or an array of words, gets one message."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError

#: Most cells of an output: 64 GB of sums.
MOST_CELLS = 2**32
#: Most images of one context.
MOST_IMAGES = 2**20


def _shown(value: object) -> str:
    """Return a value as a message may show it."""
    return repr(value)[:60] if not isinstance(value, np.ndarray) else f"an array of shape {value.shape}"


def real(value: Any, name: str) -> float:
    """Return a finite real number.

    Raises
    ------
    SettingsError
        It is none.
    """
    try:
        number = float(value) if np.ndim(value) == 0 and not isinstance(value, str | bytes | complex) else np.nan
    except (TypeError, ValueError, OverflowError):
        number = np.nan
    if not np.isfinite(number):
        raise SettingsError(f"{name} is {_shown(value)}; needed a finite number", name=name)
    return number


def whole(value: Any, name: str, least: int, most: int) -> int:
    """Return a whole number within limits.

    Raises
    ------
    SettingsError
        It is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        raise SettingsError(f"{name} is {_shown(value)}; needed a whole number from {least} to {most}", name=name)
    return number


def sides(shape: Any, name: str = "shape") -> tuple[int, int]:
    """Return the shape of an output, ``(ny, nx)``.

    Raises
    ------
    SettingsError
        Not two whole numbers of at least 1, or more cells than `MOST_CELLS`.
    """
    known = np.ndim(shape) == 1 and len(shape) == 2 and not isinstance(shape, str | bytes) if _sized(shape) else False
    if not known:
        raise SettingsError(f"{name} is {_shown(shape)}; needed (ny, nx), two whole numbers", name=name)
    ny, nx = (whole(side, f"a side of {name}", 1, MOST_CELLS) for side in shape)
    if ny * nx > MOST_CELLS:
        raise SettingsError(f"{name} is {(ny, nx)}; at most {MOST_CELLS} pixels are possible", name=name)
    return ny, nx


def _sized(value: Any) -> bool:
    """Tell whether a value is a row of single things."""
    try:
        return len(value) >= 0 and all(np.ndim(part) == 0 for part in value)
    except (TypeError, ValueError):
        return False


def reals(values: Any, name: str) -> NDArray[Any]:
    """Return an array of real numbers of any shape and kind; what is masked in it is NaN.

    Raises
    ------
    SettingsError
        It is none: words, objects, complex numbers, rows of different length, None.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError) as problem:
        raise SettingsError(f"{name} is no array of numbers: {str(problem)[:80]}", name=name) from problem
    if array.dtype.kind not in "fiub":
        raise SettingsError(
            f"{name} has type {str(array.dtype)[:20]} (it is {_shown(values)}); needed real numbers", name=name
        )
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        kind = array.dtype if array.dtype.kind == "f" else np.float64
        array = np.asarray(np.ma.filled(values.astype(kind), np.nan))
    return array


def word(value: Any, name: str, known: Any) -> str:
    """Return one of some known words.

    Raises
    ------
    SettingsError
        It is none of them.
    """
    if not isinstance(value, str) or value not in known:
        raise SettingsError(f"{name} {_shown(value)} is unknown; choose from {', '.join(known)}", name=name)
    return value
