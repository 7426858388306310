"""`Drizzle`: several images made one, with the interface of the `drizzle` package, on mizzle's kernel.

Constructor, `add_image`, properties and errors are those of ``drizzle.resample.Drizzle`` 3.0 (an interface other
pipelines are written for). From the second image on sums are kept in float64, so that the order of images does
not matter to float32; a first image is its float32 outputs, rounded once, and takes no memory besides.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.errors import SettingsError
from mizzle.kernel.arguments import real, reals, sides
from mizzle.kernel.coadd_inputs import (
    check_agreement,
    check_box,
    check_shapes,
    check_time,
    context,
    context_range,
    fill,
    filled,
    flag_words,
    float32,
    listed,
    misses,
    outside,
    positive_time,
    shape_of,
    unit_of,
)
from mizzle.kernel.coadd_sums import Planes, Sums, chunk_ranges, drop_first
from mizzle.kernel.drop.flags import spread_flags
from mizzle.kernel.drop.types import ChipPixels, check_shape, floats
from mizzle.kernel.maps.types import stored_map

#: Kernels of the class; ``lanczos5`` is one more than the package has.
KERNELS = ("square", "gaussian", "point", "turbo", "lanczos2", "lanczos3", "lanczos5")
_PLANE_BITS = 32
_SHAPES = "Inconsistent data shapes specified: out_shape and the output arrays have different shapes."
_NUMBER_OF_SECOND = "Mismatch between the number of 'out_img2' images and that of 'data2'."


class Drizzle:
    """Images resampled onto one grid, and added up.

    Parameters
    ----------
    kernel : str
        ``square gaussian point turbo lanczos2 lanczos3 lanczos5``.
    fillval, fillval2 : float or str, optional
        Value of `out_img`, `out_img2` where nothing fell; NaN for ``None`` and ``"INDEF"``, 0 for an output given.
    out_shape : (int, int), optional
        Of the output; from the first pixel map otherwise.
    out_img, out_wht : (ny, nx) float32 array, optional
        Result of earlier images, added to in place.
    out_ctx : (ny, nx) or (planes, ny, nx) int32 array, optional
        Its context.
    out_img2 : array or list of arrays, optional
        Its variances.
    out_dq : (ny, nx) uint32 array, optional
        Its data quality.
    exptime : float
        Exposure time of the earlier images [s].
    begin_ctx_id, max_ctx_id : int
        Number of the first image's bit, and of the last possible one.
    disable_ctx : bool
        Keep no context.

    Raises
    ------
    SettingsError
        A `ValueError`, with the words of the package.
    """

    def __init__(
        self,
        kernel: str = "square",
        fillval: Any = None,
        fillval2: Any = None,
        out_shape: tuple[int, ...] | None = None,
        out_img: NDArray[Any] | None = None,
        out_wht: NDArray[Any] | None = None,
        out_ctx: NDArray[Any] | None = None,
        out_img2: Any = None,
        out_dq: Any = None,
        exptime: float = 0.0,
        begin_ctx_id: int = 0,
        max_ctx_id: int | None = None,
        disable_ctx: bool = False,
    ) -> None:
        self._dq = None if out_dq is None else flag_words(out_dq, "out_dq")
        self._disable_ctx, self._last = disable_ctx, -1
        self._begin, self._max = context_range(begin_ctx_id, max_ctx_id, disable_ctx)
        exptime = real(exptime, "'exptime'")
        self._img, self._wht = float32(out_img, "'out_img'"), float32(out_wht, "'out_wht'")
        self._ctx = context(out_ctx) if not disable_ctx else None
        check_time(exptime, out_img, out_wht, out_ctx)
        if not isinstance(kernel, str) or kernel.lower() not in KERNELS:
            raise SettingsError(f"Kernel '{kernel}' is not supported.", kernel=kernel)
        self._kernel, self._texptime = kernel.lower(), exptime
        self._fillval, self._fill = fill(fillval, out_img)
        self._fillval2, self._fill2 = fill(fillval2, None if out_img2 is None else out_img2)
        self._img2: list[NDArray[np.float32]] | None = None
        given2 = [] if out_img2 is None else [float32(image, "'out_img2'") for image in listed(out_img2)]
        shapes = {a.shape[-2:] for a in (self._img, self._wht, self._ctx, self._dq, *given2) if a is not None}
        if out_shape is not None:
            shapes.add(sides(out_shape, "'out_shape'"))
        if len(shapes) > 1:
            raise SettingsError(_SHAPES, shapes=tuple(shapes))
        check_agreement(self._wht, self._ctx)
        self._shape: tuple[int, ...] | None = next(iter(shapes), None)
        self._given2 = given2
        self._sums: Sums | None = None
        self._stale = False
        #: Arrays of the caller are kept up to date; those made here are when somebody looks.
        self._shared = any(a is not None for a in (out_img, out_wht, out_ctx, out_img2))
        #: Nothing fell so far, and outputs are such that C may write to them.
        self._empty = not self._shared
        if self._shape is not None:
            self._allocate(self._frame)

    def _allocate(self, shape: tuple[int, int]) -> None:
        """Make the outputs that are not there."""
        self._shape = shape
        if self._wht is None:
            self._wht = np.zeros(shape, np.float32)
        if self._img is None:
            self._img = filled(shape, self._fill)
        if self._given2:
            self._img2 = [filled(shape, self._fill2) if a is None else a for a in self._given2]
        if self._ctx is None and not self._disable_ctx:
            self._ctx = np.zeros((1, *shape), np.int32)

    def add_image(
        self,
        data: ArrayLike,
        exptime: float,
        pixmap: ArrayLike,
        data2: Any = None,
        dq: Any = None,
        scale: Any = None,
        iscale: float = 1.0,
        pixel_scale_ratio: float = 1.0,
        weight_map: ArrayLike | None = None,
        wht_scale: float = 1.0,
        pixfrac: float = 1.0,
        in_units: str = "cps",
        xmin: int | None = None,
        xmax: int | None = None,
        ymin: int | None = None,
        ymax: int | None = None,
    ) -> dict[str, float]:
        """Drop one more image.

        Parameters
        ----------
        data : (ny, nx) array
            Image.
        exptime : float
            Its exposure time [s].
        pixmap : (ny, nx, 2) array
            0-based output (x, y) of each pixel's center.
        data2 : (ny, nx) array or list of them, optional
            Variances: resampled with squared weights.
        dq : (ny, nx) array of integers of 32 bits at most, optional
            Flags of the pixels: a cell of `out_dq` has those of all pixels that fell into it.
        scale : float, optional
            Older name of `pixel_scale_ratio`; `iscale` is then its square.
        iscale, pixel_scale_ratio, wht_scale : float
            Factor on the data (its square on variances); output over input pixel side; factor on the weights.
        weight_map : (ny, nx) array, optional
            Weights; 1 without.
        pixfrac : float
            Side of a drop over that of a pixel.
        in_units : str
            ``cps`` or ``counts``.
        xmin, xmax, ymin, ymax : int, optional
            Only pixels within take part.

        Returns
        -------
        info : dict
            ``nmiss`` and ``nskip``: input pixels that fell outside the output, and rows without any inside.

        Raises
        ------
        SettingsError
            A `ValueError`, with the words of the package.
        """
        if scale is not None:
            warnings.warn(
                "'scale' is deprecated; use 'iscale' and 'pixel_scale_ratio'", DeprecationWarning, stacklevel=2
            )
            iscale, pixel_scale_ratio = scale**2, scale
        exptime = positive_time(exptime)
        iscale, wht_scale = real(iscale, "'iscale'"), real(wht_scale, "'wht_scale'")
        unit = iscale / unit_of(in_units, exptime)
        image, where = reals(data, "'data'"), np.asarray(reals(pixmap, "'pixmap'"), np.float64)
        weight_map = None if weight_map is None else reals(weight_map, "'weight_map'")
        self._check_second(data2, image.shape)
        flags = None if dq is None else flag_words(dq, "dq")
        check_shapes(image.shape, where, weight_map, flags)
        drop = check_shape(self._kernel, pixfrac, pixel_scale_ratio)
        placed = stored_map(where, drop.ratio)
        check_box((xmin, xmax, ymin, ymax))
        weight = None if weight_map is None else floats(weight_map, placed.shape, "weight_map")
        image = floats(image, placed.shape, "data")
        if self._shape is None:
            self._allocate(shape_of(where))
        second = self._second(data2, image.shape)
        if self._kernel == "gaussian" or self._kernel.startswith("lanczos"):
            warnings.warn(f"Kernel '{self._kernel}' is not a flux-conserving kernel", Warning, stacklevel=2)
        bit = None if self._disable_ctx else self._next_bit()
        self._texptime += exptime
        pixels = ChipPixels(
            image,
            outside((xmin, xmax, ymin, ymax), placed.shape),
            weight,
            multiply=unit,
            weight=wht_scale,
        )
        second, ranges = [v if v is None or unit == 1.0 else v * unit**2 for v in second], chunk_ranges(placed)
        if self._empty and ranges is not None and len(second) < 2:
            drop_first(
                self._planes,
                replace(pixels, variance=second[0] if second else None),
                placed,
                drop,
                bit=bit,
                ranges=ranges,
            )
        else:
            if self._sums is None:
                self._sums = Sums(self._planes)
            self._sums.add(pixels, second, placed, drop, bit, ranges)
            self._stale = True
        self._empty = False
        if self._shared:
            self._write()
        if flags is not None:
            self._add_flags(spread_flags(flags, pixels, placed, drop, self._frame))
        return misses(where, self._frame, ranges)

    @property
    def _planes(self) -> Planes:
        assert self._img is not None
        assert self._wht is not None
        return Planes(self._img, self._wht, tuple(self._img2 or ()), self._ctx)

    def _write(self) -> None:
        """Bring the outputs up to date, where images were added since somebody looked."""
        if self._stale and self._sums is not None:
            self._sums.write(self._planes)
        self._stale = False

    @property
    def _frame(self) -> tuple[int, int]:
        assert self._shape is not None
        return self._shape[0], self._shape[1]

    def _add_flags(self, flags: NDArray[np.uint32]) -> None:
        """Add one image's flags to those before."""
        if self._dq is None:
            self._dq = flags
        else:
            self._dq |= flags

    def _second(self, data2: Any, shape: tuple[int, ...]) -> list[NDArray[Any] | None]:
        """Return the variances of one image; as many as of the images before."""
        given = self._check_second(data2, shape)
        if self._img2 is None and given and self._texptime == 0.0:
            assert self._shape is not None
            self._img2 = [filled(self._frame, self._fill2) for _ in given]
        if len(given) != len(self._img2 or ()):
            raise SettingsError(_NUMBER_OF_SECOND, given=len(given))
        if self._img2 is None:
            self._img2 = []
        return given

    @staticmethod
    def _check_second(data2: Any, shape: tuple[int, ...]) -> list[NDArray[Any] | None]:
        """Return the variances as arrays of the image's shape."""
        words = [] if data2 is None else listed(data2)
        given = [None if image is None or np.size(image) == 0 else reals(image, "'data2'") for image in words]
        if any(image is not None and image.shape != shape for image in given):
            many = "shape" if isinstance(data2, np.ndarray) else "shape(s)"
            raise SettingsError(f"'data2' {many} is not consistent with 'data' shape.")
        return [image if image is None else floats(image, (shape[0], shape[1]), "data2") for image in given]

    def _next_bit(self) -> int:
        """Return the bit of the next image; make room for it."""
        bit = self._begin if self._last < 0 else self._last + 1
        if self._max is not None and bit > self._max:
            raise SettingsError(f"Context ID {bit} is larger than 'max_ctx_id' {self._max}", bit=bit)
        self._last = bit
        assert self._ctx is not None
        lacking = bit // _PLANE_BITS + 1 - len(self._ctx)
        if lacking > 0:
            self._ctx = np.concatenate([self._ctx, np.zeros((lacking, *self._ctx.shape[1:]), np.int32)])
        return bit

    @property
    def fillval(self) -> Any:
        """Value where nothing fell, as given."""
        return self._fillval

    @property
    def fillval2(self) -> Any:
        """The same, of the variances."""
        return self._fillval2

    @property
    def kernel(self) -> str:
        """Kernel."""
        return self._kernel

    @property
    def ctx_id(self) -> int | None:
        """Bit of the next image; None where no context is kept."""
        return None if self._disable_ctx else max(self._last + 1, self._begin)

    @property
    def out_img(self) -> NDArray[np.float32] | None:
        """Weighted mean so far."""
        self._write()
        return self._img

    @property
    def out_wht(self) -> NDArray[np.float32] | None:
        """Summed weight."""
        self._write()
        return self._wht

    @property
    def out_ctx(self) -> NDArray[np.int32] | None:
        """Which images fell where; None where no context is kept."""
        self._write()
        return self._ctx

    @property
    def out_img2(self) -> list[NDArray[np.float32]] | None:
        """Variances of the mean; None where none were given."""
        self._write()
        return self._img2 or None

    @property
    def out_dq(self) -> NDArray[np.uint32] | None:
        """Flags of the pixels that fell into each cell; None where none were given."""
        return self._dq

    @property
    def total_exptime(self) -> float:
        """Summed exposure time [s]."""
        return self._texptime
