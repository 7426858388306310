"""Time and talk of a run: which step runs, and how long each took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator


def _silent(_: str) -> None:
    return None


class Clock:
    """Measures steps and tells a listener when each begins.

    Parameters
    ----------
    listener : callable, optional
        Called with the step's name when it begins.
    warn : callable, optional
        Called with a sentence that must be seen.
    """

    def __init__(self, listener: Callable[[str], None] = _silent, warn: Callable[[str], None] = _silent) -> None:
        self.seconds: dict[str, float] = {}
        self.warn = warn
        self._listener = listener
        self._begin = time.perf_counter()

    @contextlib.contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Time the block as `step`; several blocks of one name add up."""
        self._listener(step)
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - begin

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._begin
