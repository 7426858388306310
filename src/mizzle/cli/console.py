"""Talk: progress and messages on stderr, data on stdout."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from mizzle.progress import Listener

if TYPE_CHECKING:
    from rich.status import Status


class Console(Listener):
    """Says what happens: a live line on a terminal, plain lines elsewhere, nothing when quiet.

    Parameters
    ----------
    quiet : bool
        Say nothing but errors and warnings.
    verbose : bool
        Say when each step ends, with its time.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._start = time.perf_counter()
        self._status: Status | None = None

    def __enter__(self) -> Console:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console as Terminal

            self._status = Terminal(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def begins(self, step: str) -> None:
        """Say which step begins."""
        if self._status is not None:
            self._status.update(step)
        if self._verbose or (not self._quiet and self._status is None):
            sys.stderr.write(f"{time.perf_counter() - self._start:7.2f} s  {step}\n")

    def warns(self, sentence: str) -> None:
        """Say something that must be seen."""
        sys.stderr.write(f"mizzle: {sentence}\n")


def out(text: str = "") -> None:
    """Write a line of data to stdout."""
    sys.stdout.write(f"{text}\n")
