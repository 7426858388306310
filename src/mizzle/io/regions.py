"""Reading DS9 region files: circles, boxes, ellipses and polygons, in image or sky coordinates."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mizzle.errors import InputError
from mizzle.instrument.cameras import chip_named
from mizzle.io.regular import local_path, read_limited
from mizzle.model import deproject
from mizzle.model.user_tables import SkyRegion

_IMAGE = {"image", "physical"}
_SKY = {"fk5", "icrs", "j2000"}
_OTHER = {"fk4", "b1950", "galactic", "ecliptic", "linear", "detector", "amplifier", "wcs"}
_SHAPES = {"circle", "box", "rotbox", "ellipse", "polygon"}
_SHAPE = re.compile(r"^(?P<sign>[+-]?)\s*(?P<name>[a-z]+)\s*[(\s]\s*(?P<numbers>[^()]*)\)?\s*$", re.IGNORECASE)
_TAG = re.compile(r"(?:tag|text)\s*=\s*[{\"']([^}\"']*)[}\"']")
_SIXTY = re.compile(r"^([+-]?)(\d+)[:hd](\d+)[:m](\d+(?:\.\d*)?)s?$", re.IGNORECASE)

#: Corners of the polygon that stands for an ellipse.
ELLIPSE_CORNERS = 64


def read_regions(path: str | Path) -> tuple[SkyRegion, ...]:
    """Read a DS9 region file.

    Parameters
    ----------
    path : str or Path
        Regions in ``image`` (1-based pixels of a chip) or ``fk5``/``icrs``. A shape with a leading ``-`` excludes,
        the others include. Tags or text that name a chip (``tag={WF3}``) or a rootname (``tag={u40x010hm}``)
        restrict a region to it.

    Returns
    -------
    regions : tuple of SkyRegion
        Boxes and ellipses as polygons; pixels 0-based.

    Raises
    ------
    InputError
        The file cannot be read, or a line is not understood; the line is named.
    """
    try:
        text = read_limited(local_path(path)).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise InputError(f"{path}: not a DS9 region file, which is UTF-8 text", path=str(path)) from problem
    return parse_regions(text, source=str(path))


def parse_regions(text: str, source: str = "regions") -> tuple[SkyRegion, ...]:
    """Parse the text of a DS9 region file; see `read_regions`.

    Examples
    --------
    >>> parse_regions('image; circle(101, 51, 5)')[0]
    SkyRegion(x=(100.0,), y=(50.0,), radius=5.0, frame='image', root='', chip='', include=True)
    """
    frame = "image"  # as DS9 has it when a file does not say
    regions: list[SkyRegion] = []
    for number, line in enumerate(text.splitlines(), start=1):
        body, _, comment = line.partition("#")
        if body.strip().lower().startswith("global"):
            continue
        for part in filter(None, (piece.strip() for piece in body.split(";"))):
            word = part.lower()
            if word in _IMAGE or word in _SKY:
                frame = "image" if word in _IMAGE else "sky"
                continue
            where = f"{source}, line {number}"
            if word in _OTHER:
                raise InputError(f"{where}: coordinates {part!r} are not understood; use image or fk5", line=number)
            regions.append(_shape(part, comment, frame, where=where))
    return tuple(regions)


def _shape(part: str, comment: str, frame: str, *, where: str) -> SkyRegion:
    """Parse one shape."""
    match = _SHAPE.match(part)
    name = match["name"].lower() if match else ""
    if match is None or name not in _SHAPES:
        raise InputError(f"{where}: {part[:60]!r} is not understood; use circle, box, ellipse or polygon", text=part)
    words = [word for word in re.split(r"[,\s]+", match["numbers"].strip()) if word]
    root, chip = _labels(comment)
    try:
        x, y, radius = _geometry(name, words, frame)
    except (ValueError, IndexError, OverflowError) as problem:
        raise InputError(f"{where}: {part[:60]!r}: {problem}", text=part) from problem
    return SkyRegion(x=x, y=y, radius=radius, frame=frame, root=root, chip=chip, include=match["sign"] != "-")


def _labels(comment: str) -> tuple[str, str]:
    """Return the rootname and chip that a region's tags and text name."""
    root, chip = "", ""
    for label in _TAG.findall(comment):
        for word in label.split():
            known = chip_named(word) if not word.isdecimal() else None
            if known is not None:
                chip = known
            elif re.fullmatch(r"u[a-z0-9]{7}[a-z0-9]?", word.lower()):
                root = word.lower()
    return root, chip


