"""One chip against what it should show: what stands out beyond noise and misregistration."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import native
from mizzle.kernel.request import flags

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_F64 = ctypes.c_double
_PTR = ctypes.c_void_p
_I64 = ctypes.c_int64


class ComparisonStruct(ctypes.Structure):
    """`mz_comparison` of compare.c."""

    _fields_ = (
        ("ny", _I64),
        ("nx", _I64),
        ("sci", _PTR),
        ("bad", _PTR),
        ("expected", _PTR),
        ("gain", _F64),
        ("rate", _F64),
        ("sky", _F64),
        ("floor", _F64),
        ("quiet", _F64),
        ("seed_sigma", _F64),
        ("seed_slope", _F64),
        ("near_sigma", _F64),
        ("near_slope", _F64),
        ("both_sides", _I64),
        ("mask", _PTR),
    )


@dataclass(frozen=True)
class Limits:
    """When a pixel stands out.

    With E the expected electrons, ``sigma**2 = max(E + sky, 0) + floor``, and D the largest absolute step of E to one
    of the four nearest pixels, less `quiet`: a seed exceeds E by ``seed[0] * sigma + seed[1] * D``, a neighbor (within
    the 3 x 3 pixels around a seed) by ``neighbor[0] * sigma + neighbor[1] * D``.

    Parameters
    ----------
    gain : float
        Electrons per unit of the chip.
    rate : float
        Electrons per unit of the expected image.
    sky : float
        Sky in the chip, not in the expected image [electron].
    floor : float
        Variance without light [electron**2].
    seed, neighbor : (float, float)
        Factors on sigma and on D.
    quiet : float
        Step that noise alone makes [electron].
    both_sides : bool
        Judge what lies too low as well.
    """

    gain: float
    rate: float
    sky: float
    floor: float
    seed: tuple[float, float] = (4.0, 1.2)
    neighbor: tuple[float, float] = (2.0, 0.7)
    quiet: float = 0.0
    both_sides: bool = False


def compare(sci: ArrayLike, expected: ArrayLike, limits: Limits, *, bad: ArrayLike | None = None) -> Mask:
    """Flag the pixels of a chip that stand above what is expected.

    Parameters
    ----------
    sci : (ny, nx) array
        The chip.
    expected : (ny, nx) array
        What it should show, sky left out; not finite = not judged.
    limits : Limits
        Units, noise and thresholds.
    bad : (ny, nx) array, optional
        Nonzero = not judged.

    Returns
    -------
    mask : (ny, nx) bool array
        True where a pixel stands out.

    Raises
    ------
    SettingsError
        Shapes that do not match.

    References
    ----------
    The two-pass form with a derivative term: Fruchter & Hook 2002, PASP 114, 144, section 4.
    """
    pixels = np.ascontiguousarray(sci, dtype=np.float32)
    wanted = np.ascontiguousarray(expected, dtype=np.float32)
    if pixels.ndim != 2 or pixels.shape != wanted.shape or 0 in pixels.shape:
        raise SettingsError(f"chip {pixels.shape} and expected image {wanted.shape} must be of one shape (ny, nx)")
    hidden = None if bad is None else flags(bad, wanted.shape)
    library = native.library()
    if library is None:
        return _reference(pixels, wanted, limits, hidden)
    mask = np.empty(wanted.shape, np.uint8)
    job = ComparisonStruct(
        ny=pixels.shape[0],
        nx=pixels.shape[1],
        sci=native.pointer(pixels),
        bad=native.pointer(hidden),
        expected=native.pointer(wanted),
        gain=limits.gain,
        rate=limits.rate,
        sky=limits.sky,
        floor=limits.floor,
        quiet=limits.quiet,
        seed_sigma=limits.seed[0],
        seed_slope=limits.seed[1],
        near_sigma=limits.neighbor[0],
        near_slope=limits.neighbor[1],
        both_sides=limits.both_sides,
        mask=native.pointer(mask),
    )
    native.run(library.mz_compare, job)
    return mask.view(np.bool_)


def steepest(image: Image) -> Image:
    """Return the largest absolute difference of each pixel to its four nearest neighbors; NaN neighbors say nothing."""
    result = np.zeros_like(image)
    for axis in (0, 1):
        step = np.nan_to_num(np.abs(np.diff(image, axis=axis)), nan=0.0, posinf=np.inf)
        low = result[:-1] if axis == 0 else result[:, :-1]
        high = result[1:] if axis == 0 else result[:, 1:]
        np.maximum(low, step, out=low)
        np.maximum(high, step, out=high)
    return result


def _around(mask: Mask) -> Mask:
    """Return `mask` grown by one pixel to all eight sides."""
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    result = wide.copy()
    result[1:] |= wide[:-1]
    result[:-1] |= wide[1:]
    return result


def _reference(sci: Image, expected: Image, limits: Limits, bad: NDArray[np.uint8] | None) -> Mask:
    """The NumPy twin of mz_compare."""
    single = np.float32
    with np.errstate(invalid="ignore", over="ignore"):
        light = expected * single(limits.rate)
        sigma = np.sqrt(np.maximum(light + single(limits.sky), 0) + single(limits.floor))
        excess = sci * single(limits.gain) - single(limits.sky) - light
        if limits.both_sides:
            excess = np.abs(excess)
        slope = np.maximum(steepest(light) - single(limits.quiet), 0)
        seed = excess > single(limits.seed[0]) * sigma + single(limits.seed[1]) * slope
        near = excess > single(limits.neighbor[0]) * sigma + single(limits.neighbor[1]) * slope
    if bad is not None:
        seed &= bad == 0
        near &= bad == 0
    return np.asarray(seed | (near & _around(seed)))
