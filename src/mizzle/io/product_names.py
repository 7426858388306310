"""What the files of a run are called: for writers, for rebuilding the page, and for checks beforehand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names are needed where there are no settings: by the process that draws
    from mizzle.settings import Settings

#: Folder, inside the output folder, of exposures as they were used.
EXPOSURES = "exposures"

COLOR = "_color.png"

_JOINT = ("_report.html", "_report.json", "_settings.toml", COLOR)
#: Ends of the files of one image each, by the image's name.
SEPARATE = {name: f"_drz_{name.lower()}.fits" for name in ("SCI", "ERR", "WHT", "CTX")}

_BY_BAND = ("_drz.fits", *SEPARATE.values(), "_cat.ecsv", ".png")


def stems(name: str, bands: Iterable[str]) -> dict[str, str]:
    """Return the start of each filter's file names: the filter is part of it where there are several.

    Examples
    --------
    >>> stems("m2", ["F814W"]), stems("m2", ["F555W", "F814W"])
    ({'F814W': 'm2'}, {'F555W': 'm2_f555w', 'F814W': 'm2_f814w'})
    """
    bands = list(bands)
    return {band: f"{name}_{band.lower()}" if len(bands) > 1 else name for band in bands}


def product_files(name: str, bands: Sequence[str], roots: Iterable[str], *, settings: Settings) -> list[str]:
    """Return the names of all files a run writes, relative to its output folder, but for a color picture.

    Parameters
    ----------
    name : str
        NAME of the products.
    bands : sequence of str
        Filters.
    roots : iterable of str
        Exposures that take part.
    settings : Settings
        Sections ``output`` and ``report``.
    """
    starts = list(stems(name, bands).values())
    whole, drizzled = settings.output.until == "", settings.output.until in ("", "combine")
    files = [f"{start}_drz.fits" for start in starts if drizzled and settings.output.mosaic]
    if drizzled and settings.output.separate:
        files += [f"{start}{ending}" for start in starts for ending in SEPARATE.values()]
    if whole and settings.output.catalog:
        files += [f"{start}_cat.ecsv" for start in starts]
    if whole and settings.output.image:
        files += [f"{start}.png" for start in starts]
    if settings.output.exposures:
        files += [f"{EXPOSURES}/{root}_flt.{ending}" for root in roots for ending in ("fits", "head")]
    if whole and settings.report.page:
        files.append(f"{name}_report.html")
    return [*files, f"{name}_settings.toml", f"{name}_report.json"]


def set_of(name: str, files: Iterable[str]) -> list[str]:
    """Return those of a folder's `files` that a run of this NAME, in whatever filters, has written or could have.

    A file of another NAME that begins alike (``m2_f814w`` beside ``m2``) is told by its own report.
    """
    files = set(files)
    pattern = re.compile(
        rf"(?P<stem>{re.escape(name)}(?:_[a-z0-9+]+)?)(?:{'|'.join(map(re.escape, _BY_BAND))})"
        rf"|{re.escape(name)}(?:{'|'.join(map(re.escape, _JOINT))})"
    )
    members = []
    for file in sorted(files):
        match = pattern.fullmatch(file)
        if match is None:
            continue
        other = match["stem"] not in (None, name) and f"{match['stem']}_report.json" in files
        if not other:
            members.append(file)
    return members
