"""One file from the web to a folder: resumed, checked, and whole or absent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from mizzle.archive.locks import bears_name, open_locked
from mizzle.archive.names import safe_name, shown
from mizzle.archive.web import HttpAnswer, Patience, ServiceError, opened
from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import write_text
from mizzle.io.structure import check_fits
from mizzle.settings import ArchiveSettings

#: Called with the name, the bytes there so far, and the full size or None.
Progress = Callable[[str, int, int | None], None]
Status = Literal["fetched", "resumed", "present"]

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
#: Nothing of WFPC2 comes near; an endless answer must not fill the disk.
_LARGEST = 2 << 30


def silent(name: str, done: int, total: int | None) -> None:
    """Be a `Progress` that says nothing."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch and what is known of it beforehand.

    Parameters
    ----------
    url : str
        Where it is.
    name : str
        Its name in the folder.
    size : int, optional
        Its bytes.
    sha1 : str, optional
        Its SHA-1, hexadecimal.
    fits : bool
        Its FITS structure is to be checked.
    header : mapping
        Keywords its primary header must have with these values.
    """

    url: str
    name: str
    size: int | None = None
    sha1: str | None = None
    fits: bool = True
    header: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        safe_name(self.name, shown(self.url))


@dataclass(frozen=True)
class Fetched:
    """A file that is there now, checked."""

    path: Path
    status: Status


class _BrokenOffError(ServiceError):
    """A transfer ended early; what came is kept."""


def sha1_of(path: Path) -> str:
    """Return the SHA-1 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha1").hexdigest()


def verify(path: Path, wanted: Wanted) -> None:
    """Hold a file against everything known of it.

    Raises
    ------
    InputError
        Wrong size, wrong checksum, not a whole FITS file, or another instrument's.
    """
    size = path.stat().st_size
    if wanted.size is not None and size != wanted.size:
        raise InputError(
            f"{wanted.name}: {size} bytes, the archive lists {wanted.size}; fetch it again",
            file=wanted.name,
            size=size,
            expected=wanted.size,
        )
    if wanted.sha1 is not None and (sha1 := sha1_of(path)) != wanted.sha1.lower():
        raise InputError(
            f"{wanted.name}: wrong checksum, SHA-1 {sha1}, the server lists {shown(wanted.sha1)}; fetch it again",
            file=wanted.name,
            sha1=sha1,
            expected=wanted.sha1,
        )
    if wanted.fits:
        header = check_fits(path, wanted.name)
        for keyword, value in (wanted.header or {}).items():
            if str(header.get(keyword, "")).strip().upper() != value.upper():
                raise InputError(
                    f"{wanted.name}: {keyword} is '{shown(header.get(keyword, 'missing'))}', needed '{value}';"
                    " the archive sent another file",
                    file=wanted.name,
                    keyword=keyword,
                )


def download(wanted: Wanted, folder: Path, settings: ArchiveSettings, *, progress: Progress = silent) -> Fetched:
    """Bring one file into `folder`, or find it there.

    A file that is there and passes every check is not fetched again. A transfer that broke off, in this run or an
    earlier one, is taken up where it broke if the server proves that its file is still the same. The file gets its name
    after the checks, in one step.

    Parameters
    ----------
    wanted : Wanted
        The file.
    folder : Path
        Where to; it exists.
    settings : ArchiveSettings
        Limits and retries.
    progress : callable
        Called while bytes come.

    Returns
    -------
    fetched : Fetched

    Raises
    ------
    ServiceError
        Unreachable, refused, too slow, or broken off more than ``archive.retries`` times.
    InputError
        What came is not what was wanted.
    SettingsError
        The folder cannot be written, or another process fetches this file.
    """
    target = folder / wanted.name
    if _good(target, wanted):
        progress(wanted.name, target.stat().st_size, wanted.size)
        return Fetched(target, "present")
    transfer = _Transfer(wanted, folder, settings, progress=progress)
    with transfer.held():
        if _good(target, wanted):  # finished by another process since we looked
            return Fetched(target, "present")
        resumed = transfer.resume()
        try:
            transfer.check()
        except InputError:
            transfer.discard()
            if not resumed:
                raise
            # The two halves do not fit together: once more from the start.
            transfer.resume()
            try:
                transfer.check()
            except InputError:
                transfer.discard()
                raise
        transfer.finish(target)
    return Fetched(target, "resumed" if resumed else "fetched")


def _good(path: Path, wanted: Wanted) -> bool:
    """Tell whether the file is there and passes; without a size or checksum to hold it against it must be FITS."""
    if not path.is_file() or path.is_symlink():
        return False
    if wanted.size is None and wanted.sha1 is None and not wanted.fits:
        return False
    try:
        verify(path, wanted)
    except InputError:
        return False
    return True


