"""Progress of a run: which step runs, how long each took, and who hears of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mizzle.startup import give_back

if TYPE_CHECKING:
    from mizzle.model import Exposure, Grid, Mosaic


class Listener:
    """Hears of a run while it goes on; each method does nothing until a listener of one's own replaces it."""

    def begins(self, step: str) -> None:
        """Hear that a step begins."""

    def warns(self, sentence: str) -> None:
        """Hear what must be seen."""

    def gridded(self, grid: Grid) -> None:
        """Hear which pixels the products will have."""

    def drizzled(self, mosaic: Mosaic, exposures: Sequence[Exposure], name: str) -> None:
        """Hear that a filter's image is there, long before the run ends.

        Parameters
        ----------
        mosaic : Mosaic
            Of one filter.
        exposures : sequence of Exposure
            Of all filters.
        name : str
            Start of the products' names.
        """


class MemoryKeeper(Listener):
    """Between two steps, lets go of memory that lies idle; for programs whose process is their own."""

    def begins(self, step: str) -> None:
        """Look whether much lies idle."""
        give_back()


class Progress(Listener):
    """Times the steps, and passes on to its listeners what it hears.

    Parameters
    ----------
    *listeners : Listener
        More may join later (`listen`).
    """

    def __init__(self, *listeners: Listener) -> None:
        self.seconds: dict[str, float] = {}
        self._listeners = list(listeners)
        self._begin = time.perf_counter()

    def listen(self, listener: Listener) -> None:
        """Let one more hear."""
        self._listeners.append(listener)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block as step `name`; several blocks of one name add up."""
        self.begins(name)
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin

    def begins(self, step: str) -> None:
        """Tell that a step begins."""
        for listener in self._listeners:
            listener.begins(step)

    def warns(self, sentence: str) -> None:
        """Tell what must be seen."""
        for listener in self._listeners:
            listener.warns(sentence)

    def gridded(self, grid: Grid) -> None:
        """Tell which pixels the products will have."""
        for listener in self._listeners:
            listener.gridded(grid)

    def drizzled(self, mosaic: Mosaic, exposures: Sequence[Exposure], name: str) -> None:
        """Tell that a filter's image is there."""
        for listener in self._listeners:
            listener.drizzled(mosaic, exposures, name)

    @property
    def total(self) -> float:
        """Seconds since this began."""
        return time.perf_counter() - self._begin
