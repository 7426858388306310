"""What a user brings beside the exposures: catalogs, regions, tables; and what the archive adds where asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mizzle.errors import DataError
from mizzle.model import Exposure, Grid
from mizzle.model.references import AlignReferences, SkyCatalog
from mizzle.model.sky import direction, julian_year, unit_vectors
from mizzle.model.user_tables import FluxCorrection, SkyRegion, SkyValue
from mizzle.model.values import Value
from mizzle.progress import Progress
from mizzle.settings import Settings


@dataclass(frozen=True, eq=False)
class UserInputs(Value):
    """Everything read from files the settings name; empty where they name none.

    Parameters
    ----------
    alignment : AlignReferences or None
        Catalog, image, regions, sources, shifts.
    corrections : tuple of FluxCorrection
        For PHOTFLAM.
    sky_values : tuple of SkyValue
        For ``sky.method="user"``.
    sky_regions : tuple of SkyRegion
        Kept out of the sky statistics.
    grid : Grid or None
        The product's pixels, where a caller brings them.
    """

    alignment: AlignReferences | None = None
    corrections: tuple[FluxCorrection, ...] = ()
    sky_values: tuple[SkyValue, ...] = ()
    sky_regions: tuple[SkyRegion, ...] = ()
    grid: Grid | None = None


def read_user_inputs(exposures: Sequence[Exposure], settings: Settings, progress: Progress) -> UserInputs:
    """Read what the settings name, and nothing where they name nothing.

    Parameters
    ----------
    exposures : sequence of Exposure
        Where and when a catalog is asked for.
    settings : Settings
        Sections ``align``, ``equalize`` and ``sky``.
    progress : Progress
        Told of what must be seen.

    Raises
    ------
    InputError
        A file is missing or not what it should be.
    """
    return UserInputs(
        alignment=_alignment(exposures, settings, progress),
        corrections=read_corrections(settings),
        sky_values=_sky_values(settings),
        sky_regions=_sky_regions(settings),
        grid=user_grid(exposures, settings),
    )


def check_user_inputs(exposures: Sequence[Exposure], settings: Settings) -> None:
    """Read the tables, regions and masks that the settings name, as a run will; of an image, its structure only.

    Parameters
    ----------
    exposures : sequence of Exposure
        Without pixels will do.
    settings : Settings
        As of the run.

    Raises
    ------
    SettingsError, InputError
        What the run would say.
    """
    from mizzle.io.catalogs import read_align_references
    from mizzle.io.masks import read_masks
    from mizzle.io.opened import opened_image

    part = settings.align
    gaia = part.catalog.lower() == "gaia"
    read_align_references(part.model_copy(update={"image": "", **({"catalog": ""} if gaia else {})}))
    if part.image:
        with opened_image(part.image, "FITS image"):
            pass
    read_corrections(settings)
    _sky_values(settings)
    _sky_regions(settings)
    read_masks(settings.dq.masks, exposures)


def user_grid(exposures: Sequence[Exposure], settings: Settings) -> Grid | None:
    """Return the grid of the image that ``combine.like`` names; None where it names none.

    Raises
    ------
    InputError
        It is no such image.
    DataError
        No exposure touches it, or it is larger than a product may be.
    """
    if not settings.combine.like:
        return None
    from mizzle.geometry.grid import MAX_PIXELS, check_overlap
    from mizzle.io.grid_image import read_grid

    name = settings.combine.like
    grid = read_grid(name)
    if grid.shape[0] * grid.shape[1] > MAX_PIXELS:
        raise DataError(
            f"{name}: {grid.shape[1]} x {grid.shape[0]} pixels; a product has at most {MAX_PIXELS / 1e6:.0f} million:"
            " cut the image out around the exposures",
            shape=grid.shape,
        )
    check_overlap(grid, [chip.frame for e in exposures for chip in e.chips.values()], name)
    return grid


def _alignment(exposures: Sequence[Exposure], settings: Settings, progress: Progress) -> AlignReferences | None:
    part = settings.align
    if not any((part.catalog, part.image, part.regions, part.sources, part.shifts)):
        return None
    from mizzle.io.catalogs import read_align_references

    catalog = _gaia(exposures, settings, progress) if part.catalog.lower() == "gaia" else None
    return read_align_references(part, catalog=catalog)


def _gaia(exposures: Sequence[Exposure], settings: Settings, progress: Progress) -> SkyCatalog:
    """Ask Gaia for the stars of the field at the epoch of the exposures."""
    from mizzle.archive.gaia import gaia_catalog
    from mizzle.io.catalogs import catalog_from_columns

    centers = np.array([chip.frame.crval for e in exposures for chip in e.chips.values()])
    ra, dec = direction(unit_vectors(*centers.T).mean(axis=1))
    spread = np.hypot((np.mod(centers[:, 0] - ra + 180, 360) - 180) * np.cos(np.deg2rad(dec)), centers[:, 1] - dec)
    radius = min(1.0, float(spread.max()) + 0.025)  # and a WF chip's half diagonal
    epoch = julian_year(float(np.mean([e.mjd_start for e in exposures])))
    columns = gaia_catalog(ra, dec, radius, epoch=epoch, settings=settings.archive, say=progress.warns)
    # Positions are at the mean epoch already; the motions bring them from there to each exposure.
    wanted = ("ra", "dec", "pmra", "pmdec", "ra_error", "dec_error", "mag")
    return catalog_from_columns("Gaia", {key: columns[key] for key in wanted if key in columns}, epoch)


def read_corrections(settings: Settings) -> tuple[FluxCorrection, ...]:
    """Return the corrections of PHOTFLAM that ``equalize.factors`` names."""
    if not settings.equalize.factors:
        return ()
    from mizzle.io.tables import read_flux_corrections

    return read_flux_corrections(settings.equalize.factors)


def _sky_values(settings: Settings) -> tuple[SkyValue, ...]:
    if not settings.sky.file:
        return ()
    from mizzle.io.tables import read_sky_values

    return read_sky_values(settings.sky.file)


def _sky_regions(settings: Settings) -> tuple[SkyRegion, ...]:
    if not settings.sky.exclude:
        return ()
    from mizzle.io.tables import read_sky_exclusions

    return read_sky_exclusions(settings.sky.exclude)
