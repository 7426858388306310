"""Stopping on a signal: what is under way is undone or finished, one sentence says so, and the process ends.

Only a program of ours calls `install`; a library leaves signals to its user. The handler ends the process itself: an
exception thrown into whatever runs (an import, a destructor, a foreign callback) may be swallowed there, or come out as
a traceback.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

#: Signals that end a program, where the system has them.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _Program:
    """What the handler must know: how to undo, what is true, and whether it has to wait."""

    def __init__(self) -> None:
        self.undo: list[Callable[[], None]] = []
        self.sentence = "stopped; nothing was written"
        self.shields = 0
        self.waiting: int | None = None
        self.raises = False
        self.number = int(signal.SIGINT)


_program = _Program()


def install() -> None:
    """Take over Ctrl-C, SIGTERM and SIGHUP in this process; what the caller set to be ignored stays ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def tell(sentence: str) -> None:
    """Say from now on, when stopped, what is true at this point."""
    _program.sentence = sentence


@contextlib.contextmanager
def undone_if_stopped(undo: Callable[[], None]) -> Iterator[None]:
    """Call `undo` if a signal ends the program inside the block; it must be quick, and never raise.

    Of nested blocks the outer one is undone first: who works for a block inside it is stopped before it is cleared.
    """
    _program.undo.append(undo)
    try:
        yield
    finally:
        _program.undo.remove(undo)


@contextlib.contextmanager
def unstoppable() -> Iterator[None]:
    """Let a signal wait until the end of the block; for a few system calls that belong together.

    It holds where `install` was called. In any other program the block runs on as it would without.
    """
    _program.shields += 1
    try:
        yield
    finally:
        _program.shields -= 1
        if _program.shields == 0 and _program.waiting is not None:
            _end(_program.waiting)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first signal be a `KeyboardInterrupt` inside the block: for work whose own blocks clear up after it."""
    _program.raises = True
    try:
        yield
    finally:
        _program.raises = False


def say_stopped() -> int:
    """Say what is true after a `KeyboardInterrupt` came out; return the exit code."""
    with contextlib.suppress(OSError):
        os.write(2, f"mizzle: {_program.sentence}\n".encode("utf-8", "backslashreplace"))
    return 128 + _program.number


def _stop(number: int, frame: FrameType | None) -> None:
    """End the process, or note that it is to end."""
    _program.number = number
    if _program.raises:
        _program.raises = False  # a second signal does not wait for what clears up
        raise KeyboardInterrupt
    if _program.shields:
        _program.waiting = number
    else:
        _end(number)


def _end(number: int) -> None:
    """Undo, say so, and leave; a second signal while undoing changes nothing."""
    if threading.current_thread() is threading.main_thread():
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
    for undo in list(_program.undo):
        undo()
    with contextlib.suppress(OSError):
        os.write(2, f"mizzle: {_program.sentence}\n".encode("utf-8", "backslashreplace"))
    os._exit(128 + number)
