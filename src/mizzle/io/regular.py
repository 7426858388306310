"""Files as they may be read: regular ones, of a size known before memory is taken, recognized by their content."""

from __future__ import annotations

import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mizzle.errors import InputError

#: Most bytes of a file of each kind, unpacked. The largest exposures of Hubble's cameras have 170 MB.
EXPOSURE_LIMIT = 700_000_000
IMAGE_LIMIT = 8_000_000_000
TABLE_LIMIT = 500_000_000
TEXT_LIMIT = 20_000_000

#: First bytes of what is taken for a FITS file by mistake, and what to do about it.
_PACKED = (
    (b"BZh", "packed with bzip2; unpack it (bunzip2), or pack it with gzip"),
    (b"\xfd7zXZ\x00", "packed with xz; unpack it (unxz), or pack it with gzip"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"\x1f\x9d", "packed with compress; unpack it (uncompress), or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it (unzstd), or pack it with gzip"),
    (b"\x89HDF", "an HDF5 file; FITS is needed"),
    (b"%PDF", "a PDF file; FITS is needed"),
    (b"\x89PNG", "a PNG picture; FITS is needed"),
)
_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


def refusal(path: str | os.PathLike[str], why: str) -> InputError:
    """Build the error that names a file and what is wrong with it."""
    return InputError(f"{path}: {why}", file=str(path))


@contextmanager
def open_regular(path: str | os.PathLike[str], limit: int = EXPOSURE_LIMIT) -> Iterator[BinaryIO]:
    """Open a regular file for reading; nothing else is opened, and nothing waits.

    Parameters
    ----------
    path : str or path
        The file; a link to a regular file counts as one.
    limit : int
        Most bytes it may have.

    Raises
    ------
    InputError
        It is missing, a folder, a pipe, a device or a socket, too large, or may not be read.
    """
    # Opening a pipe waits for its writer unless told not to; looking before opening would leave a moment between.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    try:
        _check_kind(path, os.stat(path), limit)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as problem:
        raise refusal(path, f"cannot be read: {reason(problem)}") from problem
    with os.fdopen(descriptor, "rb") as stream:
        _check_kind(path, os.fstat(descriptor), limit)
        yield stream


def _check_kind(path: str | os.PathLike[str], status: os.stat_result, limit: int) -> None:
    """Refuse what is no regular file, or too large."""
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }  # fmt: skip
    if not stat.S_ISREG(status.st_mode):
        what = kinds.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise refusal(path, f"{what}; only regular files are read")
    if status.st_size > limit:
        raise refusal(path, f"{status.st_size} bytes; no file of this kind has more than {limit}")


def reason(problem: BaseException) -> str:
    """Return the first line of what an exception says, never empty."""
    text = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
    return str(text).strip().splitlines()[0][:200]


def read_limited(path: str | os.PathLike[str], limit: int = TEXT_LIMIT) -> bytes:
    """Return the content of a regular file, as it is.

    Raises
    ------
    InputError
        As for `open_regular`.
    """
    with open_regular(path, limit) as stream:
        try:
            content = stream.read(limit + 1)
        except OSError as problem:
            raise refusal(path, f"cannot be read: {reason(problem)}") from problem
    if len(content) > limit:  # a file of /proc says that it has 0 bytes
        raise refusal(path, f"more than {limit} bytes; no file of this kind has as many")
    return content


def is_gzip(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is packed with gzip."""
    return head.startswith(_GZIP)


def packed_as(head: bytes) -> str:
    """Say how a file is packed, or what else it is that nobody reads here; nothing where it may be read."""
    return next((what for first, what in _PACKED if head.startswith(first)), "")


def not_fits(head: bytes) -> str:
    """Say what a file is that does not begin as FITS does.

    Parameters
    ----------
    head : bytes
        Its first bytes, some hundred.

    Examples
    --------
    >>> not_fits(b"BZh91AY&SY")
    'packed with bzip2; unpack it (bunzip2), or pack it with gzip'
    """
    if what := packed_as(head):
        return what
    if not head.strip(b"\0"):
        return "empty" if not head else "not FITS (it begins with zeros); fetch it again"
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "not FITS but a web page; fetch it again"
    return "not FITS (it does not begin with SIMPLE); fetch it again"


class Inflated:
    """A gzip file read as what is packed in it, forward only, never more than is asked for.

    Parameters
    ----------
    stream : binary file
        The packed file.
    limit : int
        Most bytes that may come out.

    Notes
    -----
    Members that follow one another are one file (RFC 1952); zeros behind the last one are padding.
    """

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream, self._left = stream, limit
        self._limit = limit
        self._packed = b""
        self._engine = zlib.decompressobj(wbits=31)
        self._ended = False

    def read(self, length: int) -> bytes:
        """Return `length` bytes, fewer at the end.

        Raises
        ------
        EOFError
            The packed stream ends too early.
        OverflowError
            More comes out than may.
        zlib.error
            It is damaged.
        """
        parts: list[bytes] = []
        while length and not self._ended:
            if not self._packed:
                self._packed = self._stream.read(_PIECE)
                if not self._packed:
                    raise EOFError("the packed stream ends too early")
            part = self._engine.decompress(self._packed, length)
            self._packed = self._engine.unconsumed_tail
            if self._engine.eof:
                self._next_member(self._engine.unused_data)
            self._left -= len(part)
            if self._left < 0:
                raise OverflowError(f"more than {self._limit} bytes come out of it")
            length -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _next_member(self, rest: bytes) -> None:
        """Go on with what follows a member: another one, padding, or the end."""
        while True:
            rest = rest.lstrip(b"\0")
            if rest:
                break
            rest = self._stream.read(_PIECE)
            if not rest:
                self._ended = True
                return
        if not is_gzip((rest + self._stream.read(2))[:2] if len(rest) < 2 else rest):
            raise zlib.error("something that is not gzip follows the packed stream")
        self._packed, self._engine = rest, zlib.decompressobj(wbits=31)


def unpack(content: bytes, limit: int, where: str) -> bytes:
    """Return what is packed with gzip, up to a limit.

    Raises
    ------
    InputError
        It is damaged, or more comes out of it than may.
    """
    stream, parts = Inflated(io.BytesIO(content), limit), []
    try:
        while part := stream.read(_PIECE):
            parts.append(part)
    except (EOFError, OverflowError, zlib.error) as problem:
        raise refusal(where, f"compressed file is damaged: {reason(problem)}") from problem
    return b"".join(parts)


def local_path(text: str | os.PathLike[str]) -> Path:
    """Return a path; an address on the network is none.

    Raises
    ------
    InputError
        It names a protocol (``http:``, ``s3:``).
    """
    head, colon, rest = os.fspath(text).partition("://")
    if colon and head.isalnum() and rest:
        raise refusal(text, "an address, not a file; the network is not used here: fetch it first, and name the file")
    return Path(text)