class _Transfer:
    """The unfinished file ``.NAME.download``, and beside it what the server said of the file it was sending."""

    def __init__(self, wanted: Wanted, folder: Path, settings: ArchiveSettings, *, progress: Progress) -> None:
        self.wanted = wanted
        self.settings = settings
        self.progress = progress
        self.patience = Patience.of(settings)
        self.partial = folder / f".{wanted.name}.download"
        self.memo = folder / f".{wanted.name}.download.json"
        self.stream: BinaryIO

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the unfinished file open and locked."""
        stream = open_locked(self.partial)
        if stream is None:
            name = self.wanted.name
            raise SettingsError(f"{name}: another process is fetching it into this folder; wait for it", file=name)
        with stream as self.stream:
            try:
                yield
            finally:
                # While it is still locked: a later holder must not find its file removed. (Windows refuses, and an
                # empty file stays.)
                if not stream.closed and stream.seek(0, os.SEEK_END) == 0 and bears_name(stream, self.partial):
                    with contextlib.suppress(OSError):
                        self.partial.unlink()

    def discard(self) -> None:
        """Forget what came; the empty file goes when it is let go."""
        self._restart()
        with contextlib.suppress(FileNotFoundError):
            self.memo.unlink()

    def check(self) -> None:
        """Verify the finished transfer."""
        self.stream.flush()
        verify(self.partial, self.wanted)

    def finish(self, target: Path) -> None:
        """Give the file its name."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        if os.name == "nt":  # Windows renames no open file
            self.stream.close()
        os.replace(self.partial, target)
        with contextlib.suppress(FileNotFoundError):
            self.memo.unlink()

    def resume(self) -> bool:
        """Bring the unfinished file to its end; tell whether an earlier part was used."""
        used = False
        for attempt in range(self.settings.retries + 1):
            before = self.stream.seek(0, os.SEEK_END)
            try:
                return self._once() or used
            except _BrokenOffError:
                if attempt == self.settings.retries or self.stream.seek(0, os.SEEK_END) <= before:
                    raise
                used = True
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self) -> bool:
        """Ask for the rest, or for the whole, and write it; tell whether it was the rest."""
        there, validator = self._known()
        if there and there == self.wanted.size:
            return True
        headers = {"Range": f"bytes={there}-"} if there else {}
        if there and validator:
            headers["If-Range"] = validator
        try:
            with opened(self.wanted.url, self.patience, headers=headers) as answer:
                start = _start(answer, there, self.wanted.size)
                if start is not None:
                    self._write(answer, start)
                    return start > 0
        except ServiceError as problem:
            if problem.status != 416:
                raise
        self._restart()
        with opened(self.wanted.url, self.patience) as answer:
            self._write(answer, 0)
        return False

    def _restart(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()

    def _known(self) -> tuple[int, str]:
        """Return how many bytes are there and what identifies the file they belong to; (0, '') to start anew."""
        there = self.stream.seek(0, os.SEEK_END)
        try:
            memo = json.loads(self.memo.read_text("utf-8"))
            same = memo["url"] == self.wanted.url and memo["size"] == self.wanted.size
            validator = str(memo["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, ""
        # Without a validator only the size can tell that the server's file is still the same.
        return (there, validator) if same and (validator or self.wanted.size) else (0, "")

    def _write(self, answer: HttpAnswer, start: int) -> None:
        """Write the body behind the first `start` bytes."""
        total = start + answer.length if answer.length is not None else self.wanted.size
        limit = self.wanted.size if self.wanted.size is not None else _LARGEST
        if total is not None and total > limit:
            raise self._wrong_size(total, limit)
        if start == 0:
            self._restart()
            memo = {"url": self.wanted.url, "size": self.wanted.size, "validator": _validator(answer)}
            write_text(self.memo, json.dumps(memo))
        self.stream.seek(start)
        done, window, mark = start, time.monotonic(), start
        for part in self._parts(answer, start):
            self.stream.write(part)
            done += len(part)
            if done > limit:
                raise self._wrong_size(done, limit)
            self.progress(self.wanted.name, done, total)
            if time.monotonic() - window > self.patience.answer:
                self._fast_enough(done - mark, time.monotonic() - window)
                window, mark = time.monotonic(), done
        if total is not None and done < total:
            raise _BrokenOffError(
                f"{shown(self.wanted.url)}: truncated, {done} of {total} bytes came; the same command goes on there",
                url=self.wanted.url,
                size=done,
                expected=total,
            )

    def _parts(self, answer: HttpAnswer, start: int) -> Iterator[bytes]:
        """Yield the body; where it breaks off, say so and how much of the file is here."""
        done = start
        try:
            for part in answer.parts():
                done += len(part)
                yield part
            return
        except TimeoutError:
            reason = f"silent for {self.patience.answer:g} s (archive.timeout)"
        except ConnectionError as problem:
            reason = f"the connection broke ({shown(problem)})"
        raise _BrokenOffError(
            f"{shown(self.wanted.url)}: {reason} after {done} bytes; the same command goes on there",
            url=self.wanted.url,
            size=done,
        )

    def _wrong_size(self, sent: int, expected: int) -> InputError:
        return InputError(
            f"{self.wanted.name}: the server sends {sent} bytes or more, the archive lists {expected}",
            file=self.wanted.name,
            size=sent,
            expected=expected,
        )

    def _fast_enough(self, size: int, seconds: float) -> None:
        if size < self.settings.slowest * seconds:
            raise ServiceError(
                f"{shown(self.wanted.url)}: {size / seconds:.0f} byte/s, slower than {self.settings.slowest:g}"
                " (archive.slowest); the same command goes on there",
                url=self.wanted.url,
            )


def _start(answer: HttpAnswer, there: int, size: int | None) -> int | None:
    """Return where the body of this answer belongs; None where the answer cannot be used."""
    if answer.status != 206:
        return 0
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != there or (size is not None and int(match[3]) != size):
        return None
    return there


def _validator(answer: HttpAnswer) -> str:
    """Return what identifies this version of a file: a strong ETag, or the time of its last change."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
