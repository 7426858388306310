"""WCS out: a chip's frame as header cards and a lookup table that plain `astropy.wcs` reads; the WCSs of a header.

The row term is written as a detector-to-image lookup (``D2IM``, FITS WCS Paper IV draft, as HST files have it) of one
column with a sample at each row *edge*. Readers interpolate linearly between samples, so the table says what the model
says at every position, the narrow rows included; a table sampled at row centers would smear each narrow row over two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from mizzle.model.frame import ChipFrame
from mizzle.model.lookup import LookupTable

Card = tuple[str, str | int | float | bool, str]
Header = Mapping[str, Any]

#: Where frames from the tables or old headers are: guide stars of the GSC, read as FK5.
DEFAULT_RADESYS = "FK5"

_SUFFIXED = tuple(
    f"{word}{index}"
    for word, indices in {
        "WCSAXES": ("",),
        "WCSNAME": ("",),
        "CTYPE": (1, 2),
        "CUNIT": (1, 2),
        "CRVAL": (1, 2),
        "CRPIX": (1, 2),
        "CD": ("1_1", "1_2", "2_1", "2_2"),
        "PC": ("1_1", "1_2", "2_1", "2_2"),
        "CDELT": (1, 2),
        "CROTA": (2,),
        "ORIENTAT": ("",),
        "LONPOLE": ("",),
        "LATPOLE": ("",),
        "RADESYS": ("",),
        "EQUINOX": ("",),
        "WCSTYPE": ("",),
        "NMATCH": ("",),
        "RMS_RA": ("",),
        "RMS_DEC": ("",),
    }.items()
    for index in indices
)
_DISTORTION = re.compile(
    r"^(A|B|AP|BP)_(ORDER|DMAX|\d_\d)$|^(D2IM|CPDIS|CQDIS|CPERR|CQERR|D2IMERR|D2IMDIS|DP|DQ)[12](\..*)?$|^D2IMEXT$"
    r"|^NPOLEXT$|^AXISCORR$|^IDC(SCALE|THETA|[XYV][23]?REF)$|^OC[XY]1[01]$|^C[XY]1[01]$"
)
_PRIMARY_ONLY = frozenset({"RADECSYS", "VAFACTOR", "MIR_REVR"})


def is_wcs_keyword(keyword: str) -> bool:
    """Return whether a keyword belongs to a header's primary WCS or its distortion (alternates do not count).

    A writer drops these from the input's header before it adds `frame_cards`.

    Examples
    --------
    >>> [is_wcs_keyword(k) for k in ("CRVAL1", "A_2_0", "D2IM2.EXTVER", "CRVAL1O", "PHOTFLAM")]
    [True, True, True, False, False]
    """
    return keyword in _SUFFIXED or bool(_DISTORTION.match(keyword)) or keyword in _PRIMARY_ONLY


def table_cards(table: LookupTable, version: int, name: str = "D2IMARR") -> list[Card]:
    """Return the header cards of the extension that holds a lookup table.

    Parameters
    ----------
    table : LookupTable
        Its samples are the extension's array.
    version : int
        EXTVER.
    name : str
        EXTNAME: ``D2IMARR`` or ``WCSDVARR``.
    """
    cards: list[Card] = [
        ("EXTNAME", name, "WCS distortion array"),
        ("EXTVER", version, f"version; {'D2IM' if name == 'D2IMARR' else 'DP'}n.EXTVER of the SCI extension"),
    ]
    for axis in (0, 1):
        cards += [
            (f"CRPIX{axis + 1}", table.crpix[axis], "sample of the reference point"),
            (f"CRVAL{axis + 1}", table.crval[axis], "[pixel] its position in the image"),
            (f"CDELT{axis + 1}", table.cdelt[axis], "[pixel] between samples"),
        ]
    return cards


def row_lookup(frame: ChipFrame) -> LookupTable | None:
    """Return the frame's row term (or the incumbent's column term) as a table; None where it has neither."""
    if frame.columns.size:
        return LookupTable(frame.columns.astype(np.float32)[None, :], (1.0, 1.0), (1.0, 1.0))
    if np.any(frame.row_edges):
        return LookupTable(frame.row_edges.astype(np.float32)[:, None], (1.0, 1.0), (1.0, 0.5))
    return None


class TableExtension(NamedTuple):
    """A lookup table as an extension of a file: EXTNAME, EXTVER, the axis it shifts (1: x, 2: y), the table."""

    name: str
    version: int
    axis: int
    table: LookupTable


def table_extensions(frame: ChipFrame, number: int) -> list[TableExtension]:
    """Return the extensions that hold a frame's row term, or its lookup tables.

    Parameters
    ----------
    frame : ChipFrame
        Of the chip.
    number : int
        EXTVER of the chip's SCI extension: the row term takes it too, lookup tables ``2 number - 1`` (x) and
        ``2 number`` (y), as HST's files have them.
    """
    row = row_lookup(frame)
    if row is not None:
        return [TableExtension("D2IMARR", number, 2, row)]
    tables = frame.tables
    places = (
        ("D2IMARR", 1, tables.d2im_x),
        ("D2IMARR", 2, tables.d2im_y),
        ("WCSDVARR", 1, tables.npol_x),
        ("WCSDVARR", 2, tables.npol_y),
    )
    first = 2 * number - 2
    return [TableExtension(name, first + axis, axis, table) for name, axis, table in places if table is not None]


def _record_cards(extension: TableExtension) -> list[Card]:
    """Return the cards of the SCI header that lead to a table."""
    axis, detector = extension.axis, extension.name == "D2IMARR"
    error, kind, record = ("D2IMERR", "D2IMDIS", "D2IM") if detector else ("CPERR", "CPDIS", "DP")
    what = f"{'detector to image' if detector else 'prior distortion'}: shift in {'xy'[axis - 1]}"
    return [
        (f"{error}{axis}", float(np.abs(extension.table.data).max()), "[pixel] largest shift of the table"),
        (f"{kind}{axis}", "Lookup", what),
        (f"{record}{axis}.EXTVER", float(extension.version), f"EXTVER of the {extension.name} extension"),
        (f"{record}{axis}.NAXES", 2.0, "number of variables"),
        (f"{record}{axis}.AXIS.1", 1.0, "first variable"),
        (f"{record}{axis}.AXIS.2", 2.0, "second variable"),
    ]


def _sip_cards(frame: ChipFrame) -> list[Card]:
    """Return the SIP cards; zero coefficients are left out, as readers take them for zero."""
    order = frame.sip_a.shape[0] - 1
    cards: list[Card] = [
        ("A_ORDER", order, "SIP polynomial order, x"),
        ("B_ORDER", order, "SIP polynomial order, y"),
    ]
    for letter, table in (("A", frame.sip_a), ("B", frame.sip_b)):
        for p, q in zip(*np.nonzero(table), strict=True):
            cards.append((f"{letter}_{p}_{q}", float(table[p, q]), "SIP distortion coefficient"))
    return cards


_FACT_COMMENTS = {
    "IDCSCALE": "[arcsec] pixel side of the distortion table",
    "IDCTHETA": "[deg] chip against the V3 axis",
    "IDCXREF": "reference pixel of the distortion, x",
    "IDCYREF": "reference pixel of the distortion, y",
    "IDCV2REF": "[arcsec] V2 of the reference pixel",
    "IDCV3REF": "[arcsec] V3 of the reference pixel",
    "OCX10": "[arcsec] linear term of the distortion table",
    "OCX11": "[arcsec] linear term of the distortion table",
    "OCY10": "[arcsec] linear term of the distortion table",
    "OCY11": "[arcsec] linear term of the distortion table",
    "VAFACTOR": "velocity aberration factor, applied",
}


def frame_cards(frame: ChipFrame, *, lookup_version: int = 1) -> list[Card]:
    """Return the complete primary WCS of a chip as ``(keyword, value, comment)``.

    Parameters
    ----------
    frame : ChipFrame
        Model or aligned.
    lookup_version : int
        EXTVER of the chip's SCI extension, from which those of its tables follow (`table_extensions`); the keywords
        that name them are left out where the frame has none.

    Returns
    -------
    cards : list
        In writing order. ``D2IM2.EXTVER`` and its like are record-valued; `astropy.io.fits` takes them as they are.
    """
    has_sip = bool(np.any(frame.sip_a) or np.any(frame.sip_b))
    suffix = "-SIP" if has_sip else ""
    radesys = str(frame.facts.get("RADESYS", DEFAULT_RADESYS))
    cards: list[Card] = [
        ("WCSAXES", 2, "number of world axes"),
        ("WCSNAME", frame.name[:68], "where this WCS comes from"),
        ("CTYPE1", f"RA---TAN{suffix}", "right ascension, gnomonic"),
        ("CTYPE2", f"DEC--TAN{suffix}", "declination, gnomonic"),
        ("CUNIT1", "deg", "unit"),
        ("CUNIT2", "deg", "unit"),
        ("CRVAL1", float(frame.crval[0]), "[deg] right ascension at CRPIX"),
        ("CRVAL2", float(frame.crval[1]), "[deg] declination at CRPIX"),
        ("CRPIX1", float(frame.crpix[0]), "reference pixel, x"),
        ("CRPIX2", float(frame.crpix[1]), "reference pixel, y"),
    ]
    for i in (0, 1):
        for j in (0, 1):
            cards.append((f"CD{i + 1}_{j + 1}", float(frame.cd[i, j]), "[deg / pixel]"))
    cards += [
        ("RADESYS", radesys, "frame of the coordinates"),
        ("ORIENTAT", frame.orientation(), "[deg] position angle of y, north through east"),
    ]
    if radesys == "FK5":
        cards.insert(-1, ("EQUINOX", 2000.0, "equinox"))
    if has_sip:
        cards += _sip_cards(frame)
    cards += [(key, frame.facts[key], text) for key, text in _FACT_COMMENTS.items() if key in frame.facts]
    return cards + [card for table in table_extensions(frame, lookup_version) for card in _record_cards(table)]


def wcs_letters(header: Header) -> list[str]:
    """Return the letters of a header's WCSs; ``""`` is the primary one."""
    return [key for key in ("", *ascii_uppercase) if f"CRVAL1{key}" in header and f"CTYPE1{key}" in header]


