"""The same WCS in the form that SExtractor, SCAMP and SWarp read: TPV, as an external header.

These programs take the linear part of a SIP header and drop its polynomial, which leaves stars up to 7 pixels away. A
text file ``NAME.head`` beside ``NAME.fits`` (SExtractor's HEADER_SUFFIX) gives them the polynomial in their own terms.
The row term (0.015 pixel) has no place in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.errors import DataError
from mizzle.geometry.keywords import DEFAULT_RADESYS, Card
from mizzle.model.frame import ChipFrame

#: Index of the first term of each order; terms with the radius (3, 11, 23) stay out.
_FIRST = {0: 0, 1: 1, 2: 4, 3: 7, 4: 12, 5: 17, 6: 24, 7: 31}


def _terms(order: int) -> list[tuple[int, int, int]]:
    """Return ``(index, power of own axis, power of the other)`` of the polynomial terms up to `order`."""
    return [(first + k, n - k, k) for n, first in _FIRST.items() if n <= order for k in range(n + 1)]


def tpv_cards(frame: ChipFrame) -> list[Card]:
    """Return the primary WCS of a chip as TPV cards.

    Parameters
    ----------
    frame : ChipFrame
        Model, aligned, or from a header.

    Returns
    -------
    cards : list
        CTYPE, CRVAL, CRPIX, CD and PV; exact but for the row term.

    Raises
    ------
    DataError
        The polynomial is of an order that TPV does not have (above 7).

    References
    ----------
    TPV convention (FITS registry); Shupe et al. 2012, Proc. SPIE 8451.
    """
    order = _order(frame)
    if order > max(_FIRST):
        raise DataError(f"SIP of order {order} has no TPV form; 7 is the highest", order=order)
    ny, nx = frame.shape
    nodes = np.cos(np.pi * (np.arange(order + 3) + 0.5) / (order + 3))
    u, v = np.meshgrid((nodes + 1) * nx / 2 - frame.crpix[0], (nodes + 1) * ny / 2 - frame.crpix[1])
    linear = np.tensordot(frame.cd, np.array([u.ravel(), v.ravel()]), axes=1)
    p = u + np.polynomial.polynomial.polyval2d(u, v, frame.sip_a)
    q = v + np.polynomial.polynomial.polyval2d(u, v, frame.sip_b)
    curved = np.tensordot(frame.cd, np.array([p.ravel(), q.ravel()]), axes=1)
    unit = float(np.abs(linear).max())  # scaled, so that high powers keep their digits
    cards: list[Card] = [
        ("CTYPE1", "RA---TPV", "right ascension, gnomonic with polynomial"),
        ("CTYPE2", "DEC--TPV", "declination, gnomonic with polynomial"),
        ("CUNIT1", "deg", "unit"),
        ("CUNIT2", "deg", "unit"),
        ("RADESYS", str(frame.facts.get("RADESYS", DEFAULT_RADESYS)), "frame of the coordinates"),
        ("EQUINOX", 2000.0, "equinox"),
    ]
    for i in (0, 1):
        cards.append((f"CRVAL{i + 1}", float(frame.crval[i]), "[deg]"))
        cards.append((f"CRPIX{i + 1}", float(frame.crpix[i]), "[pixel]"))
        cards += [(f"CD{i + 1}_{j + 1}", float(frame.cd[i, j]), "[deg / pixel]") for j in (0, 1)]
    for i in (0, 1):
        own, other = linear[i] / unit, linear[1 - i] / unit
        terms = _terms(order)
        matrix = np.array([own**a * other**b for _, a, b in terms]).T
        solution = np.linalg.lstsq(matrix, curved[i] / unit, rcond=None)[0]
        for (index, a, b), value in zip(terms, solution, strict=True):
            cards.append((f"PV{i + 1}_{index}", float(value) * unit ** (1 - a - b), "TPV coefficient"))
    return cards


def _order(frame: ChipFrame) -> int:
    """Return the highest order of the frame's polynomial, 1 at least."""
    powers = np.argwhere((frame.sip_a != 0) | (frame.sip_b != 0)).sum(axis=1)
    return int(powers.max(initial=1))


def head_text(frames: Sequence[ChipFrame]) -> str:
    """Return the text of a ``.head`` file: one block per image extension, in the file's order.

    Parameters
    ----------
    frames : sequence of ChipFrame
        One per image extension; a chip's ERR and DQ repeat its frame.
    """
    lines: list[str] = []
    for frame in frames:
        for keyword, value, comment in tpv_cards(frame):
            text = f"'{value:<8}'" if isinstance(value, str) else repr(value).upper()
            lines.append(f"{keyword:<8}= {text:>20} / {comment}")
        lines.append("END")
    return "\n".join(lines) + "\n"
