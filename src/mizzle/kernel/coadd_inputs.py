"""What `Drizzle` is given, checked, in the words of the package whose class it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.errors import SettingsError
from mizzle.kernel.arguments import MOST_CELLS, MOST_IMAGES, real, reals, sides, whole
from mizzle.kernel.bands import even_edges, in_bands, thread_count


class WrongTypeError(SettingsError, TypeError):
    """An array of a type that cannot be used; a `TypeError` too, as the package raises it."""


def context_range(begin: int, most: int | None, off: bool) -> tuple[int, int | None]:
    """Check the range of context bits."""
    if off:
        return 0, None
    if not isinstance(begin, int | np.integer) or begin < 0:
        raise SettingsError("Invalid context image ID", begin_ctx_id=begin)
    if most is not None and whole(most, "'max_ctx_id'", -MOST_IMAGES, MOST_IMAGES) < begin:
        raise SettingsError("'max_ctx_id' cannot be smaller than 'begin_ctx_id'.", max_ctx_id=most)
    return begin, most


def check_time(exptime: float, img: Any, wht: Any, ctx: Any) -> None:
    """Check that exposure time and earlier results belong together."""
    if exptime < 0.0:
        raise SettingsError("Exposure time must be non-negative.", exptime=exptime)
    if exptime > 0.0 and img is None and wht is None and ctx is None:
        raise SettingsError("Exposure time must be 0.0 for the first resampling (no earlier output is given).")
    if exptime == 0.0 and any(a is not None and np.any(a) for a in (wht, ctx)):
        raise SettingsError(
            "Inconsistent exposure time and context and/or weight images: exposure time is 0, these are not."
        )


def fill(value: Any, output: Any) -> tuple[Any, float]:
    """Return a fill value as given, and as a number."""
    if value is None or str(value).strip().upper() in ("", "INDEF", "NAN"):
        return ("INDEF" if output is None else "0"), (float("nan") if output is None else 0.0)
    try:
        return value, float(value)
    except (TypeError, ValueError) as problem:
        said = str(problem)[:200] if isinstance(value, str) else f"fill value {str(value)[:40]!r} is no number"
        raise SettingsError(said, value=value) from problem


def float32(array: Any, name: str) -> NDArray[np.float32] | None:
    """Return an array in 32 bits, itself where it has them; None for None."""
    if array is None or (isinstance(array, np.ndarray) and array.dtype == np.float32 and array.ndim == 2):
        return array
    made: NDArray[np.float32] = np.asarray(reals(array, name), np.float32)
    if made.ndim != 2:
        raise SettingsError(f"{name} has shape {made.shape}; needed (ny, nx)", shape=made.shape)
    return made


def listed(value: Any) -> list[Any]:
    """Return one array, or several, as a list."""
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return [value]
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str | bytes):
        raise SettingsError(f"variances are a {type(value).__name__}; needed an array, or a list of arrays")
    return list(value)


def context(given: Any) -> NDArray[np.int32] | None:
    """Return the planes of a context; one plane becomes one of one."""
    if given is None:
        return None
    array = reals(given, "'out_ctx'")
    if array.ndim not in (2, 3) or array.dtype.kind not in "iub":
        raise SettingsError("'out_ctx' must be either a 2D or 3D array.", ndim=array.ndim, type=str(array.dtype))
    planes: NDArray[np.int32] = np.asarray(array, np.int32)
    return planes[None] if planes.ndim == 2 else planes


def check_agreement(wht: Any, ctx: Any) -> None:
    """Check that weight and context say the same of where something fell."""
    if wht is not None and ctx is not None and np.any((wht > 0) != np.any(ctx != 0, axis=0)):
        raise SettingsError("Inconsistent values of supplied 'out_wht' and 'out_ctx' arrays: one is 0, the other not.")


def check_shapes(shape: tuple[int, ...], pixmap: Any, weight: Any, flags: Any) -> None:
    """Check that map, weights and flags are those of an image of some shape."""
    if len(shape) != 2 or pixmap.shape[2:] != (2,):
        raise SettingsError(f"'data' has shape {shape}, 'pixmap' {pixmap.shape}; needed (ny, nx) and (ny, nx, 2)")
    if pixmap.shape[:2] != shape:
        raise SettingsError("'pixmap' shape is not consistent with 'data' shape.", shape=pixmap.shape)
    for name, array in (("weight_map", weight), ("dq", flags)):
        if array is not None and np.shape(array) != shape:
            raise SettingsError(f"'{name}' shape is not consistent with 'data' shape.", shape=np.shape(array))


def shape_of(pixmap: NDArray[np.float64]) -> tuple[int, int]:
    """Return the shape that holds all places of a pixel map."""
    finite = pixmap[np.isfinite(pixmap).all(axis=-1)]
    most = np.ceil(finite.max(axis=0, initial=-1.0) + 0.5)
    if not (most >= 1).all() or not (most < MOST_CELLS).all():
        raise SettingsError("'pixmap' has no place that is finite, positive and near; give 'out_shape'")
    return sides([int(most[1]), int(most[0])], "the shape that 'pixmap' needs")


def unit_of(in_units: str, exptime: float) -> float:
    """Return what an image is to be divided by to be a rate."""
    if in_units not in ("cps", "counts"):
        raise SettingsError(f"'in_units' is {str(in_units)[:40]!r}; needed 'cps' or 'counts'", in_units=in_units)
    return 1.0 if in_units == "cps" else exptime


def check_box(box: tuple[int | None, ...]) -> None:
    """Check that the sides of a box are whole numbers."""
    for name, side in zip(("'xmin'", "'xmax'", "'ymin'", "'ymax'"), box, strict=True):
        if side is not None:
            whole(side, name, -MOST_CELLS, MOST_CELLS)


def positive_time(exptime: Any) -> float:
    """Return an exposure time [s]."""
    if not real(exptime, "'exptime'") > 0.0:
        raise SettingsError("'exptime' *must* be a strictly positive number.", exptime=exptime)
    return float(exptime)


def outside(box: tuple[int | None, ...], shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Return a mask of the pixels outside a box (inclusive), nonzero = skip; None without a box."""
    if all(side is None for side in box):
        return None
    xmin, xmax, ymin, ymax = box
    ny, nx = shape
    rows = slice(max(0, int(ymin or 0)), ny if ymax is None else min(ny, int(ymax) + 1))
    columns = slice(max(0, int(xmin or 0)), nx if xmax is None else min(nx, int(xmax) + 1))
    mask = np.ones(shape, np.uint8)
    mask[rows, columns] = 0
    return mask