def wcs_names(header: Header) -> list[str]:
    """Name the WCSs of a header for people: the primary first, alternates with their letter.

    A WCS without name is called by what it is: ``SIP``, ``linear``.

    Examples
    --------
    >>> wcs_names({"CTYPE1": "RA---TAN", "CRVAL1": 1.0, "CTYPE1O": "RA---TAN", "CRVAL1O": 1.0, "WCSNAMEO": "OPUS"})
    ['linear', 'O:OPUS']
    """
    names = []
    for key in wcs_letters(header):
        kind = "SIP" if str(header[f"CTYPE1{key}"]).strip().endswith("-SIP") else "linear"
        name = str(header.get(f"WCSNAME{key}", "")).strip() or kind
        names.append(f"{key}:{name}" if key else name)
    return names


def next_letter(header: Header) -> str:
    """Return the letter under which a header's primary WCS is kept next: O for the archive's first one, then A to Z.

    Examples
    --------
    >>> next_letter({"CTYPE1": "RA---TAN", "CRVAL1": 1.0})
    'O'
    >>> next_letter({"CTYPE1": "RA---TAN-SIP", "CRVAL1": 1.0, "CTYPE1O": "RA---TAN", "CRVAL1O": 1.0})
    'A'
    """
    taken = wcs_letters(header)
    return next((key for key in ("O", *ascii_uppercase) if key not in taken), "")


