"""A FITS file that can be changed: headers card by card, pixels where they are asked for, all else as it was.

What is not touched keeps its bytes, so that a file of ten megabytes is rewritten in the time that copying takes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError
from mizzle.io.binary_table import decode_table
from mizzle.io.cards import BLOCK
from mizzle.io.checksum import ascii_sum
from mizzle.io.editable_header import EditableHeader
from mizzle.io.header_cards import Card, array_cards, card_images
from mizzle.io.image_unit import UNREADABLE
from mizzle.io.pixels import StoredPlane, load_plane, load_stored
from mizzle.io.regular import IMAGE_LIMIT, reason
from mizzle.io.structure import data_sum, find_units, units_in
from mizzle.kernel.pixels import to_native

#: So many pixels are turned around, or bytes copied, at a time.
_PIECE = 2**18
#: What unsigned 16-bit numbers are stored less (FITS 4.0, section 4.4.2.5).
_UNSIGNED = 32768


@dataclass(frozen=True)
class StoredData:
    """Data as they stand in a file, padded.

    Parameters
    ----------
    path : Path
        The file.
    start, length : int
        Where they are in it, or in `content` [byte].
    content : bytes, optional
        In memory.
    """

    path: Path
    start: int
    length: int
    content: bytes | None = None

    @classmethod
    def of(cls, content: bytes) -> StoredData:
        """Return data in memory."""
        return cls(Path(), 0, len(content), content)

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Return the data, some at a time."""
        if self.content is not None:
            yield memoryview(self.content)[self.start : self.start + self.length]
        elif self.length:
            with self.path.open("rb") as stream:
                stream.seek(self.start)
                for first in range(0, self.length, _PIECE):
                    yield stream.read(min(_PIECE, self.length - first))


