"""Names, marks, colors and units of whatever camera a report is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Marks; the order is that of tables and legends.
SHAPES = {
    "PC": "diamond", "WF2": "circle", "WF3": "square", "WF4": "triangle",
    "WFC1": "circle", "WFC2": "diamond", "UVIS1": "circle", "UVIS2": "diamond", "HRC": "circle", "IR": "circle",
}  # fmt: skip
#: The page's style sheet names its four colors after WFPC2's chips; other cameras' chips take two of them.
_COLORS = {"WFC1": "wf2", "WFC2": "pc", "UVIS1": "wf2", "UVIS2": "pc", "HRC": "wf2", "IR": "wf2"}
#: Chips that touch, in one exposure or as dithers move them.
BORDERS = (("PC", "WF2"), ("WF2", "WF3"), ("WF3", "WF4"), ("WF4", "PC"), ("WFC1", "WFC2"), ("UVIS1", "UVIS2"))
_SPACE = 0.15


def paint(chip: str) -> str:
    """Return the class of the style sheet that colors a chip.

    Examples
    --------
    >>> paint("PC"), paint("UVIS2")
    ('pc', 'pc')
    """
    return _COLORS.get(chip, chip.lower())


def shape(chip: str) -> str:
    """Return the shape of a chip's marks."""
    return SHAPES.get(chip, "circle")


def ordered(chips: Sequence[str]) -> list[str]:
    """Return chips in their cameras' order, unknown ones last."""
    known = list(SHAPES)
    return sorted(dict.fromkeys(chips), key=lambda chip: known.index(chip) if chip in known else len(known))


def nudge(chip: str) -> float:
    """Return how far a chip's marks stand beside the exposure's place, so that a camera's do not cover each other.

    Examples
    --------
    >>> nudge("WFC1"), nudge("WFC2"), nudge("IR")
    (-0.075, 0.075, 0.0)
    """
    for group in (("PC", "WF2", "WF3", "WF4"), ("WFC1", "WFC2"), ("UVIS1", "UVIS2")):
        if chip in group:
            return _SPACE * (group.index(chip) - (len(group) - 1) / 2)
    return 0.0


def unit(report: Mapping[str, Any]) -> str:
    """Return the unit of the exposures' pixels: DN of WFPC2, electrons of the others."""
    return "DN" if report.get("camera", "WFPC2") == "WFPC2" else "e⁻"
