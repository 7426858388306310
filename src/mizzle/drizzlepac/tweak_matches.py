"""Files of matched stars: each star of an exposure beside the reference exposure's, where that saw it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.io.atomic import write_text
from mizzle.model import Alignment, Exposure, Grid
from mizzle.stars.neighbors import ClosePairs, close_pairs
from mizzle.steps.align.sources import SourceList

#: Farthest that two exposures' places of a star lie apart, once aligned [pixel of the reference frame].
_APART = 3.0
_COLUMNS = (
    *("X (reference)", "Y (reference)", "X (input)", "Y (input)", "X (fit)", "Y (fit)", "X (residual)"),
    *("Y (residual)", "Original X (reference)", "Original Y (reference)", "Original X (input)"),
    *("Original Y (input)", "Ref ID", "Input ID", "Input EXTVER ID", "RA (fit)", "Dec (fit)", "Ref source"),
)


def stem(exposure: Exposure) -> str:
    """Return a file's name without ``.fits``: the start of the names of what belongs to it."""
    return Path(exposure.path).name.removesuffix(".gz").removesuffix(".fits")


@dataclass(frozen=True, eq=False)
class OnGrid:
    """Sources of one exposure, aligned.

    Parameters
    ----------
    exposure : Exposure
        Where they were found.
    entry : SourceList
        What was found.
    number : (n,) int array
        Numbers of the sources, counted chip by chip.
    sky : (n, 2) array
        Aligned right ascension and declination [deg].
    place : (n, 2) array
        The same on the reference frame [0-based pixel].
    """

    exposure: Exposure
    entry: SourceList
    number: NDArray[np.intp]
    sky: FloatArray
    place: FloatArray


def on_grid(exposure: Exposure, entry: SourceList, alignment: Alignment, grid: Grid) -> OnGrid:
    """Return an exposure's sources with their numbers and aligned places."""
    number, sky = np.zeros(len(entry), np.intp), np.full((len(entry), 2), np.nan)
    start = 0
    for name, chip in exposure.chips.items():
        on_chip = np.flatnonzero(entry.chip == chip.number)
        number[on_chip] = start + np.arange(on_chip.size)
        start += on_chip.size
        sky[on_chip] = np.column_stack(alignment.frame(exposure, name).pixel_to_sky(entry.x[on_chip], entry.y[on_chip]))
    place = np.column_stack(grid.sky_to_pixel(sky[:, 0], sky[:, 1]))
    return OnGrid(exposure, entry, number, sky, place)


def write_matches(exposure: Exposure, alignment: Alignment, grid: Grid, own: OnGrid, reference: OnGrid | None) -> None:
    """Write the matched stars in the columns of the incumbent's files.

    ``STEM_catalog_fit.match`` has all stars that took part, ``STEM_xy_catalog.match`` those that the reference exposure
    saw too. The fit compares each star with its mean place in all exposures, so a star that the reference exposure did
    not see has a place there, and no number (-1).
    """
    table = alignment.tables.get(exposure.root, {})
    if "x" not in table:
        return
    rows = np.zeros((len(table["x"]), 17))
    for name, chip in exposure.chips.items():
        on_chip = table["chip"] == chip.number
        x, y = table["x"][on_chip], table["y"][on_chip]
        fit = alignment.frame(exposure, name).pixel_to_sky(x, y)
        rows[on_chip, 2:4] = np.column_stack(grid.sky_to_pixel(*chip.frame.pixel_to_sky(x, y))) + 1.0
        rows[on_chip, 4:6] = np.column_stack(grid.sky_to_pixel(*fit)) + 1.0
        rows[on_chip, 15:17] = np.column_stack(fit)
    rows[:, 6:8] = np.column_stack([table["dx"], table["dy"]]) / 3.6e6 @ np.linalg.inv(grid.cd).T
    rows[:, 0:2] = rows[:, 4:6] + rows[:, 6:8]
    rows[:, 10], rows[:, 11], rows[:, 14] = table["x"] + 1.0, table["y"] + 1.0, table["chip"]
    numbers = _numbers(own)
    places = zip(table["chip"].tolist(), table["x"].tolist(), table["y"].tolist(), strict=True)
    rows[:, 13] = [numbers[place] for place in places]
    _add_reference(rows, reference)
    head = "".join(f"#     Column {number}: {name}\n" for number, name in enumerate(_COLUMNS, 1))
    formats = (*["%.6f"] * 12, "%d", "%d", "%d", "%.12f", "%.12f")
    body = "".join(f"{line}    {alignment.reference}\n" for line in rows_of(rows, formats).splitlines())
    write_text(f"{stem(exposure)}_catalog_fit.match", f"# Input image: {Path(exposure.path).name}\n{head}{body}")
    if reference is not None and reference.exposure.root != exposure.root:
        _write_pairs(exposure, rows[rows[:, 12] >= 0], reference)