class EditableUnit:
    """A header with its data: an image, a table, or nothing.

    Parameters
    ----------
    header : EditableHeader
        May be changed, or replaced.
    stored : StoredData
        The data as they stand in a file.
    """

    def __init__(self, header: EditableHeader, stored: StoredData | None = None) -> None:
        self.header, self.stored = header, stored or StoredData.of(b"")
        self._image: NDArray[Any] | None = None

    @classmethod
    def of_image(
        cls,
        image: NDArray[Any] | None,
        cards: Iterable[Card],
        *,
        primary: bool = False,
        name: str = "",
        version: int = 0,
    ) -> EditableUnit:
        """Return a new image with its header.

        Parameters
        ----------
        image : array, optional
            Pixels; None for a header alone.
        cards : iterable of (keyword, value, comment)
            Beside those that describe the array.
        primary : bool
            It comes first in its file.
        name, version : str, int
            EXTNAME and EXTVER of an extension.
        """
        own = array_cards((), np.dtype(np.uint8), extension=not primary)
        if name:
            own.append(("EXTNAME", name, "extension name"))
        if version:
            own.append(("EXTVER", version, "extension value"))
        made = cls(EditableHeader(card_images([*own, *cards])))
        if image is not None:
            made.data = image
        return made

    @property
    def name(self) -> str:
        """EXTNAME in capitals; empty where there is none."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def data(self) -> NDArray[Any] | None:
        """The image, in native byte order, scaled; None where there is none."""
        if self._image is None and self.header.get("XTENSION", "IMAGE") == "IMAGE" and self._shape():
            return self._decoded()
        return self._image

    @data.setter
    def data(self, image: NDArray[Any]) -> None:
        self._image, self.stored = image, StoredData.of(b"")
        unsigned = image.dtype == np.uint16
        cards = array_cards(image.shape, np.dtype(np.int16) if unsigned else image.dtype)[1:]
        dropped = {"BITPIX", "NAXIS", "BSCALE", "BZERO", "BLANK", *(f"NAXIS{number}" for number in range(1, 10))}
        first, *others = self.header.images
        kept = [card for card in others if card[:8].rstrip() not in dropped]
        self.header = EditableHeader([first, *card_images(cards), *kept])
        if unsigned:
            self.header["BSCALE"], self.header["BZERO"] = (1, "unsigned numbers"), (_UNSIGNED, "unsigned numbers")

    @property
    def records(self) -> NDArray[Any] | None:
        """The rows of a binary table, as they stand in the file; None where there is none."""
        if self.header.get("XTENSION") != "BINTABLE":
            return None
        return decode_table(self.header, b"".join(self.stored.pieces()))

    def write(self, stream: BinaryIO) -> None:
        """Write header and data; sums of them are made anew where the header has any."""
        if "DATASUM" in self.header or "CHECKSUM" in self.header:
            self._sum_up()
        stream.write(self.header.to_bytes())
        for piece in self._pieces():
            stream.write(piece)

    def _pieces(self) -> Iterator[Any]:
        """Return the data as they stand in a file, some at a time."""
        image = self._image
        if image is None:
            yield from self.stored.pieces()
            return
        flat = image.reshape(-1)
        if image.dtype == np.uint16:
            flat = (flat ^ np.uint16(_UNSIGNED)).view(np.int16)
        for first in range(0, flat.size, _PIECE):
            piece = flat[first : first + _PIECE]
            yield piece.astype(piece.dtype.newbyteorder(">")).data
        yield bytes(-image.nbytes % BLOCK)

    def _sum_up(self) -> None:
        """Write DATASUM and CHECKSUM (FITS 4.0, appendix J)."""
        data = b"".join(self._pieces())
        total = data_sum(data)
        self.header["DATASUM"] = (str(total), "data unit checksum")
        self.header["CHECKSUM"] = ("0" * 16, "HDU checksum")
        self.header["CHECKSUM"] = (ascii_sum(data_sum(self.header.to_bytes(), total)), "HDU checksum")

    def _shape(self) -> tuple[int, ...]:
        count = int(self.header.get("NAXIS", 0))
        return tuple(int(self.header.get(f"NAXIS{number}", 0)) for number in range(count, 0, -1))

    def _decoded(self) -> NDArray[Any]:
        """Read the image; integers and unscaled numbers stay what they are."""
        header, shape = self.header, self._shape()
        scale, zero, blank = (header.get(key, usual) for key, usual in (("BSCALE", 1), ("BZERO", 0), ("BLANK", None)))
        size = (int(np.prod(shape[:-1])), shape[-1])
        stored = self.stored
        plane = StoredPlane(
            stored.path, stored.start, int(header["BITPIX"]), size, float(scale), float(zero), None, blank
        )
        if scale == 1 and blank is None and (zero == 0 or (zero == _UNSIGNED and plane.bitpix == 16)):
            raw = to_native(load_stored(plane, stored.content))
            return (raw if zero == 0 else raw.view(np.uint16) ^ np.uint16(_UNSIGNED)).reshape(shape)
        return load_plane(plane, stored.content).reshape(shape)


def _without_tiles(path: Path, content: bytes | None) -> bytes:
    """Return a file with its images unpacked from tiles."""
    from astropy.io import fits

    source: Any = path if content is None else io.BytesIO(content)
    whole = io.BytesIO()
    try:
        with warnings.catch_warnings(), fits.open(source, memmap=False) as hdus:
            warnings.simplefilter("ignore")  # odd but readable cards warn
            tiles = fits.CompImageHDU
            plain = [fits.ImageHDU(hdu.data, hdu.header) if isinstance(hdu, tiles) else hdu for hdu in hdus]
            fits.HDUList(plain).writeto(whole, output_verify="ignore")
    except (*UNREADABLE, fits.VerifyError) as problem:
        raise InputError(f"{path}: its tiles cannot be unpacked: {reason(problem)}", file=str(path)) from problem
    return whole.getvalue()


class EditableFile:
    """The units of one FITS file: their headers in memory, their data where they are until they are asked for.

    Parameters
    ----------
    units : iterable of EditableUnit
        PRIMARY first.
    """

    def __init__(self, units: Iterable[EditableUnit]) -> None:
        self.units = list(units)

    @classmethod
    def read(cls, path: Path, limit: int = IMAGE_LIMIT) -> EditableFile:
        """Read a file, packed with gzip or not, of so many bytes at most.

        Images in compressed tiles are unpacked, and will be written as plain ones.

        Raises
        ------
        InputError
            It is not there, or not a whole FITS file.
        """
        units, content = find_units(path, limit)
        if any(unit.cards.get("ZIMAGE") is True for unit in units):
            content = _without_tiles(path, content)
            units = units_in(content, str(path))
        return cls(
            EditableUnit(EditableHeader.of_bytes(unit.header), StoredData(path, unit.start, unit.padded, content))
            for unit in units
        )

    def write(self, stream: BinaryIO) -> None:
        """Write the whole file."""
        for unit in self.units:
            unit.write(stream)

    def __len__(self) -> int:
        return len(self.units)

    def __iter__(self) -> Iterator[EditableUnit]:
        return iter(self.units)

    def __getitem__(self, where: Any) -> EditableUnit:
        """Return a unit by its number, its name, or name and version.

        Raises
        ------
        IndexError, KeyError
            There is none.
        """
        if not isinstance(where, str | tuple):
            unit: EditableUnit = self.units[where]
            return unit
        name, version = (where, None) if isinstance(where, str) else where
        for unit in self.units:
            if unit.name == str(name).strip().upper() and version in (None, unit.header.get("EXTVER", 1)):
                return unit
        raise KeyError(where)

    def append(self, unit: EditableUnit) -> None:
        """Put an extension at the end."""
        self.units.append(unit)

    def drop(self, *names: str) -> None:
        """Take the extensions of these names out."""
        self.units[1:] = [unit for unit in self.units[1:] if unit.name not in names]
