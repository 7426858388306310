"""The product's pixels: one TAN grid that covers all chips."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.errors import DataError, SettingsError
from mizzle.model.frame import ChipFrame, Grid, deproject, project
from mizzle.model.sky import direction, unit_vectors
from mizzle.settings.combine import CombineSettings

#: Largest product [pixel]; more is a mistake, and would exhaust memory.
MAX_PIXELS = 100_000_000
#: Largest ratio of the product's area to that of all chips; more means that targets were mixed.
MAX_EMPTINESS = 30.0


def outline(frame: ChipFrame, points: int = 9) -> SkyPlaces:
    """Return the sky [deg] of `points` positions along each outer edge of a chip's pixels."""
    ny, nx = frame.shape
    along = np.linspace(0.0, 1.0, points)
    x = np.concatenate([along, np.ones(points), along, np.zeros(points)]) * nx - 0.5
    y = np.concatenate([np.zeros(points), along, np.ones(points), along]) * ny - 0.5
    return frame.pixel_to_sky(x, y)


def _middle(ra: FloatArray, dec: FloatArray) -> tuple[float, float]:
    """Return the direction of the mean unit vector [deg]."""
    mean = unit_vectors(ra, dec).mean(axis=1)
    if np.linalg.norm(mean) < 0.5:
        raise DataError(
            "the exposures point all over the sky; one image cannot hold them; run them by target",
            spread="all-sky",
        )
    return direction(mean)


def _bounds(ra: FloatArray, dec: FloatArray, center: tuple[float, float], *, inverse: FloatArray) -> FloatArray:
    """Return ``[[xmin, ymin], [xmax, ymax]]`` [pixel] of sky positions about a tangent point."""
    plane = inverse @ np.array(project(ra, dec, center))
    if not np.all(np.isfinite(plane)):
        raise DataError(
            f"a chip lies 90 degrees or more from the product's center {center}; check combine.ra and"
            " combine.dec, and"
            " run exposures of different targets apart",
            center=center,
        )
    return np.array([plane.min(axis=1), plane.max(axis=1)])


def _cd(frames: list[ChipFrame], settings: CombineSettings, lead: str) -> FloatArray:
    """Return the CD matrix [deg / pixel]: east to the left when north is up."""
    if settings.rotation is not None:
        angle = settings.rotation
    elif settings.orientation == "first_chip":
        angle = frames[0].orientation()
    elif settings.orientation == "exposure":
        first = next((f for f in frames if f.facts.get("CHIP") == lead), frames[0])
        angle = first.orientation()
    else:
        angle = 0.0
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    return np.array([[-cos, sin], [sin, cos]]) * (settings.scale / 3600.0)


def _pair(names: tuple[str, str], values: tuple[float | None, float | None]) -> bool:
    """Return whether both of a pair are given; one alone is a `SettingsError`."""
    if (values[0] is None) != (values[1] is None):
        alone, other = names if values[0] is not None else names[::-1]
        raise SettingsError(f"combine.{alone} is set without combine.{other}; set both or none", missing=other)
    return values[0] is not None


def common_grid(frames: Iterable[ChipFrame], settings: CombineSettings | None = None, *, lead: str = "") -> Grid:
    """Return a grid that covers all `frames`.

    Parameters
    ----------
    frames : iterable of ChipFrame
        Aligned frames of all chips of all exposures, in input order.
    settings : CombineSettings, optional
        ``scale, orientation, rotation, ra, dec, nx, ny``; defaults without it.
    lead : str
        Chip whose y axis ``orientation = "exposure"`` follows; the first frame's where none is of it.

    Returns
    -------
    grid : Grid
        Tangent at its own middle. Its sides are the frames' extent, rounded up, so no drop of pixfrac 1 or
        less leaves it,
        unless `settings` asks for a center or a size.

    Raises
    ------
    DataError
        No frame, or the frames lie so far apart that the grid would exceed `MAX_PIXELS`.
    SettingsError
        Half of a pair is given (``ra`` without ``dec``).
    """
    settings = settings or CombineSettings()
    frames = list(frames)
    if not frames:
        raise DataError("no exposure is left to make a product of", frames=0)
    cd = _cd(frames, settings, lead)
    inverse = np.asarray(np.linalg.inv(cd), dtype=np.float64)
    ra, dec = (np.concatenate(part) for part in zip(*(outline(frame) for frame in frames), strict=True))
    if _pair(("ra", "dec"), (settings.ra, settings.dec)):
        center = (float(settings.ra or 0.0) % 360.0, float(settings.dec or 0.0))
    else:
        center = _middle(ra, dec)
        for _ in range(2):  # the middle of the bounding box, which itself depends on the tangent point
            xi, eta = cd @ _bounds(ra, dec, center, inverse=inverse).mean(axis=0)
            center = tuple(float(v) for v in deproject(xi, eta, center))  # type: ignore[assignment]
    if _pair(("nx", "ny"), (settings.nx, settings.ny)):
        nx, ny = int(settings.nx or 0), int(settings.ny or 0)
    else:
        reach = np.abs(_bounds(ra, dec, center, inverse=inverse)).max(axis=0)
        nx, ny = (max(1, int(np.ceil(2.0 * r - 1e-6))) for r in reach)
    covered = sum(f.shape[0] * f.shape[1] * (f.scale / settings.scale) ** 2 for f in frames)
    if nx * ny > MAX_PIXELS or (settings.nx is None and nx * ny > MAX_EMPTINESS * covered):
        raise DataError(
            f"the product would have {nx} x {ny} pixels (the exposures reach"
            f" {max(nx, ny) * settings.scale / 3600:.2f} deg across,"
            f" {MAX_PIXELS / 1e6:.0f} million pixels and {MAX_EMPTINESS:.0f} times the chips' area are the"
            " limits); run fields apart, or raise combine.scale",
            nx=nx,
            ny=ny,
        )
    radesys = str(frames[0].facts.get("RADESYS", "FK5"))
    crpix = np.array([(nx + 1) / 2, (ny + 1) / 2])
    if _pair(("crpix1", "crpix2"), (settings.crpix1, settings.crpix2)):
        if settings.nx is None or settings.ra is None:
            raise SettingsError("combine.crpix1 and crpix2 need ra, dec, nx and ny; set all six", missing="nx, ra")
        crpix = np.array([settings.crpix1, settings.crpix2], dtype=np.float64)
    return Grid(np.array(center), crpix, cd, (ny, nx), radesys)


def check_overlap(grid: Grid, frames: Iterable[ChipFrame], name: str) -> None:
    """Refuse a grid, brought by the user, that no chip touches.

    Raises
    ------
    DataError
        With the distance.
    """
    ny, nx = grid.shape
    nearest = np.inf
    for frame in frames:
        x, y = grid.sky_to_pixel(*outline(frame))
        if np.all(np.isfinite(x)) and x.max() > 0 and y.max() > 0 and x.min() < nx and y.min() < ny:
            return
        middle = np.hypot(np.nanmean(x) - nx / 2, np.nanmean(y) - ny / 2) * grid.scale / 60.0
        nearest = min(nearest, float(middle) if np.isfinite(middle) else np.inf)
    raise DataError(
        f"{name}: no exposure touches this image (the nearest chip is {nearest:.1f} arcmin from its middle); name an"
        " image of the same field",
        image=name,
    )
