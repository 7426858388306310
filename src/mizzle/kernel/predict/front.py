"""What smooth light is at a place, from samples around it. Arrays in, arrays out.

The work is done by src/predict.c and src/smooth.c, or by their NumPy twins, which are the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.kernel import native
from mizzle.kernel.maps.inverse import BEND
from mizzle.kernel.predict import numpy_twin
from mizzle.kernel.predict.types import (
    ChipSampler,
    GridPlaces,
    NeighborSamples,
    PredictedLight,
    RecordedPixels,
    Samples,
)


def sample_neighbors(pixels: RecordedPixels, places: GridPlaces, sampler: ChipSampler) -> NeighborSamples:
    """Return what a chip saw around some places: for each the good ones of the 3 x 3 pixels nearest to it.

    Parameters
    ----------
    pixels : RecordedPixels
        What it recorded.
    places : GridPlaces
        Where to look; those that it does not cover have no samples.
    sampler : ChipSampler
        How it sees them.

    Returns
    -------
    seen : NeighborSamples
        By place, then row, then column.
    """
    library = native.library()
    if library is None:
        return numpy_twin.sample_neighbors(pixels, places, sampler)
    inverse, count, shape = sampler.inverse, places.number.size, sampler.inverse.chip_map.shape
    if not pixels.sci.shape == pixels.dq.shape == shape or 8 * pixels.hit.size < pixels.sci.size:
        raise ValueError(f"pixels {pixels.sci.shape}, {pixels.dq.shape}, {pixels.hit.size} bytes of bits for {shape}")
    if not places.x.shape == places.y.shape == (count,):
        raise ValueError(f"{count} places with x {places.x.shape} and y {places.y.shape}")
    job = native.SamplerStruct(
        map=native.map_struct(inverse.chip_map), middle=tuple(inverse.middle), place=tuple(inverse.place),
        back=tuple(inverse.back.ravel()), matrix=tuple(inverse.matrix.ravel()), bend=BEND, gain=sampler.gain,
        sky=sampler.sky, floor=sampler.floor, unit=sampler.unit, reach=sampler.reach, bits=sampler.bits,
    )  # fmt: skip
    given: tuple[NDArray[Any], ...] = (
        np.ascontiguousarray(pixels.sci, np.float32), np.ascontiguousarray(pixels.dq, np.uint16),
        np.ascontiguousarray(pixels.hit), np.ascontiguousarray(places.number, np.int64),
        np.ascontiguousarray(places.x), np.ascontiguousarray(places.y),
    )  # fmt: skip
    sci, dq, hit, *where = map(native.pointer, given)
    owner, samples = np.empty(9 * count, np.int64), np.empty((9 * count, 4))
    out = native.pointer(owner), native.pointer(samples)
    filled = library.mz_sample(native.by_reference(job), sci, dq, hit, count, *where, *out)
    if filled < 0:
        raise RuntimeError("the native kernel refused a job that was checked before")
    return NeighborSamples(owner[:filled].copy(), samples[:filled].copy())


def nearest_samples(parts: Sequence[NeighborSamples], some: slice, most: int) -> Samples:
    """Sort what chips saw around `some` places into tables: for each the nearest first, `most` at most.

    Parameters
    ----------
    parts : sequence of NeighborSamples
        Of each chip. Of samples at equal distance the earlier chip's comes first.
    some : slice
        Numbers of the places, both ends given.
    most : int
        Columns of the tables.
    """
    library = native.library()
    if library is None or most > native.MAX_SAMPLES:
        return numpy_twin.nearest_samples(parts, some, most)
    whole = [
        NeighborSamples(np.ascontiguousarray(p.owner, np.int64), np.ascontiguousarray(p.samples, np.float64))
        for p in parts
    ]
    if any(samples.shape != (owner.size, 4) for owner, samples in whole):
        raise ValueError(f"samples of shape {[p.samples.shape for p in whole]}; needed four columns for each owner")
    rows = native.table_of(
        native.SamplesStruct,
        [native.SamplesStruct(native.pointer(owner), native.pointer(samples), owner.size) for owner, samples in whole],
    )
    tables = np.empty((4, max(0, some.stop - some.start), most))
    status = library.mz_nearest(rows, len(whole), some.start, some.stop, most, native.pointer(tables))
    native.raise_on_status(status)
    return Samples(*tables)


def predict_light(samples: Samples, amplitude: FloatArray, length: float) -> PredictedLight:
    """Predict a smooth light's value at each place.

    The light is a Gaussian process of mean zero and covariance ``amplitude**2 exp(-d**2 / (2 length**2))``. A sample's
    noise counts as ``1e-10 amplitude**2`` at least: what is known better than that cannot be told from its neighbors.

    Parameters
    ----------
    samples : Samples
        What is known.
    amplitude : (k,) array
        How bright the light is around each place, more than 0; in the unit of the values.
    length : float
        Of the covariance [pixel].

    Returns
    -------
    mean, variance : (k,) array
        The prediction; without samples 0 and ``amplitude**2``.

    References
    ----------
    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, equations 2.25 and 2.26.

    Examples
    --------
    A good sample at the place itself is believed.

    >>> here = np.zeros((1, 1))
    >>> mean, variance = predict_light(Samples(here, here, here + 7.0, here + 1e-6), np.ones(1), 1.0)
    >>> mean.round(3).tolist(), variance.round(3).tolist()
    ([7.0], [0.0])
    """
    library, (count, most) = native.library(), samples.dx.shape
    if library is None or not 1 <= most <= native.MAX_SAMPLES:
        return numpy_twin.predict_light(samples, amplitude, length)
    if any(table.shape != (count, most) for table in samples) or amplitude.shape != (count,):
        raise ValueError(f"tables of {[table.shape for table in samples]}, amplitudes {amplitude.shape}")
    given = [np.ascontiguousarray(array, np.float64) for array in (*samples, amplitude)]
    mean, variance = np.empty(count), np.empty(count)
    *tables, bright, out, spread = map(native.pointer, (*given, mean, variance))
    native.raise_on_status(library.mz_predict(*tables, count, most, bright, length, out, spread, -1))
    return PredictedLight(mean, variance)
