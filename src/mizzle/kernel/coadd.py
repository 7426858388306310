"""`Drizzle`: several images made one, with the interface of the `drizzle` package, on mizzle's kernel.

Constructor, `add_image`, properties and errors are those of ``drizzle.resample.Drizzle`` 3.0 (an interface other
pipelines are written for); sums are kept in float64, so that the order of images does not matter to float32.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mizzle.errors import SettingsError
from mizzle.kernel.coadd_inputs import (
    check_agreement,
    check_time,
    context,
    context_range,
    fill,
    flag_words,
    float32,
    listed,
    misses,
    shape_of,
    within,
)
from mizzle.kernel.drop import Accumulator, drizzle
from mizzle.kernel.drop.flags import spread_flags

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
        check_time(exptime, out_img, out_wht, out_ctx)
        if kernel.lower() not in KERNELS:
            raise SettingsError(f"Kernel '{kernel}' is not supported.", kernel=kernel)
        self._kernel, self._texptime = kernel.lower(), exptime
        self._fillval, self._fill = fill(fillval, out_img)
        self._fillval2, self._fill2 = fill(fillval2, None if out_img2 is None else out_img2)
        self._img, self._wht = float32(out_img), float32(out_wht)
        self._img2: list[NDArray[np.float32]] | None = None
        given2 = [] if out_img2 is None else [float32(one) for one in listed(out_img2)]
        self._ctx = context(out_ctx) if not disable_ctx else None
        shapes = {a.shape[-2:] for a in (self._img, self._wht, self._ctx, self._dq, *given2) if a is not None}
        if out_shape is not None:
            shapes.add(tuple(int(n) for n in out_shape))
        if len(shapes) > 1:
            raise SettingsError(_SHAPES, shapes=tuple(shapes))
        check_agreement(self._wht, self._ctx)
        self._shape: tuple[int, ...] | None = next(iter(shapes), None)
        self._given2 = given2
        if self._shape is not None:
            self._allocate(self._shape)

    def _allocate(self, shape: tuple[int, ...]) -> None:
        """Make the outputs that are not there, and the sums behind them."""
        self._shape = shape
        wht = np.zeros(shape, np.float32) if self._wht is None else self._wht
        img = np.full(shape, self._fill, np.float32) if self._img is None else self._img
        self._wht, self._img = wht, img
        if self._given2:
            self._img2 = [np.full(shape, self._fill2, np.float32) if a is None else a for a in self._given2]
        if self._ctx is None and not self._disable_ctx:
            self._ctx = np.zeros((1, *shape), np.int32)
        self._weight = wht.astype(np.float64)
        self._sum = np.where(self._weight > 0, img, 0.0) * self._weight
        self._squares = [np.where(self._weight > 0, a, 0.0) * self._weight**2 for a in self._img2 or ()]

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
        if not exptime > 0.0:
            raise SettingsError("'exptime' *must* be a strictly positive number.", exptime=exptime)
        image, where = np.asarray(data, np.float64), np.asarray(pixmap, np.float64)
        if where.shape[:2] != image.shape:
            raise SettingsError("'pixmap' shape is not consistent with 'data' shape.", shape=where.shape)
        weight = np.ones(image.shape) if weight_map is None else np.array(weight_map, np.float64)
        self._check_second(data2, image.shape)
        if weight.shape != image.shape:
            raise SettingsError("'weight_map' shape is not consistent with 'data' shape.", shape=weight.shape)
        flags = None if dq is None else flag_words(dq, "dq")
        if flags is not None and flags.shape != image.shape:
            raise SettingsError("'dq' shape is not consistent with 'data' shape.", shape=flags.shape)
        if self._shape is None:
            self._allocate(shape_of(where))
        second = self._second(data2, image.shape)
        if self._kernel == "gaussian" or self._kernel.startswith("lanczos"):
            warnings.warn(f"Kernel '{self._kernel}' is not a flux-conserving kernel", Warning, stacklevel=2)
        unit = iscale / (1.0 if in_units == "cps" else exptime)
        bit = None if self._disable_ctx else self._next_bit()
        self._texptime += exptime
        weight = within(weight, (xmin, xmax, ymin, ymax)) * wht_scale
        options = {"pixfrac": pixfrac, "kernel": self._kernel, "pixel_scale_ratio": pixel_scale_ratio}
        self._add(image * unit, weight, where, [None if v is None else v * unit**2 for v in second], options, bit)
        if flags is not None:
            self._add_flags(spread_flags(flags, image, weight, where, self._frame, **options))
        return misses(where, self._wht.shape if self._wht is not None else (0, 0))

    def _add(
        self,
        image: NDArray[np.float64],
        weight: NDArray[np.float64],
        where: NDArray[np.float64],
        second: Sequence[NDArray[np.float64] | None],
        options: dict[str, Any],
        bit: int | None,
    ) -> None:
        """Add to the sums, and bring the outputs up to date."""
        shape = self._frame
        first = drizzle(image, weight, where, shape, **options)
        hit = first.weight != 0
        self._sum[hit] += first.mean[hit] * first.weight[hit]
        self._weight += first.weight
        for index, variance in enumerate(second):
            if variance is None:
                continue
            kept = Accumulator(shape, variance=True)
            drizzle(image, weight, where, shape, variance=variance, into=kept, **options)
            self._squares[index][hit] += (kept.error().astype(np.float64)[hit] * first.weight[hit]) ** 2
        self._refresh(hit, bit)

    @property
    def _frame(self) -> tuple[int, int]:
        assert self._shape is not None
        return self._shape[0], self._shape[1]

    def _add_flags(self, found: NDArray[np.uint32]) -> None:
        """Add one image's flags to those before."""
        if self._dq is None:
            self._dq = found
        else:
            self._dq |= found

    def _refresh(self, hit: NDArray[np.bool_], bit: int | None) -> None:
        assert self._img is not None
        assert self._wht is not None
        self._wht[hit] = self._weight[hit]
        self._img[hit] = self._sum[hit] / self._weight[hit]
        for image, squares in zip(self._img2 or (), self._squares, strict=True):
            image[hit] = squares[hit] / self._weight[hit] ** 2
        if bit is not None and self._ctx is not None:
            plane, flag = divmod(bit, _PLANE_BITS)
            word = np.array([1 << flag], np.uint32).view(np.int32)[0]
            self._ctx[plane][hit] |= word

    def _second(self, data2: Any, shape: tuple[int, ...]) -> list[NDArray[np.float64] | None]:
        """Return the variances of one image; as many as of the images before."""
        given = self._check_second(data2, shape)
        if self._img2 is None and given and self._texptime == 0.0:
            assert self._shape is not None
            self._img2 = [np.full(self._shape, self._fill2, np.float32) for _ in given]
            self._squares = [np.zeros(self._shape) for _ in given]
        if len(given) != len(self._img2 or ()):
            raise SettingsError(_NUMBER_OF_SECOND, given=len(given))
        if self._img2 is None:
            self._img2 = []
        return given

    @staticmethod
    def _check_second(data2: Any, shape: tuple[int, ...]) -> list[NDArray[np.float64] | None]:
        """Return the variances as arrays of the image's shape."""
        words = [] if data2 is None else listed(data2)
        given = [None if one is None or np.size(one) == 0 else np.asarray(one, np.float64) for one in words]
        if any(one is not None and one.shape != shape for one in given):
            many = "shape" if isinstance(data2, np.ndarray) else "shape(s)"
            raise SettingsError(f"'data2' {many} is not consistent with 'data' shape.")
        return given

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
        return self._img

    @property
    def out_wht(self) -> NDArray[np.float32] | None:
        """Summed weight."""
        return self._wht

    @property
    def out_ctx(self) -> NDArray[np.int32] | None:
        """Which images fell where; None where no context is kept."""
        return self._ctx

    @property
    def out_img2(self) -> list[NDArray[np.float32]] | None:
        """Variances of the mean; None where none were given."""
        return self._img2 or None

    @property
    def out_dq(self) -> NDArray[np.uint32] | None:
        """Flags of the pixels that fell into each cell; None where none were given."""
        return self._dq

    @property
    def total_exptime(self) -> float:
        """Summed exposure time [s]."""
        return self._texptime
