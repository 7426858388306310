"""The context of some rows of a product, while chips fall on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.kernel import Accumulator
from mizzle.kernel.drop import lacking_cells, take_context
from mizzle.kernel.drop.accumulator import IN_CELL
from mizzle.model import PackedPlane, Runner

#: Inputs whose bits have room in the cells of the sums.
ROOM = 32 * IN_CELL


class ProductSums(NamedTuple):
    """Sums of most pixels, and of the saturated ones, which serve where nothing else does."""

    most: Accumulator
    spare: Accumulator


class RowContext:
    """Bits of all inputs: those in the cells are taken out, and packed, before the next inputs need their room.

    Parameters
    ----------
    bands : sequence of (int, int)
        Rows for each worker.
    runner : Runner
        Threads.
    """

    def __init__(self, bands: Sequence[tuple[int, int]], runner: Runner) -> None:
        self._bands, self._runner = bands, runner
        self._taken: list[tuple[PackedPlane, PackedPlane]] = []
        self._lacking = np.zeros(0, np.int64)

    def take(self, sums: ProductSums) -> None:
        """Take the bits of the last inputs, `ROOM` of them.

        Parameters
        ----------
        sums : ProductSums
            What they fell into.
        """
        most, spare = (self._packed(part) for part in sums)
        self._taken += zip(most, spare, strict=True)

    def _packed(self, sums: Accumulator) -> list[PackedPlane]:
        """Return the planes in the cells; these are empty then."""
        return pack_bands(lambda rows: take_context(sums, rows), self._bands, self._runner)

    def note_lacking(self, sums: ProductSums, enough: float) -> None:
        """Note where saturated pixels will serve: those cells get their bits too.

        Parameters
        ----------
        sums, enough : ProductSums, float
            As in `mizzle.kernel.drop.fill_in`, which comes next.
        """
        if self._taken:
            self._lacking = lacking_cells(*sums, enough)

    def planes(self, last: Sequence[PackedPlane], covered: NDArray[np.bool_]) -> list[PackedPlane]:
        """Return the planes of all inputs.

        Parameters
        ----------
        last : sequence of PackedPlane
            Those that were in the cells at the end.
        covered : (ny, nx) bool array
            Where the product has any weight.
        """
        return [*self._runner.map(lambda pair: self._whole(*pair, covered), self._taken), *last]

    def _whole(self, most: PackedPlane, spare: PackedPlane, covered: NDArray[np.bool_]) -> PackedPlane:
        """Return one plane, saturated pixels filled in."""
        image = most.image
        image.reshape(-1)[self._lacking] |= spare.at(self._lacking)
        image[~covered] = 0
        return PackedPlane.of(image)


def pack_bands(
    planes_of: Callable[[tuple[int, int]], NDArray[np.int32]], bands: Sequence[tuple[int, int]], runner: Runner
) -> list[PackedPlane]:
    """Pack planes band by band, each on a worker.

    Parameters
    ----------
    planes_of : callable
        Rows to their planes (planes, rows, nx).
    bands : sequence of (int, int)
        The lowest first.
    runner : Runner
        Threads.
    """
    parts = runner.map(lambda rows: [PackedPlane.of(plane) for plane in planes_of(rows)], bands)
    return [PackedPlane.joined(column) for column in zip(*parts, strict=True)]