def _geometry(name: str, words: Sequence[str], frame: str) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Return corners (or the one center) and radius."""
    if name == "polygon":
        if len(words) < 6 or len(words) % 2:
            raise ValueError(f"a polygon needs three or more x, y; found {len(words)} numbers")
        points = [_point(words[k], words[k + 1], frame) for k in range(0, len(words), 2)]
        return tuple(p[0] for p in points), tuple(p[1] for p in points), 0.0
    needed = 3 if name == "circle" else 4
    if not needed <= len(words) <= (3 if name == "circle" else 5):
        raise ValueError(f"a {name} needs {needed} numbers; found {len(words)}")
    center = _point(words[0], words[1], frame)
    if name == "circle":
        return (center[0],), (center[1],), _length(words[2], frame)
    a, b = _length(words[2], frame), _length(words[3], frame)
    angle = math.radians(_number(words[4])) if len(words) > 4 else 0.0
    if name == "ellipse":
        t = np.linspace(0.0, 2.0 * np.pi, ELLIPSE_CORNERS, endpoint=False)
        u, v = a * np.cos(t), b * np.sin(t)
    else:
        u, v = 0.5 * a * np.array([-1.0, 1.0, 1.0, -1.0]), 0.5 * b * np.array([-1.0, -1.0, 1.0, 1.0])
    return (*_place(u, v, angle, center=center, frame=frame), 0.0)


def _place(
    u: np.ndarray[tuple[int], np.dtype[np.float64]],
    v: np.ndarray[tuple[int], np.dtype[np.float64]],
    angle: float,
    *,
    center: tuple[float, float],
    frame: str,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Turn offsets from a center into corners. Angles run counterclockwise: on the sky from north to east."""
    if frame == "image":
        x = center[0] + u * math.cos(angle) - v * math.sin(angle)
        y = center[1] + u * math.sin(angle) + v * math.cos(angle)
        return tuple(map(float, x)), tuple(map(float, y))
    east = u * math.cos(angle) + v * math.sin(angle)
    north = v * math.cos(angle) - u * math.sin(angle)
    ra, dec = deproject(east / 3600.0, north / 3600.0, center)
    return tuple(map(float, ra)), tuple(map(float, dec))


def _number(word: str) -> float:
    """Return a finite number."""
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"{word!r} is not a finite number")
    return value


def _point(x: str, y: str, frame: str) -> tuple[float, float]:
    """Return 0-based pixels, or right ascension and declination [deg]."""
    if frame == "image":
        return _number(x) - 1.0, _number(y) - 1.0
    ra, dec = _angle(x, hours=True), _angle(y, hours=False)
    if not -90.0 <= dec <= 90.0:
        raise ValueError(f"declination {y} is outside -90 to 90 degrees")
    return ra % 360.0, dec


def _angle(word: str, *, hours: bool) -> float:
    """Return degrees from decimal degrees or a sexagesimal word; hours for right ascension (unless ``d``)."""
    match = _SIXTY.match(word)
    if match is None:
        return _number(word.rstrip("dD"))
    value = int(match[2]) + int(match[3]) / 60.0 + float(match[4]) / 3600.0
    in_hours = hours and "d" not in word.lower()
    return (-1.0 if match[1] == "-" else 1.0) * value * (15.0 if in_hours else 1.0)


def _length(word: str, frame: str) -> float:
    """Return pixels, or arcseconds; a bare number on the sky is in degrees, as DS9 has it."""
    units = {'"': 1.0, "'": 60.0, "d": 3600.0, "r": math.degrees(3600.0)}
    if frame == "image":
        if word[-1:] in units:
            raise ValueError(f"{word!r}: sizes in image coordinates are in pixels")
        value = _number(word.rstrip("ip"))
    elif word[-1:] in {"i", "p"}:
        raise ValueError(f"{word!r}: sizes on the sky are in degrees, or end in \" or '")
    else:
        value = _number(word[:-1]) * units[word[-1]] if word[-1:] in units else _number(word) * 3600.0
    if not value > 0:
        raise ValueError(f"size {word!r} is not positive")
    return value
