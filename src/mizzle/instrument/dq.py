"""Data-quality bits: from the words of the settings to masks of pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import SettingsError
from mizzle.instrument.wfpc2 import DQ_BITS
from mizzle.kernel.pixels import flagged, has_bits
from mizzle.model import Chip

if TYPE_CHECKING:
    from mizzle.settings.dq import DataQualitySettings

ALL_BITS = 0xFFFF


def good_bits(words: Iterable[int | str], names: Mapping[str, int] = DQ_BITS) -> int:
    """Return the sum of the bits that `words` name.

    Parameters
    ----------
    words : iterable of int or str
        Numbers (8, or sums such as 1032), names, or digits in a string, also joined by ``+`` or ``,`` as AstroDrizzle's
        users write them.
    names : mapping
        Bit by name: the camera's; WFPC2's by default.

    Raises
    ------
    SettingsError
        An unknown name, or a number that is no sum of the sixteen bits.

    Examples
    --------
    >>> good_bits([1024, "saturated"]), good_bits(["8,1024"]), good_bits([])
    (1032, 1032, 0)
    """
    total = 0
    for word in words:
        for part in str(word).replace("+", ",").split(","):
            total |= _bit(part.strip().lower(), names)
    return total


def _bit(word: str, names: Mapping[str, int]) -> int:
    value = int(word) if word.isdecimal() else names.get(word, -1)
    if not 0 <= value <= ALL_BITS:
        raise SettingsError(
            f"dq.good: {word!r} is no data-quality bit; give numbers up to 32768, or names: {', '.join(names)}",
            word=word,
        )
    return value


def bad_mask(chip: Chip, settings: DataQualitySettings, *, allow: int = 0) -> NDArray[np.bool_]:
    """Return the pixels of `chip` that must not be used.

    Parameters
    ----------
    chip : Chip
        Its pixels.
    settings : DataQualitySettings
        The bits that do no harm (`settings.good`).
    allow : int
        More bits to let through, for one use.

    Returns
    -------
    bad : (ny, nx) bool array
        True where any other bit is set, or the signal is not finite.
    """
    return bad_pixels(chip.sci, chip.dq, good_bits(settings.good) | allow)


def bad_pixels(sci: NDArray[np.float32], dq: NDArray[np.uint16], good: int) -> NDArray[np.bool_]:
    """Return where `dq` has a bit outside `good`, or `sci` is not finite: ``(ny, nx)`` bool."""
    return flagged(sci, dq, ALL_BITS & ~good)


def saturated_pixels(sci: NDArray[np.float32], dq: NDArray[np.uint16], good: int, *, bit: int) -> NDArray[np.bool_]:
    """Return the pixels that are saturated (`bit`) and else good: usable where nothing better covers the place."""
    saturated = has_bits(dq, bit)
    if saturated.any():
        saturated &= ~bad_pixels(sci, dq, good | bit)
    return saturated
