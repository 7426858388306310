"""Cosmic rays and satellite trails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, TangentPlaces
from mizzle.model.arrays import locked

#: A pixel counts as hit above this deposit [electron], two read noises.
HIT_ELECTRONS = 10.0
#: Pixels per event above that deposit, as the tracks below make them; WFPC2 has about 7.
PIXELS_PER_EVENT = 7.4
#: Mean length of a track [pixel]; median charge [electron] of a short one, and its log-normal width. With these, with
#: `TRACK_DENSITY` and `TRACK_SIGMA`, the neighbors of a peak, in the order of their light, hold what they do beside the
#: lone peaks of a real exposure (NGC 1261, PC, 700 s, F336W: medians of 48 peaks of 300 to 800 electrons .01, .04, .23,
#: .62 of the peak, simulated .00, .04, .22, .60), and a ray's charge is about 1500 electrons as there.
TRACK_LENGTH = 2.5
TRACK_ELECTRONS = 1000.0
TRACK_SPREAD = 0.9
#: Charge per further pixel of track [electron].
TRACK_DENSITY = 220.0
#: How far charge comes to rest from its track, 1 sigma per axis [pixel], and lumps of charge along it: less than
#: the light of a star, which is absorbed near the surface, it diffuses between pixels.
TRACK_SIGMA = 0.3
LUMP = 0.1
#: Reference time of the rate [s].
RATE_SECONDS = 500.0

#: What a pixel keeps, and each edge and corner neighbor gets, of charge that came to rest in it.
_SPREAD = {(0, 0): 0.952, (0, 1): 0.01, (1, 0): 0.01, (1, 1): 0.002}


@dataclass(frozen=True, eq=False)
class Hits:
    """Charge that did not come from the sky, kept sparse.

    Parameters
    ----------
    index : (k,) int32 array
        Flat indices of the pixels.
    charge : (k,) float32 array
        Charge in each [electron].
    shape : (int, int)
        ``(ny, nx)``.
    """

    index: NDArray[np.integer]
    charge: NDArray[np.floating]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", locked(self.index, np.int32))
        object.__setattr__(self, "charge", locked(self.charge, np.float32))

    @classmethod
    def of(cls, image: NDArray[Any], least: float = 0.5) -> Hits:
        """Return what of `image` [electron] is above `least`."""
        flat = image.ravel()
        index = np.nonzero(flat > least)[0]
        return cls(index, flat[index], (image.shape[0], image.shape[1]))

    def electrons(self) -> NDArray[np.float32]:
        """Return the charge as an ``(ny, nx)`` image [electron]."""
        image = np.zeros(self.shape[0] * self.shape[1], dtype=np.float32)
        image[self.index] = self.charge
        return image.reshape(self.shape)

    def mask(self, least: float = HIT_ELECTRONS) -> NDArray[np.bool_]:
        """Return the ``(ny, nx)`` mask of pixels that got at least `least` electrons."""
        mask = np.zeros(self.shape[0] * self.shape[1], dtype=np.bool_)
        mask[self.index[self.charge >= least]] = True
        return mask.reshape(self.shape)

    @property
    def fraction(self) -> float:
        """Share of the pixels hit."""
        return float(np.count_nonzero(self.charge >= HIT_ELECTRONS) / (self.shape[0] * self.shape[1]))


def cosmic_rays(shape: tuple[int, int], fraction: float, exptime: float, *, rng: np.random.Generator) -> FloatArray:
    """Draw the charge that cosmic rays leave.

    Straight tracks with exponential lengths and log-normal charges; charge diffuses into the neighbors. Their
    number is Poisson, tuned so that a share `fraction` of the pixels gets `HIT_ELECTRONS` or more in 500 s.

    Parameters
    ----------
    shape : (int, int)
        ``(ny, nx)``.
    fraction : float
        Share of the pixels hit in 500 s.
    exptime : float
        Exposure time [s].
    rng : Generator
        Source of chance.

    Returns
    -------
    charge : (ny, nx) array
        Deposits [electron].
    """
    ny, nx = shape
    hit = min(fraction * exptime / RATE_SECONDS, 0.9)
    # Tracks overlap: n events cover 1 - exp(-7 n / pixels).
    count = int(rng.poisson(-np.log1p(-hit) * ny * nx / PIXELS_PER_EVENT))
    length = rng.exponential(TRACK_LENGTH, count)
    charge = rng.lognormal(np.log(TRACK_ELECTRONS), TRACK_SPREAD, count) + TRACK_DENSITY * length
    x0, y0 = rng.uniform(-0.5, nx - 0.5, count), rng.uniform(-0.5, ny - 0.5, count)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    samples = np.maximum(4, np.ceil(length / LUMP).astype(int))
    owner = np.repeat(np.arange(count), samples)
    step = np.arange(owner.size) - np.repeat(np.cumsum(samples) - samples, samples)
    along = (step + 0.5) / samples[owner] * length[owner]
    part = charge[owner] / samples[owner] * rng.gamma(1.5, 1.0 / 1.5, owner.size)
    aside = rng.normal(0.0, TRACK_SIGMA, (2, owner.size))
    x = np.rint(x0[owner] + along * np.cos(angle[owner]) + aside[0]).astype(int)
    y = np.rint(y0[owner] + along * np.sin(angle[owner]) + aside[1]).astype(int)
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    weights = part[inside].astype(np.float64)
    image = np.zeros(ny * nx)
    np.add.at(image, (y * nx + x)[inside], weights)
    return _diffused(image.reshape(shape))


def _diffused(image: FloatArray) -> FloatArray:
    """Spread each pixel's charge over its neighbors; nothing comes from outside."""
    ny, nx = image.shape
    padded = np.pad(image, 1)
    result = np.zeros_like(image)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            share = _SPREAD[abs(dy), abs(dx)]
            result += share * padded[1 + dy : 1 + dy + ny, 1 + dx : 1 + dx + nx]
    return result


def satellite_trail(
    plane: TangentPlaces, area: FloatArray, line: tuple[float, float, float], *, flux: float
) -> FloatArray:
    """Return the light of a satellite crossing the field.

    Parameters
    ----------
    plane : (ny, nx) arrays
        ``xi`` and ``eta`` of each pixel's center on one plane [arcsec].
    area : (ny, nx) array
        Sky area of each pixel [arcsec2].
    line : (float, float, float)
        Distance of the path from the plane's origin [arcsec], its direction [rad], its width sigma [arcsec].
    flux : float
        Charge per arcsec of path [electron].

    Returns
    -------
    charge : (ny, nx) array
        Mean charge [electron].
    """
    distance, direction, sigma = line
    across = plane[1] * np.cos(direction) - plane[0] * np.sin(direction) - distance
    return np.asarray(flux * area * np.exp(-0.5 * (across / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma))