def misses(where: NDArray[np.float64], shape: tuple[int, ...], ranges: FloatArray | None = None) -> dict[str, float]:
    """Count the pixels that fall outside, and the rows without any inside.

    Parameters
    ----------
    where : (ny, nx, 2) array
        Output (x, y) of the pixels.
    shape : (int, int)
        Of the output.
    ranges : (ny, chunks, 4) array, optional
        Least and greatest y, then x, of each row's chunks: rows that lie inside need no other look.
    """
    within: NDArray[np.bool_] = np.zeros(where.shape[0], np.bool_)
    if ranges is not None:
        low, up, left, right = (ranges[..., k] for k in range(4))
        chunks = (low > -0.5) & (up < shape[0] - 0.5) & (left > -0.5) & (right < shape[1] - 0.5)
        within = np.asarray(chunks.all(axis=1))
    x, y = (where[~within, :, axis] for axis in (0, 1))
    with np.errstate(invalid="ignore"):
        inside = (x > -0.5) & (y > -0.5) & (x < shape[1] - 0.5) & (y < shape[0] - 0.5)
    return {"nmiss": int(np.count_nonzero(~inside)), "nskip": int(np.count_nonzero(~inside.any(axis=1)))}


def filled(shape: tuple[int, int], value: float) -> NDArray[np.float32]:
    """Return an image of one value."""
    image = np.empty(shape, np.float32)

    def band(first: int, stop: int) -> None:
        image[first:stop] = value

    threads = thread_count(image.size, None)
    in_bands(even_edges(shape[0], threads), threads, band)
    return image


def flag_words(values: Any, name: str) -> NDArray[Any]:
    """Return data quality as unsigned words of 32 bits; the array itself where it has them.

    Raises
    ------
    WrongTypeError
        Not integers of 4 bytes at most.
    """
    array = np.asarray(values) if isinstance(values, np.ndarray) else reals(values, f"'{name}'")
    if array.dtype.kind not in "iu" or array.dtype.itemsize > 4:
        raise WrongTypeError(
            f"'{name}' must be of an unsigned integer type with itemsize of 4 bytes or less.", dtype=str(array.dtype)
        )
    return array.astype(np.uint32, copy=False)
