"""One process at a time at a file."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mizzle.errors import SettingsError

_POLL_SECONDS = 0.05


def open_locked(path: Path) -> BinaryIO | None:
    """Open a file for reading and writing, made if need be, and lock it; None while another process holds it.

    The lock belongs to the file that bears the name *now*: where its last holder has renamed or removed it between
    our opening and our locking, the file under the name is opened instead.

    Raises
    ------
    SettingsError
        The file cannot be written.
    """
    # A link planted under this name must not lead the bytes elsewhere.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    while True:
        try:
            stream = os.fdopen(os.open(path, flags, 0o644), "r+b")
        except OSError as problem:
            raise SettingsError(
                f"{path}: cannot be written: {problem.strerror}; choose another folder", file=str(path)
            ) from None
        if not _lock(stream):
            stream.close()
            return None
        if bears_name(stream, path):
            return stream
        stream.close()


def bears_name(stream: BinaryIO, path: Path) -> bool:
    """Tell whether an open file is the one that `path` names."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def held(path: Path, seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock file `path`; wait for another holder, and remove the file afterwards.

    Raises
    ------
    SettingsError
        It cannot be written, or another process holds it for longer than `seconds`.
    """
    deadline = time.monotonic() + seconds
    while (stream := open_locked(path)) is None:
        if time.monotonic() > deadline:
            raise SettingsError(f"{path}: another process holds this lock for over {seconds:g} s; wait for it")
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if os.name == "nt":  # Windows removes no open file
            stream.close()
        with contextlib.suppress(OSError):
            path.unlink()
        stream.close()


def _lock(stream: BinaryIO) -> bool:
    """Lock an open file where the system can; tell whether it is ours."""
    try:
        import fcntl
    except ImportError:  # Windows refuses the second opening by itself when the first one is renamed
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
