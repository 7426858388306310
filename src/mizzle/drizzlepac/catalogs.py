"""``generateCatalog``: the stars of one chip, as scripts count them before they align."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mizzle.drizzlepac.tweakreg import FIND_TASK, TWEAK_TASK
from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import write_text
from mizzle.settings import Settings
from mizzle.stwcs.wcsutil.hstwcs import HSTWCS
from mizzle.translation.exposures import read_exposures, with_values
from mizzle.translation.parameters import Task

__all__ = ["ImageCatalog", "generateCatalog"]

_TWEAK = "a parameter of TweakReg"
CATALOG_TASK = Task(
    "generateCatalog",
    {},
    {
        **{name: (default, _TWEAK) for name, default in TWEAK_TASK.used.items()},
        **TWEAK_TASK.void,
        **FIND_TASK.void,
        "dqbits": ("", "dq.good chooses the good pixels"),
    },
)


class ImageCatalog:
    """Stars of one chip, found when they are asked for.

    Parameters
    ----------
    wcs : HSTWCS
        Of the chip.
    catalog_source : str
        The chip, ``name.fits[sci,3]``.

    Attributes
    ----------
    num_objects : int
        How many there are; 0 before `buildCatalogs`.
    xypos : list of arrays, or None
        x, y (1-based), flux [DN], number.
    radec : list of arrays, or None
        Right ascension and declination [deg].
    """

    def __init__(self, wcs: Any, catalog_source: str) -> None:
        self.wcs, self.source = wcs, catalog_source
        self.num_objects = 0
        self.xypos: list[Any] | None = None
        self.radec: list[Any] | None = None

    def buildCatalogs(self, exclusions: Any = None, **_: Any) -> None:  # noqa: N802  (the incumbent's name)
        """Find the stars, and their places on the sky.

        Raises
        ------
        InputError
            The source is no chip of an exposure.
        """
        from mizzle.steps.align.sources import find_sources
        from mizzle.steps.chip_view import view_unaligned

        settings = with_values(Settings(), geometry={"wcs": "header"})
        (exposure,) = read_exposures([Path(self.source.split("[")[0])], settings)
        number = HSTWCS(self.source).chip
        views = [v for v in view_unaligned([exposure], settings) if number is None or v.chip.number == number]
        if not views:
            raise InputError(f"{self.source}: no chip of an exposure", source=self.source)
        sources = find_sources(views[0], settings)
        self.num_objects = len(sources)
        self.xypos = [sources["x"] + 1.0, sources["y"] + 1.0, sources["flux"], np.arange(len(sources))]
        self.radec = list(self.wcs.all_pix2world(self.xypos[0], self.xypos[1], 1))

    def writeXYCatalog(self, filename: str) -> None:  # noqa: N802  (the incumbent's name)
        """Write x, y, flux and number of each star."""
        rows = [] if self.xypos is None else zip(*self.xypos, strict=True)
        lines = [f"{x:.5f}  {y:.5f}  {flux:.6g}  {number}" for x, y, flux, number in rows]
        write_text(filename, "\n".join(["#    X      Y         Flux       ID", *lines]) + "\n")


def generateCatalog(  # noqa: N802  (the incumbent's name)
    wcs: Any, mode: str = "automatic", catalog: str | None = None, src_find_filters: Any = None, **parameters: Any
) -> ImageCatalog:
    """Return a catalog of the stars of a chip; ``buildCatalogs`` finds them, as TweakReg does.

    Parameters
    ----------
    wcs : HSTWCS
        Of the chip.
    mode : str
        ``automatic``; catalogs of the user's go to TweakReg (``catfile``, ``refcat``).
    catalog : str, optional
        The chip, ``name.fits[sci,3]``; the place `wcs` was read from without it.
    src_find_filters
        Accepted; without effect.
    **parameters
        Of the finder, or of TweakReg: accepted with one warning, without effect.

    Raises
    ------
    SettingsError
        Another mode, or an unknown parameter.
    """
    if mode != "automatic":
        raise SettingsError(f"generateCatalog: mode = {mode!r}; needed 'automatic'", mode=mode)
    CATALOG_TASK.values(parameters)
    return ImageCatalog(wcs, catalog or wcs.extname)