def _numbers(own: OnGrid) -> dict[tuple[int, float, float], int]:
    """Return the number of each source by chip and pixel: the same numbers stand in the table of residuals."""
    entry = own.entry
    keys = zip(entry.chip.tolist(), entry.x.tolist(), entry.y.tolist(), strict=True)
    return dict(zip(keys, own.number.tolist(), strict=True))


def _add_reference(rows: FloatArray, reference: OnGrid | None) -> None:
    """Add pixel and number of the reference exposure's nearest source to each star, where both are the nearest."""
    rows[:, 12] = -1.0
    if reference is None or not len(reference.entry) or not len(rows):
        return
    pairs = _mutual(rows[:, 0:2] - 1.0, reference.place)
    entry = reference.entry
    rows[pairs.first, 8] = entry.x[pairs.second] + 1.0
    rows[pairs.first, 9] = entry.y[pairs.second] + 1.0
    rows[pairs.first, 12] = reference.number[pairs.second]


def _mutual(places: FloatArray, others: FloatArray) -> ClosePairs:
    """Return the pairs of two lists closer than `_APART` of which each is the other's nearest."""
    x, y = np.concatenate([places, others]).T
    first, second, apart = close_pairs(x, y, _APART)
    first, second = np.minimum(first, second), np.maximum(first, second) - len(places)
    across = (first < len(places)) & (second >= 0)
    order = np.flatnonzero(across)[np.argsort(apart[across], kind="stable")]
    first, second, apart = first[order], second[order], apart[order]
    # The first of a sorted list is the nearest.
    nearest = [np.zeros(first.size, bool) for _ in range(2)]
    for mask, ends in zip(nearest, (first, second), strict=True):
        mask[np.unique(ends, return_index=True)[1]] = True
    both = nearest[0] & nearest[1]
    return ClosePairs(first[both], second[both], apart[both])


def _write_pairs(exposure: Exposure, rows: FloatArray, reference: OnGrid) -> None:
    """Write the pairs that an exposure and the reference exposure have in common, before the fit."""
    chips = dict(zip(reference.number.tolist(), reference.entry.chip.tolist(), strict=True))
    places = reference.place[np.argsort(reference.number)]
    numbers = rows[:, 12].astype(int)
    pairs = np.column_stack([places[numbers] + 1.0, rows[:, 2:4], rows[:, 8:12], rows[:, 12:14]])
    name = Path(reference.exposure.path).name
    head = (
        f"#Reference: {name}\n#Input: {Path(exposure.path).name}\n#Ref_X        Ref_Y        Input_X    Input_Y        "
    )
    head += "Ref_X0    Ref_Y0        Input_X0    Input_Y0        Ref_ID    Input_ID        Ref_Source\n"
    lines = rows_of(pairs, (*["%.6f"] * 8, "%d", "%d")).splitlines()
    body = "".join(f"{line}    {name}[{chips[n]}]\n" for line, n in zip(lines, numbers.tolist(), strict=True))
    write_text(f"{stem(exposure)}_xy_catalog.match", head + body)


def rows_of(table: FloatArray, formats: str | Sequence[str]) -> str:
    """Return a table as text."""
    each = [formats] * table.shape[1] if isinstance(formats, str) else list(formats)
    line = "  ".join(each)
    return (line + "\n") * len(table) % tuple(table.ravel().tolist())
