"""Many aligned images to one."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.errors import SettingsError
from mizzle.kernel import native

Image = NDArray[np.float32]

METHODS = {"median": 0, "mean": 1, "minmed": 2, "clipped": 3}
"""Codes of stack.c."""


class StackStruct(ctypes.Structure):
    """`mz_stack` of stack.c."""

    _fields_ = (
        ("n", ctypes.c_int64),
        ("ny", ctypes.c_int64),
        ("nx", ctypes.c_int64),
        ("stack", ctypes.c_void_p),
        ("plane", ctypes.c_int64),
        ("row", ctypes.c_int64),
        ("floor", ctypes.c_void_p),
        ("slope", ctypes.c_void_p),
        ("method", ctypes.c_int64),
        ("nlow", ctypes.c_int64),
        ("nhigh", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("sigma", ctypes.c_double),
        ("structure", ctypes.c_double),
        ("image", ctypes.c_void_p),
        ("count", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class StackRule:
    """How a stack becomes one image.

    Parameters
    ----------
    method : str
        ``median``, ``mean``; ``minmed``: the median without the highest value, or the lowest where that is more than
        `sigma` below it; ``clipped``: the noise-weighted mean of the values within `sigma` of minmed.
    nlow, nhigh : int
        median and mean: lowest and highest values left out, where others remain.
    sigma : float
        minmed and clipped: what is far.
    structure : float
        minmed and clipped: scatter between the images, relative to the light, beside the noise.
    least : int
        Fewest values that make a result.
    """

    method: str = "median"
    nlow: int = 0
    nhigh: int = 0
    sigma: float = 4.0
    structure: float = 0.2
    least: int = 1


def combine_stack(
    stack: ArrayLike,
    rule: StackRule,
    *,
    floor: ArrayLike | None = None,
    slope: ArrayLike | None = None,
) -> tuple[Image, NDArray[np.uint8]]:
    """Reduce a stack of images to one; pixels are independent, so bands of rows may be done apart.

    Parameters
    ----------
    stack : (n, ny, nx) float32 array
        Values; what is not finite is absent. A slice of rows is read in place.
    rule : StackRule
        What to do.
    floor, slope : (n,) array, optional
        Noise of each image: variance = ``floor + slope * max(value, 0)``; needed for minmed and clipped.

    Returns
    -------
    image : (ny, nx) float32 array
        NaN where fewer than ``rule.least`` values are present.
    count : (ny, nx) uint8 array
        Values present, 255 at most.

    Raises
    ------
    SettingsError
        Not a stack, an unknown method, or noise missing or not positive.
    """
    values = np.asarray(stack, dtype=np.float32)
    if values.ndim != 3 or 0 in values.shape:
        raise SettingsError(f"stack has shape {values.shape}; needed (n, ny, nx)", shape=values.shape)
    if rule.method not in METHODS:
        raise SettingsError(f"method {rule.method!r} is unknown; choose from {', '.join(METHODS)}", method=rule.method)
    noise = _noise(floor, slope, values.shape[0], needed=METHODS[rule.method] >= 2)
    library = native.library()
    if library is None:
        return _reference(values, rule, *noise)
    if values.strides[2] != 4 or min(values.strides) < 0 or any(step % 4 for step in values.strides):
        values = np.ascontiguousarray(values)
    image = np.empty(values.shape[1:], np.float32)
    count = np.empty(values.shape[1:], np.uint8)
    n, ny, nx = values.shape
    job = StackStruct(
        n=n,
        ny=ny,
        nx=nx,
        stack=values.ctypes.data,
        plane=values.strides[0] // 4,
        row=values.strides[1] // 4,
        floor=native.pointer(noise[0]),
        slope=native.pointer(noise[1]),
        method=METHODS[rule.method],
        nlow=rule.nlow,
        nhigh=rule.nhigh,
        least=rule.least,
        sigma=rule.sigma,
        structure=rule.structure,
        image=native.pointer(image),
        count=native.pointer(count),
    )
    native.run(library.mz_combine, job)
    return image, count


def _noise(floor: ArrayLike | None, slope: ArrayLike | None, n: int, *, needed: bool) -> tuple[Image, Image]:
    zero = np.zeros(n, np.float32)
    if not needed:
        return zero + np.float32(1), zero
    if floor is None:
        raise SettingsError("this method needs the noise of each image; give floor")
    result = []
    for name, given in (("floor", floor), ("slope", zero if slope is None else slope)):
        array = np.ascontiguousarray(given, dtype=np.float32)
        if array.shape != (n,) or not (np.isfinite(array).all() and (array >= 0).all()):
            raise SettingsError(f"{name} is {array}; needed {n} finite numbers, none negative", name=name)
        result.append(array)
    if not (result[0] > 0).all():
        raise SettingsError("floor must be positive: an image without noise cannot be weighted")
    return result[0], result[1]


def _at(ordered: Image, index: NDArray[np.intp]) -> Image:
    clipped = np.clip(index, 0, ordered.shape[0] - 1)
    return np.asarray(np.take_along_axis(ordered, clipped[None], axis=0)[0])


def _middle(ordered: Image, first: NDArray[np.intp], stop: NDArray[np.intp]) -> Image:
    return np.float32(0.5) * (_at(ordered, (first + stop - 1) // 2) + _at(ordered, (first + stop) // 2))


def _reference(values: Image, rule: StackRule, floor: Image, slope: Image) -> tuple[Image, NDArray[np.uint8]]:
    """The NumPy twin of mz_combine."""
    present = np.isfinite(values)
    count = present.sum(axis=0)
    raw = np.where(present, values, np.float32(np.inf))
    ordered = np.sort(raw, axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        if rule.method in ("median", "mean"):
            image = _plain(ordered, count, rule)
        else:
            image = _guarded(ordered, count, rule, float(floor.max()), float(slope.max()))
            if rule.method == "clipped":
                image = _clipped(raw, image, rule, floor, slope)
    image = np.where((count >= rule.least) & (count > 0), image, np.float32(np.nan)).astype(np.float32)
    return image, np.minimum(count, 255).astype(np.uint8)


def _plain(ordered: Image, count: NDArray[np.intp], rule: StackRule) -> Image:
    low = np.minimum(rule.nlow, np.maximum(count - 1, 0))
    stop = count - np.minimum(rule.nhigh, np.maximum(count - 1 - low, 0))
    if rule.method == "median":
        return _middle(ordered, low, stop)
    index = np.arange(ordered.shape[0])[:, None, None]
    total = np.where((index >= low) & (index < stop), ordered, np.float32(0)).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(stop - low, 1), dtype=np.float32)


def _guarded(ordered: Image, count: NDArray[np.intp], rule: StackRule, floor: float, slope: float) -> Image:
    middle = _middle(ordered, np.zeros_like(count), np.where(count >= 3, count - 1, count))
    least = ordered[0]
    light = np.maximum(least, np.float32(0))
    # Two values: their mean is half a difference away from the lower one.
    share = np.where(count <= 3, np.float32(0.5), np.float32(1))
    variance = (np.float32(floor) + np.float32(slope) * light) * share + (np.float32(rule.structure) * light) ** 2
    return np.where(middle - least > np.float32(rule.sigma) * np.sqrt(variance), least, middle)


def _clipped(raw: Image, middle: Image, rule: StackRule, floor: Image, slope: Image) -> Image:
    light = np.maximum(middle, np.float32(0))
    total, weight = np.zeros_like(middle), np.zeros_like(middle)
    for image, low, rise in zip(raw, floor, slope, strict=True):
        variance = low + rise * light + np.float32(rule.structure**2) * light * light
        near = (image - middle) ** 2 <= np.float32(rule.sigma**2) * variance
        share = np.float32(1) / low
        total += np.where(near, image * share, np.float32(0))
        weight += np.where(near, share, np.float32(0))
    return np.where(weight > 0, total / np.where(weight > 0, weight, np.float32(1)), middle)
