"""Smooth light in NumPy: the definition of what src/predict.c and src/smooth.c do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.kernel.predict.types import (
    ChipSampler,
    GridPlaces,
    NeighborSamples,
    PredictedLight,
    RecordedPixels,
    Samples,
)

#: The noise of a sample is at least this share of the light's variance.
LEAST = 1e-10

AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))


def sample_neighbors(pixels: RecordedPixels, places: GridPlaces, sampler: ChipSampler) -> NeighborSamples:
    """Return what a chip saw around some places; see `front.sample_neighbors`."""
    i, j, near = sampler.inverse.nearest_pixels(places.x, places.y)
    gx, gy = sampler.inverse.chip_map(i, j)
    dy, dx = np.array(AROUND).T
    (xx, xy), (yx, yy) = sampler.inverse.matrix
    away_x = (gx - places.x[near])[:, None] + xx * dx + xy * dy
    away_y = (gy - places.y[near])[:, None] + yx * dx + yy * dy
    where = j[:, None] + dy, i[:, None] + dx
    value = pixels.sci[where]
    hit = np.unpackbits(pixels.hit, count=pixels.sci.size).reshape(pixels.sci.shape)
    good = (pixels.dq[where] & np.uint16(sampler.bits) == 0) & np.isfinite(value) & (hit[where] == 0)
    good &= away_x**2 + away_y**2 < sampler.reach**2
    dn = value[good].astype(np.float64)
    variance = np.maximum(dn * sampler.gain, 0.0) + sampler.floor
    light = (dn - sampler.sky) * sampler.gain * sampler.unit
    owner = np.broadcast_to(places.number[near][:, None], good.shape)[good].astype(np.int64)
    return NeighborSamples(owner, np.stack([away_x[good], away_y[good], light, variance * sampler.unit**2], axis=1))


def nearest_samples(parts: Sequence[NeighborSamples], some: slice, most: int) -> Samples:
    """Sort samples into tables; see `front.nearest_samples`."""
    count = max(0, some.stop - some.start)
    picked = [part.samples[slice(*np.searchsorted(part.owner, (some.start, some.stop)))] for part in parts]
    owners = [part.owner[slice(*np.searchsorted(part.owner, (some.start, some.stop)))] for part in parts]
    columns = np.concatenate([np.zeros((0, 4)), *picked])
    owner = np.concatenate([np.zeros(0, np.int64), *owners]) - some.start
    order = np.lexsort((columns[:, 0] ** 2 + columns[:, 1] ** 2, owner))
    owner = owner[order]
    rank = np.arange(owner.size) - np.searchsorted(owner, np.arange(count))[owner]
    kept = rank < most
    tables = np.zeros((4, count, most))
    tables[3] = np.inf
    tables[:, owner[kept], rank[kept]] = columns[order[kept]].T
    return Samples(*tables)


def predict_light(samples: Samples, amplitude: FloatArray, length: float) -> PredictedLight:
    """Predict a smooth light's value at each place; see `front.predict_light`."""
    dx, dy, value, variance = samples
    power = amplitude[:, None] ** 2
    known = np.isfinite(variance)
    scale = -0.5 / length**2
    share = np.where(known, np.exp(scale * (dx**2 + dy**2)), 0.0)
    matrix = (dx[:, :, None] - dx[:, None]) ** 2
    matrix += (dy[:, :, None] - dy[:, None]) ** 2
    matrix *= scale
    np.exp(matrix, out=matrix)
    # Without a sample: a row of the unit matrix, and a share of nothing.
    matrix *= known[:, :, None] & known[:, None]
    diagonal = np.arange(dx.shape[1])
    matrix[:, diagonal, diagonal] = np.where(known, 1.0 + np.maximum(variance / power, LEAST), 1.0)
    solved = np.linalg.solve(matrix, np.stack([np.where(known, value, 0.0), share], axis=2))
    mean = (share * solved[:, :, 0]).sum(axis=1)
    left = 1.0 - (share * solved[:, :, 1]).sum(axis=1)
    return PredictedLight(mean, np.maximum(left, 0.0) * power[:, 0])
