"""The few keywords that grouping needs, read from thousands of files: two headers each, no pixels.

A file is looked at once: what it said is kept with its size and time of change, and asked again only if those differ.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from mizzle.errors import InputError, MizzleError
from mizzle.instrument.keywords import FILTERS
from mizzle.io.atomic import write_text
from mizzle.io.cards import BLOCK, CARD
from mizzle.io.patient import in_time
from mizzle.model import HeaderValue

#: Keywords of the primary header and of the first extension that are kept.
PRIMARY = frozenset(
    (
        *("INSTRUME", "DETECTOR", "ROOTNAME", "PROPOSID", "TARGNAME"),
        *(keyword for keywords in FILTERS for keyword in keywords),
        *("EXPTIME", "EXPSTART", "DATE-OBS", "RA_TARG", "DEC_TARG", "NEXTEND", "CRVAL1", "CRVAL2", "NAXIS"),
        *("BITPIX", "NAXIS1", "NAXIS2", "NAXIS3"),
    )
)
EXTENSION = frozenset(("CRVAL1", "CRVAL2", "NAXIS1", "NAXIS2", "ZNAXIS1", "ZNAXIS2", "EXTNAME"))

#: Threads that read headers: they wait for disks more than they work.
READERS = 8
#: A file whose headers take longer is not waited for [s].
_PATIENCE = 60.0

#: Blocks of the longest header that is read: 36 cards each.
_LONGEST = 500
#: Changed when what is kept changes.
_FORMAT = 1


@dataclass(frozen=True)
class FileStamp:
    """Size and time of change of a file: as long as they stay, its content is taken as the same.

    Parameters
    ----------
    size : int
        Bytes.
    changed : int
        Time of the last change [ns].
    """

    size: int
    changed: int

    @classmethod
    def of(cls, path: str | Path) -> FileStamp:
        """Look at a file.

        Raises
        ------
        InputError
            It is not there, or no regular file.
        """
        try:
            status = Path(path).stat()
        except OSError as problem:
            raise InputError(f"{path}: cannot be read: {problem.strerror}", file=str(path)) from problem
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: not a regular file; needed a FITS file", file=str(path))
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class FileKeywords:
    """What the headers of one file say.

    Parameters
    ----------
    path : str
        The file.
    stamp : FileStamp
        Of the file as it was read.
    primary, extension : mapping
        Keywords of the primary header and of the first extension, of those named in `PRIMARY` and `EXTENSION`.
    """

    path: str
    stamp: FileStamp
    primary: Mapping[str, HeaderValue]
    extension: Mapping[str, HeaderValue]


@dataclass
class HeaderCache:
    """What files said, by path; valid as long as a file's stamp stays.

    Parameters
    ----------
    entries : dict
        By path.
    """

    entries: dict[str, FileKeywords] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> HeaderCache:
        """Read a saved cache; an absent, damaged or old one is an empty one."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            saved = json.loads(Path(path).read_text(encoding="utf-8"))
            if saved["format"] == _FORMAT:
                rows = saved["files"].items()
                return cls({name: FileKeywords(name, FileStamp(*row[0]), row[1], row[2]) for name, row in rows})
        return cls()

    def save(self, path: str | Path) -> None:
        """Write the cache; it appears whole or not at all."""
        rows = {
            name: [[entry.stamp.size, entry.stamp.changed], dict(entry.primary), dict(entry.extension)]
            for name, entry in self.entries.items()
        }
        write_text(path, json.dumps({"format": _FORMAT, "files": rows}, separators=(",", ":")))

    def read(self, paths: Iterable[str | Path], *, threads: int = READERS) -> dict[str, FileKeywords | MizzleError]:
        """Return what each file says, or what is wrong with it; files seen before are not opened.

        Parameters
        ----------
        paths : iterable of str or Path
            FITS files.
        threads : int
            They hide the waiting for a slow disk; a file that does not answer in time is a problem of its own.
        """

        def look(path: str) -> FileKeywords | MizzleError:
            try:
                stamp = FileStamp.of(path)
                known = self.entries.get(path)
                return known if known is not None and known.stamp == stamp else read_keywords(path, stamp)
            except MizzleError as problem:
                return problem

        names = [str(path) for path in paths]
        answers: dict[str, FileKeywords | MizzleError] = {}
        for name, answer in zip(names, in_time(look, names, limit=_PATIENCE, threads=threads), strict=True):
            late = f"{name}: its headers could not be read within {_PATIENCE:.0f} s; the disk it is on does not answer"
            answers[name] = InputError(late, file=name) if answer is None else answer
        self.entries |= {name: entry for name, entry in answers.items() if isinstance(entry, FileKeywords)}
        return answers


def read_keywords(path: str | Path, stamp: FileStamp | None = None) -> FileKeywords:
    """Read the primary header and that of the first extension.

    Parameters
    ----------
    path : str or Path
        A FITS file, gzipped or not.
    stamp : FileStamp, optional
        Of this file, where it is known.

    Raises
    ------
    InputError
        Not FITS, cut off within a header, or unreadable.
    """
    stamp = stamp or FileStamp.of(path)
    try:
        with _opened(path) as stream:
            primary = _wanted(_header(stream, path), PRIMARY, path)
            extension: dict[str, HeaderValue] = {}
            # The old form keeps its pixels in the primary unit: it has said all that is needed.
            if primary.get("NAXIS", 0) == 0 and primary.get("NEXTEND", 1) != 0:
                extension = _wanted(_header(stream, path), EXTENSION, path)
    except (OSError, EOFError, zlib.error) as problem:
        raise InputError(f"{path}: cannot be read: {problem}", file=str(path)) from problem
    return FileKeywords(str(path), stamp, primary, extension)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file, unzipping if it is zipped, whatever it is called."""
    with Path(path).open("rb") as stream:
        if stream.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=stream, mode="rb") as plain:
                yield cast("BinaryIO", plain)
        else:
            yield stream


def _header(stream: BinaryIO, path: str | Path) -> list[bytes]:
    """Read the cards of the header that begins here."""
    cards: list[bytes] = []
    for _ in range(_LONGEST):
        block = stream.read(BLOCK)
        if len(block) < BLOCK or (not cards and block[:9] not in (b"SIMPLE  =", b"XTENSION=")):
            break
        for start in range(0, BLOCK, CARD):
            card = block[start : start + CARD]
            if card[:8] == b"END     ":
                return cards
            cards.append(card)
    what = "its header does not end" if cards else "not a FITS file, or cut off"
    raise InputError(f"{path}: {what}; fetch the file again", file=str(path))


def _wanted(cards: list[bytes], names: frozenset[str], path: str | Path) -> dict[str, HeaderValue]:
    """Return the values of some cards; of a repeated one the first counts."""
    from astropy.io.fits import Card, VerifyError

    values: dict[str, Any] = {}
    for card in cards:
        name = card[:8].decode("latin-1").rstrip()
        if name not in names or name in values:
            continue
        try:
            value = Card.fromstring(card).value
        except (ValueError, VerifyError) as problem:
            raise InputError(f"{path}: the card {name} cannot be read: {problem}", file=str(path)) from problem
        if isinstance(value, str | int | float | bool):
            values[name] = value
    return values
