"""Stars on the sky: lists, random fields, clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.arrays import FloatArray
from mizzle.errors import SettingsError
from mizzle.model import deproject
from mizzle.model.arrays import locked
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.simulate.plan import Plan


@dataclass(frozen=True, eq=False)
class StarList:
    """Stars: positions and fluxes.

    Parameters
    ----------
    ra, dec : (n,) array
        Positions [deg].
    flux : (n,) array
        Flux in an infinite aperture [erg cm-2 s-1 A-1].
    """

    ra: FloatArray
    dec: FloatArray
    flux: FloatArray

    def __post_init__(self) -> None:
        for key in ("ra", "dec", "flux"):
            object.__setattr__(self, key, locked(np.atleast_1d(getattr(self, key)), np.float64))
        sizes = {key: getattr(self, key).shape for key in ("ra", "dec", "flux")}
        if len(set(sizes.values())) != 1 or self.ra.ndim != 1:
            raise SettingsError(f"star list: ra, dec, flux must be equally long lists, found {sizes}", **sizes)
        if not all(np.isfinite(getattr(self, key)).all() for key in sizes) or (self.flux < 0).any():
            raise SettingsError("star list: positions must be finite and fluxes finite and not negative")

    @classmethod
    def from_magnitudes(cls, ra: ArrayLike, dec: ArrayLike, mag_st: ArrayLike) -> StarList:
        """Return stars from ST magnitudes."""
        flux = 10.0 ** (-0.4 * (np.asarray(mag_st, dtype=np.float64) - ST_ZEROPOINT))
        return cls(np.asarray(ra), np.asarray(dec), flux)

    @property
    def mag_st(self) -> FloatArray:
        """ST magnitude, infinite aperture."""
        with np.errstate(divide="ignore"):
            return np.asarray(ST_ZEROPOINT - 2.5 * np.log10(self.flux))

    @property
    def ids(self) -> NDArray[np.int64]:
        """Numbers of the stars, from 1."""
        return np.arange(1, self.ra.size + 1)

    def __len__(self) -> int:
        return int(self.ra.size)


def no_stars() -> StarList:
    """Return the empty list."""
    return StarList(np.zeros(0), np.zeros(0), np.zeros(0))


def magnitudes(plan: Plan, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw `count` ST magnitudes from ``dN/dm ~ 10**(slope m)`` between brightest and faintest."""
    share = rng.random(count)
    low, high, k = plan.brightest, plan.faintest, plan.slope * np.log(10.0)
    if abs(k) < 1e-9:
        return np.asarray(low + share * (high - low))
    return np.asarray(low + np.log1p(share * np.expm1(k * (high - low))) / k)


def apart(x: FloatArray, y: FloatArray, limit: float) -> NDArray[np.bool_]:
    """Tell which points to keep so that no two kept ones are closer than `limit`; earlier points win."""
    keep = np.ones(x.size, dtype=np.bool_)
    if limit <= 0 or x.size < 2:
        return keep
    from scipy.spatial import cKDTree

    pairs = cKDTree(np.column_stack([x, y])).query_pairs(limit, output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        if keep[first]:
            keep[second] = False
    return keep


def draw_stars(
    plan: Plan, center: tuple[float, float], box: tuple[float, float, float, float], *, rng: np.random.Generator
) -> StarList:
    """Draw the stars of the plan's field.

    Parameters
    ----------
    plan : Plan
        `field`, its density or profile, luminosity function and least separation.
    center : (float, float)
        Tangent point [deg].
    box : (float, float, float, float)
        ``xi_min, xi_max, eta_min, eta_max`` of the sky that the chips see [arcsec].
    rng : Generator
        Source of chance.

    Returns
    -------
    stars : StarList
        Stars inside the box.
    """
    if plan.field in ("blank", "list"):
        return no_stars()
    x, y = _cluster(plan, box, rng) if plan.field == "king" else _uniform(plan, box, rng)
    keep = apart(x, y, plan.min_separation)
    x, y = x[keep], y[keep]
    ra, dec = deproject(x / 3600.0, y / 3600.0, center)
    return StarList.from_magnitudes(ra, dec, magnitudes(plan, x.size, rng))


def _uniform(
    plan: Plan, box: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw positions evenly over the box [arcsec]."""
    area = (box[1] - box[0]) * (box[3] - box[2]) / 3600.0
    count = int(rng.poisson(plan.density * area))
    return rng.uniform(box[0], box[1], count), rng.uniform(box[2], box[3], count)


def _cluster(
    plan: Plan, box: tuple[float, float, float, float], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw positions of a King 1962 profile centered in the box [arcsec]; stars outside the box are dropped.

    Surface density ``(1/sqrt(1 + (r/rc)^2) - 1/sqrt(1 + (rt/rc)^2))^2`` (King 1962, AJ 67, 471, equation 14),
    drawn by inverting its cumulative sum on a fine grid.
    """
    radius = np.linspace(0.0, plan.tidal_radius, 20001)
    edge = 1.0 / np.sqrt(1.0 + (plan.tidal_radius / plan.core_radius) ** 2)
    density = (1.0 / np.sqrt(1.0 + (radius / plan.core_radius) ** 2) - edge) ** 2
    rings = radius * density
    total = np.concatenate([[0.0], np.cumsum(0.5 * (rings[1:] + rings[:-1]) * np.diff(radius))])
    count = plan.cluster_stars
    r = np.interp(rng.random(count) * total[-1], total, radius)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    x = 0.5 * (box[0] + box[1]) + r * np.cos(angle)
    y = 0.5 * (box[2] + box[3]) + r * np.sin(angle)
    inside = (x > box[0]) & (x < box[1]) & (y > box[2]) & (y < box[3])
    return x[inside], y[inside]
