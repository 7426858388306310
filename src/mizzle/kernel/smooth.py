"""What smooth light is at a place, from samples around it. Arrays in, arrays out.

The work is done by src/smooth.c and src/second.c, or by their NumPy twins in `reference_smooth`: these are the
definition.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import native, reference_smooth
from mizzle.kernel.reference_smooth import Samples, Seen

__all__ = ["Samples", "Seen", "nearest", "predict"]

FloatArray = NDArray[np.float64]

#: `MZ_MAX_SAMPLES` of second.h: where there are more, NumPy serves.
MOST = 32

_I64, _F64, _PTR = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class SeenStruct(ctypes.Structure):
    """`mz_seen` of second.h."""

    _fields_ = (("owner", _PTR), ("samples", _PTR), ("count", _I64))


def _library() -> ctypes.CDLL | None:
    """Return the C library if it knows about smooth light."""
    library = native.library()
    if library is None or not hasattr(library, "mz_predict"):
        return None
    library.mz_nearest.argtypes = (_PTR, _I64, _I64, _I64, _I64, _PTR)
    library.mz_predict.argtypes = (_PTR, _PTR, _PTR, _PTR, _I64, _I64, _PTR, _F64, _PTR, _PTR, ctypes.c_int)
    return library


def nearest(parts: Sequence[Seen], some: slice, most: int) -> Samples:
    """Sort what chips saw around `some` places into tables: for each the nearest first, `most` at most.

    Parameters
    ----------
    parts : sequence of Seen
        Of each chip. Of samples at equal distance the earlier chip's comes first.
    some : slice
        Numbers of the places, both ends given.
    most : int
        Columns of the tables.
    """
    library = _library()
    if library is None or most > MOST:
        return reference_smooth.nearest(parts, some, most)
    whole = [Seen(np.ascontiguousarray(p.owner, np.int64), np.ascontiguousarray(p.samples, np.float64)) for p in parts]
    if any(samples.shape != (owner.size, 4) for owner, samples in whole):
        raise ValueError(f"samples of shape {[p.samples.shape for p in whole]}; needed four columns for each owner")
    rows = (SeenStruct * max(1, len(whole)))(
        *(SeenStruct(native.pointer(owner), native.pointer(samples), owner.size) for owner, samples in whole)
    )
    tables = np.empty((4, max(0, some.stop - some.start), most))
    status = library.mz_nearest(
        ctypes.addressof(rows), len(whole), some.start, some.stop, most, native.pointer(tables)
    )  # fmt: skip
    native.check(status)
    return Samples(*tables)


def predict(samples: Samples, amplitude: FloatArray, length: float) -> tuple[FloatArray, FloatArray]:
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
    >>> mean, variance = predict(Samples(here, here, here + 7.0, here + 1e-6), np.ones(1), 1.0)
    >>> mean.round(3).tolist(), variance.round(3).tolist()
    ([7.0], [0.0])
    """
    library, (count, most) = _library(), samples.dx.shape
    if library is None or not 1 <= most <= MOST:
        return reference_smooth.predict(samples, amplitude, length)
    if any(table.shape != (count, most) for table in samples) or amplitude.shape != (count,):
        raise ValueError(f"tables of {[table.shape for table in samples]}, amplitudes {amplitude.shape}")
    given = [np.ascontiguousarray(array, np.float64) for array in (*samples, amplitude)]
    mean, variance = np.empty(count), np.empty(count)
    *tables, bright, out, spread = map(native.pointer, (*given, mean, variance))
    native.check(library.mz_predict(*tables, count, most, bright, length, out, spread, -1))
    return mean, variance
