"""CHECKSUM: a sum of a whole unit as text that makes the sum of the unit zero (FITS 4.0, appendix J)."""

from __future__ import annotations

#: Signs that the text does not have: punctuation between digits and letters.
_EXCLUDED = frozenset((*range(0x3A, 0x41), *range(0x5B, 0x61)))
_FIRST = 0x30


def ascii_sum(total: int) -> str:
    """Return the complement of a 32-bit sum, spread over 16 digits and letters.

    Parameters
    ----------
    total : int
        Sum of header and data in ones' complement, CHECKSUM counted as 16 zeros.

    Examples
    --------
    >>> ascii_sum(0xFFFFFFFF)
    '0000000000000000'
    """
    signs = [""] * 16
    for place, byte in enumerate((0xFFFFFFFF - total).to_bytes(4, "big")):
        quarter, rest = divmod(byte, 4)
        four = [quarter + _FIRST + (rest if number == 0 else 0) for number in range(4)]
        while any(sign in _EXCLUDED for sign in four):
            for first in (0, 2):
                if four[first] in _EXCLUDED or four[first + 1] in _EXCLUDED:
                    four[first] += 1
                    four[first + 1] -= 1
        for number, sign in enumerate(four):
            signs[4 * number + place] = chr(sign)
    return signs[-1] + "".join(signs[:-1])  # the value begins one byte behind a word's beginning
