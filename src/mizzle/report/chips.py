"""Names, marks, colors and units of whatever camera a report is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mizzle.instrument.cameras import CAMERAS

#: Marks of a camera's chips, in their order; where there are four, the first stands for the finest pixels.
_MARKS = {4: ("diamond", "circle", "square", "triangle"), 2: ("circle", "diamond"), 1: ("circle",)}
#: The page's style sheet names its four colors after the chips of the camera that has four; others take two of them.
_COLORS = {2: ("wf2", "pc"), 1: ("wf2",)}
_SPACE = 0.15

#: Marks by chip; the order is that of tables and legends.
SHAPES = {chip: mark for camera in CAMERAS for chip, mark in zip(camera.chips, _MARKS[len(camera.chips)], strict=True)}
_PAINT = {
    chip: color
    for camera in CAMERAS
    if len(camera.chips) in _COLORS
    for chip, color in zip(camera.chips, _COLORS[len(camera.chips)], strict=True)
}
#: Chips that touch, in one exposure or as dithers move them: four go around.
BORDERS = tuple(
    (one, two)
    for camera in CAMERAS
    for one, two in zip(camera.chips, (*camera.chips[1:], camera.chips[0]), strict=True)
    if len(camera.chips) > 2 or camera.chips.index(one) < camera.chips.index(two)
)


def paint(chip: str) -> str:
    """Return the class of the style sheet that colors a chip.

    Examples
    --------
    >>> paint("PC"), paint("UVIS2")
    ('pc', 'pc')
    """
    return _PAINT.get(chip, chip.lower())


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
    group = next((camera.chips for camera in CAMERAS if chip in camera.chips), (chip,))
    return _SPACE * (group.index(chip) - (len(group) - 1) / 2)


def unit(report: Mapping[str, Any]) -> str:
    """Return the unit of the exposures' pixels: counts, or electrons."""
    name = report.get("camera")
    electrons = any(camera.name == name and camera.unit.startswith("ELECTRON") for camera in CAMERAS)
    return "e⁻" if electrons else "DN"
