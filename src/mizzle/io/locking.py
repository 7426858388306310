"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mizzle.errors import SettingsError

_STEP = 0.25


class HeldError(SettingsError):
    """Somebody else holds the lock; `holder` says who."""


@contextlib.contextmanager
def lock(path: str | Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock on a file; where the system has no such locks, nothing is held.

    Parameters
    ----------
    path : str or Path
        The file; made if need be, and left behind. It names host and process of the holder.
    wait : float
        How long to wait for it [s].

    Raises
    ------
    HeldError
        Somebody else holds it; its facts say who.
    SettingsError
        The file cannot be written.
    """
    path = Path(path)
    try:
        stream = path.open("a+", encoding="utf-8")
    except OSError as problem:
        raise SettingsError(f"{path}: cannot be written: {problem.strerror}", file=str(path)) from problem
    with stream:
        deadline = time.monotonic() + wait
        while not _take(stream):
            if time.monotonic() >= deadline:
                stream.seek(0)
                holder = stream.read(200).strip() or "another process"
                raise HeldError(f"{path}: held by {holder}", file=str(path), holder=holder)
            time.sleep(_STEP)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        stream.flush()
        yield


def _take(stream: IO[str]) -> bool:
    """Try to lock an open file; it is given back when the file is closed."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
