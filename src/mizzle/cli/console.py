"""Talk: progress and messages on stderr, data on stdout."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO, cast

from mizzle.errors import MizzleError
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
        if not self._quiet and sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console as Terminal

            self._status = Terminal(file=cast("TextIO", _Lenient(sys.stderr))).status("starting")
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
            say(f"{time.perf_counter() - self._start:7.2f} s  {step}")

    def warns(self, sentence: str) -> None:
        """Say something that must be seen."""
        say(f"mizzle: {one_line(sentence)}")


class _Lenient:
    """A terminal that may go away while it is written to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def out(text: str = "") -> None:
    """Write a line of data to stdout; signs that its encoding lacks are spelled out.

    Raises
    ------
    LostOutputError
        It is closed or full, or its reader went away.
    """
    stream: TextIO | None = sys.stdout
    if stream is None:  # closed before the program began
        raise LostOutputError("stdout: is closed; the output is lost")
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(f"{text}\n".encode(encoding, "mizzle-spelled").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        with contextlib.suppress(OSError):  # what is left in its buffer is lost, and would be tried again at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise LostOutputError(f"stdout: cannot be written: {reason}; the output is lost") from problem


class LostOutputError(MizzleError):
    """What was asked for could not be written to stdout."""

    exit_code = 2


def say(text: str) -> None:
    """Write a line to stderr; a stream that is closed, full or without a reader decides nothing."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        stream.write(f"{text}\n")
        stream.flush()


def one_line(text: str) -> str:
    """Return a message on one line, without control characters: header text may be hostile to a terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split("\n")))


_SPELLED = {"≥": ">=", "≤": "<=", "×": "x", "−": "-", "±": "+-", "…": "...", "″": '"', "—": "-", "–": "-"}


def _spelled(problem: UnicodeError) -> tuple[str, int]:
    """Spell out signs that an encoding lacks, and odd bytes of file names."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    signs = problem.object[problem.start : problem.end]
    words = "".join(_SPELLED.get(sign, sign.encode("ascii", "backslashreplace").decode()) for sign in signs)
    return words, problem.end


codecs.register_error("mizzle-spelled", _spelled)