def alternate_cards(
    header: Header, *, archive_primary: bool = True, letters: Sequence[str] = ("O", *reversed(ascii_uppercase))
) -> list[Card]:
    """Return the input's WCSs to keep as alternates of a rewritten header.

    Parameters
    ----------
    header : mapping
        The input's SCI header.
    archive_primary : bool
        Keep its primary WCS too: as ``O`` (named OPUS, unless it has a name), where no alternate holds the same
        pointing yet and a letter is free.
    letters : sequence of str
        Where the primary WCS may go, the best first.

    Returns
    -------
    cards : list
        Linear part, name and fit statistics of each; SIP coefficients have no letters and cannot be kept, so the CTYPE
        of an alternate says plain TAN.
    """
    taken = [key for key in wcs_letters(header) if key]
    cards = [card for key in taken for card in _copy(header, key, key)]
    same = any(all(header.get(f"{k}{key}") == header.get(k) for k in ("CRVAL1", "CRVAL2", "CD1_1")) for key in taken)
    if archive_primary and "" in wcs_letters(header) and not same:
        free = [key for key in letters if key not in taken]
        if free:
            cards += _copy(header, "", free[0])
            if "WCSNAME" not in header:
                cards.append((f"WCSNAME{free[0]}", "OPUS", "WCS of the input"))
    return cards


def _copy(header: Header, key: str, letter: str) -> list[Card]:
    """Copy the linear WCS `key` to `letter`; its CTYPE says plain TAN."""
    return [
        (keyword, str(value).strip().removesuffix("-SIP") if keyword.startswith("CTYPE") else value, comment)
        for keyword, value, comment in lettered_cards(header, key, letter)
    ]


def lettered_cards(header: Header, key: str, letter: str) -> list[Card]:
    """Return the linear WCS of one letter under another, name and fit statistics too; ``""`` is the primary one."""
    cards: list[Card] = []
    for word in _SUFFIXED:
        value = header.get(word + key)
        if value is not None and len(word) + 1 <= 8:
            cards.append((word + letter, value, "WCS of the input"))
    return cards


def lettered_keywords(letter: str) -> list[str]:
    """Return the keywords that the WCS of a letter may have."""
    return [word + letter for word in _SUFFIXED if len(word) + len(letter) <= 8]
