"""Files appear whole or not at all: a part beside the final name first, then one rename.

A part is called ``.NAME.HOST.PID.RANDOM.part``. HOST tells machines, boots and containers apart, so that two of them in
one folder neither collide nor take each other's live parts for leftovers.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mizzle.errors import SettingsError

_PART = re.compile(r"^\.(?P<name>.+)\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.[0-9a-f]{8}\.part$", re.DOTALL)

#: A part of another machine, whose processes cannot be asked, is left behind after this time [s].
OLD = 86400.0

#: Longest piece of a file's own name in the name of its part: file systems take 255 bytes in all.
_LONGEST_NAME = 120


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only when it is complete and safe on disk.

    Parameters
    ----------
    path : str or Path
        Final name; a file of that name is replaced in one step.

    Yields
    ------
    stream : binary file
        Write here. If the block raises, nothing is left.

    Raises
    ------
    SettingsError
        The folder cannot be written, or the disk is full.
    """
    path = Path(path)
    partial = path.with_name(part_name(path.name))
    try:
        stream = open(partial, "wb", opener=_new)  # noqa: SIM115
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    try:
        with stream:
            yield stream
            stream.flush()
            settle_on_disk(stream.fileno())
        os.replace(partial, path)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _new(path: str, flags: int) -> int:
    """Open a file that must not exist yet; astropy does not know the mode "x"."""
    return os.open(path, flags | os.O_EXCL, 0o666)


def cannot_write(path: str | Path, problem: OSError) -> SettingsError:
    """Return the error that says which file cannot be written, and why.

    Parameters
    ----------
    path : str or Path
        The file meant, or its place among the parts of a set.
    problem : OSError
        What the system, or a library on its behalf, said.
    """
    path = Path(path)
    if is_part(path.parent.name):  # staged: say where it was to go
        path = path.parent.with_name(path.name)
    reason = problem.strerror or " ".join(str(problem).split()) or type(problem).__name__
    return SettingsError(
        f"{path}: cannot be written: {reason}; make room, or choose another folder with -o", file=str(path)
    )


def settle_on_disk(handle: int) -> None:
    """Have the system write an open file or folder to disk now; a file system that knows no such thing is let be."""
    try:
        os.fsync(handle)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise


def part_name(name: str) -> str:
    """Return a name for the part of a file or set that no other process anywhere uses."""
    short = os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])
    return f".{short}.{_host()}.{os.getpid()}.{secrets.token_hex(4)}.part"


def is_part(name: str) -> bool:
    """Tell whether a name is that of a part of ours."""
    return _PART.match(name) is not None


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write a whole file of bytes; return its path."""
    with whole_file(path) as stream:
        stream.write(content)
    return Path(path)


def write_text(path: str | Path, content: str) -> Path:
    r"""Write a whole file of UTF-8 text with plain line ends; return its path.

    A name that is not UTF-8 reaches us with its odd bytes as lone surrogates; they are written as ``\udcXX``, which is
    how JSON spells them.
    """
    return write_bytes(path, content.encode("utf-8", "backslashreplace"))


def prepare_folder(folder: str | Path) -> Path:
    """Make `folder` if need be, prove that it can be written, and sweep what killed runs left.

    Raises
    ------
    SettingsError
        It is a file, or cannot be made or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        sweep(folder)
    except FileExistsError:
        raise SettingsError(f"{folder}: is a file; -o needs a folder", folder=str(folder)) from None
    except OSError as problem:
        raise SettingsError(
            f"{folder}: cannot be written: {problem.strerror or problem}; choose another folder with -o",
            folder=str(folder),
        ) from problem
    return folder


def sweep(folder: Path) -> None:
    """Remove parts whose process is gone; those of other machines when they are old."""
    for entry in folder.iterdir():
        match = _PART.match(entry.name)
        if match is None or not _left_behind(entry, match["host"], int(match["pid"])):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                entry.unlink()


def _left_behind(entry: Path, host: str, pid: int) -> bool:
    """Tell whether nobody will finish a part."""
    if host == _host() and os.name == "posix":  # signal 0 is not harmless on Windows
        return not _alive(pid)
    try:
        return time.time() - entry.lstat().st_mtime > OLD
    except OSError:
        return False


def _alive(pid: int) -> bool:
    """Tell whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@functools.cache
def _host() -> str:
    """Return a name for the place where process numbers mean what they mean here: host, boot, container."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", platform.node())[:16].strip("-") or "host"
    facts = [platform.node()]
    with contextlib.suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with contextlib.suppress(OSError):
        facts.append(os.readlink("/proc/self/ns/pid"))
    digest = hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{name}-{digest}"
