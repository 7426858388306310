"""Writing the product: ``NAME_drz.fits``."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle._version import __version__
from mizzle.io.atomic import whole_file
from mizzle.io.inherited_cards import inherited_cards
from mizzle.io.input_table import header_table, printable, whole_table
from mizzle.io.product_names import SEPARATE
from mizzle.model import Context, ErrorProof, Exposure, Grid, Mosaic, Zeropoint, worst
from mizzle.model.camera import Camera

if TYPE_CHECKING:
    from astropy.io import fits

Card = tuple[str, Any, str]
Units = Literal["rate", "counts", "electrons"]
_CONTEXT_CARDS = 999

#: Pixels written at a time, and bytes that a header or an image fills up to.
_PIECE, _BLOCK = 2**20, 2880


def write_mosaic(
    path: str | Path,
    mosaic: Mosaic,
    exposures: Iterable[Exposure],
    *,
    zeropoint: Zeropoint,
    extra: Iterable[Card] = (),
    compress: Literal["none", "context", "all"] = "none",
    units: Units = "rate",
    all_keywords: bool = False,
) -> Path:
    """Write a mosaic with its weights, errors, context, table of inputs and the proof of its zeropoint.

    Parameters
    ----------
    path : str or Path
        Name of the product; it appears whole or not at all.
    mosaic : Mosaic
        The image.
    exposures : iterable of Exposure
        What went in.
    zeropoint : Zeropoint
        The proof.
    extra : iterable of (keyword, value, comment)
        More cards for the primary header; they stand first.
    compress : str
        Images that are tile-compressed, without loss: ``none``, ``context`` or ``all``.
    units : str
        Of SCI and ERR: ``rate``, or ``counts`` or ``electrons`` in EXPTIME.
    all_keywords : bool
        The table holds every keyword of the inputs.

    Returns
    -------
    path : Path
        As given.
    """
    from astropy.io import fits

    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    first = list(extra)
    named = {card[0] for card in first}
    own = [card for card in _primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] not in named]
    primary = fits.PrimaryHDU(header=make_header([*first, *own]))
    primary.header.set("EXTEND", True, after="NAXIS")
    with whole_file(path) as stream:
        stream.write(_as_bytes(primary))
        for name, image, cards in _planes(mosaic, scale):
            if compress == "all" or (compress == "context" and name == "CTX"):
                stream.write(_as_bytes(_packed(_array_of(image), make_header(cards), name)))
            else:
                write_image(stream, image, make_header(cards), name=name)
        stream.write(whole_table(mosaic, inputs) if all_keywords else _as_bytes(header_table(mosaic, inputs)))
    return Path(path)


def write_separate(
    folder: str | Path,
    stem: str,
    mosaic: Mosaic,
    *,
    exposures: Iterable[Exposure],
    zeropoint: Zeropoint,
    extra: Iterable[Card] = (),
    units: Units = "rate",
) -> list[Path]:
    """Write SCI, ERR, WHT and CTX as files of one image each, all cards with the image.

    Parameters
    ----------
    folder, stem : str or Path, str
        Where, and the start of the names.
    mosaic, exposures, zeropoint, extra, units
        As in `write_mosaic`.
    """
    from astropy.io import fits

    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    shared = [
        card for card in _primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] not in ("BUNIT", "UNITSCAL")
    ]
    paths = []
    for name, image, cards in _planes(mosaic, scale):
        path = Path(folder) / f"{stem}{SEPARATE[name]}"
        with whole_file(path) as stream:
            fits.PrimaryHDU(_array_of(image), header=make_header([*extra, *shared, *cards])).writeto(stream)
        paths.append(path)
    return paths


class UnitScale(NamedTuple):
    """What a rate is multiplied by, the unit it has then, electrons per such unit, PHOTFLAM of that unit per second."""

    factor: float
    unit: str
    gain: float
    photflam: float


def unit_scale(mosaic: Mosaic, rate: str, units: Units) -> UnitScale:
    """Return how a product is written in `units`; `rate` is the unit of its rate, as ``COUNTS/S``."""
    gain, photflam, seconds = mosaic.reference.gain, mosaic.reference.photflam, mosaic.exptime
    if units == "counts":
        return UnitScale(seconds, rate.removesuffix("/S"), gain, photflam)
    if units == "electrons":
        return UnitScale(seconds * gain, "ELECTRONS", 1.0, photflam / gain)
    return UnitScale(1.0, rate, gain * seconds, photflam)


def _planes(mosaic: Mosaic, scale: UnitScale) -> list[tuple[str, NDArray[Any] | Context, list[Card]]]:
    """Return the images of a product, each with its cards."""
    grid, unit, scaled = grid_cards(mosaic.grid), scale.unit, _scale_cards(scale)
    sci, err = (_filled(mosaic, image, scale.factor) for image in (mosaic.sci, mosaic.err))
    return [
        ("SCI", sci, [*_photometry_cards(mosaic, scale), *scaled, *grid]),
        ("ERR", err, [("BUNIT", unit, "1 sigma per pixel"), *scaled, *grid]),
        ("WHT", mosaic.wht, [("WHTTYPE", mosaic.weight_type, "what the weight is"), *grid]),
        ("CTX", mosaic.context, [("BUNIT", "UNITLESS", "one bit per input chip"), *grid]),
    ]


def _scale_cards(scale: UnitScale) -> list[Card]:
    """Return what a product in another unit than a rate says of it."""
    return [("UNITSCAL", scale.factor, "the rate was multiplied by this")] if scale.factor != 1.0 else []


def product_image(mosaic: Mosaic, units: Units) -> NDArray[np.float32]:
    """Return SCI of a product in some unit, filled where nothing covers it."""
    return _filled(mosaic, mosaic.sci, unit_scale(mosaic, "", units).factor)


def write_image(stream: BinaryIO, image: NDArray[Any] | Context, header: fits.Header, *, name: str) -> None:
    """Write an image extension piece by piece: astropy would turn the bytes of a second copy of it around.

    Parameters
    ----------
    stream : binary file
        Written to, at its end.
    image : array or Context
        Pixels.
    header : Header
        Cards beside those that describe the array.
    name : str
        EXTNAME; EXTVER is 1.
    """
    from astropy.io import fits

    # A context is never there as a whole: one number stands for all, as to size and kind.
    like = np.broadcast_to(np.int32(0), image.shape) if isinstance(image, Context) else _untouchable(image)
    hdu = fits.ImageHDU(like, header=header, name=name, ver=1)
    stream.write(hdu.header.tostring().encode("ascii"))
    for piece in _pieces(image):
        stream.write(piece.astype(piece.dtype.newbyteorder(">")).data)
    stream.write(bytes(-like.nbytes % _BLOCK))


def _pieces(image: NDArray[Any] | Context) -> Iterator[NDArray[Any]]:
    """Return the pixels of an image in order, some at a time."""
    if isinstance(image, Context):
        for plane in image.planes:
            ny, nx = plane.shape
            step = max(1, _PIECE // max(1, nx))
            yield from (plane.rows(first, min(first + step, ny)) for first in range(0, ny, step))
        return
    flat = image.reshape(-1)
    yield from (flat[first : first + _PIECE] for first in range(0, flat.size, _PIECE))


def _array_of(image: NDArray[Any] | Context) -> NDArray[Any]:
    """Return an image as astropy may have it."""
    return image.array if isinstance(image, Context) else _untouchable(image)


def _as_bytes(hdu: Any) -> bytes:
    """Return a primary header, or an extension, as it stands in a file."""
    from astropy.io import fits

    whole = io.BytesIO()
    if isinstance(hdu, fits.PrimaryHDU):
        hdu.writeto(whole)
        return whole.getvalue()
    alone = fits.PrimaryHDU()
    fits.HDUList([alone, hdu]).writeto(whole)
    return whole.getvalue()[len(alone.header.tostring()) :]


def _packed(array: NDArray[Any], header: fits.Header, name: str) -> Any:
    """Return an image in compressed tiles that give back every bit: integers by Rice, floats by gzip, not quantized."""
    from astropy.io import fits

    kind = "RICE_1" if array.dtype.kind == "i" else "GZIP_2"
    header["EXTVER"] = 1
    return fits.CompImageHDU(array, header=header, name=name, compression_type=kind, quantize_level=0.0)


def _untouchable(array: NDArray[Any]) -> NDArray[Any]:
    """Return a locked view: astropy turns the bytes of writeable arrays around while it writes, under others' eyes."""
    view = array.view()
    view.flags.writeable = False
    return view


def _filled(mosaic: Mosaic, image: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Return `image` times `factor`, with the wanted value where nothing covers the product."""
    if factor != 1.0:
        image = image * np.float32(factor)
    if np.isnan(mosaic.fill):
        return image
    return np.where(mosaic.wht > 0, image, np.float32(mosaic.fill))


class CardImage(str):
    """A card of 80 characters that is to stand as it is: a number may have more digits than astropy writes."""

    __slots__ = ()


def make_header(cards: Iterable[Card]) -> fits.Header:
    """Build a header; numbers that are not finite are left out, FITS has no way to write them."""
    from astropy.io import fits

    header = fits.Header()
    for keyword, value, comment in cards:
        if isinstance(value, float | np.floating) and not math.isfinite(value):
            continue
        if isinstance(value, CardImage):
            header.append(fits.Card.fromstring(value), end=True)
        elif "." in keyword:  # a record-valued card, as D2IM2.AXIS.1
            name, field = keyword.split(".", 1)
            header.append(fits.Card(name, f"{field}: {value!r}", comment), end=True)
        else:
            shown = printable(value)
            header.append(fits.Card(keyword, shown, comment[: _room(shown)]), end=True)
    return header


def _room(value: Any) -> int:
    """Return how many characters of comment fit on the card of `value`: 80 less keyword, value and slash."""
    width = len(value.replace("'", "''")) + 2 if isinstance(value, str) else 20
    return max(0, 80 - 10 - max(width, 20) - 3)


def product_cards(
    mosaic: Mosaic, exposures: list[Exposure], zeropoint: Zeropoint, *, units: Units = "rate"
) -> list[Card]:
    """Return all cards of a product in one header, for a file with the image in PRIMARY."""
    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    primary = [card for card in _primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] != "BUNIT"]
    return [*primary, *_photometry_cards(mosaic, scale), *_scale_cards(scale), *grid_cards(mosaic.grid)]


def _primary_cards(mosaic: Mosaic, exposures: list[Exposure], zeropoint: Zeropoint, *, scale: UnitScale) -> list[Card]:
    """Return what holds for the whole product."""
    first = exposures[0]
    camera, reference = first.camera, mosaic.reference
    cards: list[Card] = [
        ("TELESCOP", "HST", "telescope"),
        ("INSTRUME", camera.instrument, "instrument"),
        *([("DETECTOR", camera.detector, "detector")] if camera.detector else []),
        ("TARGNAME", first.target, "target"),
        ("ROOTNAME", first.root, "first exposure"),
        *_filter_cards(camera, mosaic.filter),
        ("DATE-OBS", min(e.date_obs for e in exposures), "UT date of the first exposure"),
        ("EXPSTART", min(e.mjd_start for e in exposures), "[MJD] start of the first exposure"),
        ("EXPEND", max(e.mjd_end for e in exposures), "[MJD] end of the last exposure"),
        ("EXPTIME", mosaic.exptime, "[s] sum over exposures"),
        ("TEXPTIME", mosaic.exptime, "[s] sum over exposures"),
        ("NDRIZIM", len(mosaic.inputs), "number of chips drizzled"),
        ("BUNIT", scale.unit, _unit_words(scale)),
        ("GAIN", scale.gain, f"[electron] per {scale.unit}"),
        ("RDNOISE", _read_noise(exposures, reference.chip), "[electron] of one reference-chip readout"),
        ("ZPREF", reference.chip, "chip whose PHOTFLAM is the product's"),
        ("ZPFLAM", reference.photflam, "the one PHOTFLAM"),
        ("ZPVERIF", str(zeropoint.verdict), "proof of the zeropoint on stars"),
    ]
    for number, name in enumerate(camera.chips, start=1):
        proof = zeropoint.proof.get(name)
        if proof is not None:
            cards.append((f"ZPRAT{number}", proof.ratio, f"{name} over reference"))
            cards.append((f"ZPERR{number}", proof.error, "its 1 sigma error"))
            cards.append((f"ZPNUM{number}", proof.n_pairs, "number of star pairs"))
        factor = mosaic.noise_correlation.get(name, float("nan"))
        cards.append((f"ERRCORR{number}", factor, f"large-area noise correlation, {name}"))
    cards += _exposure_cards(zeropoint)
    known = {card[0] for card in cards}
    cards += [card for card in inherited_cards(exposures) if card[0] not in known]
    rates = [float(e.header["CRRATE"]) for e in exposures if "CRRATE" in e.header]
    if rates:
        cards.append(("CRRATE", float(np.mean(rates)), "simulated fraction of pixels hit by cosmic rays"))
    cards += [
        ("DRIZCORR", "COMPLETE", "drizzled"),
        ("CREATOR", f"mizzle {__version__}", "written by"),
    ]
    return cards + _driz_cards(mosaic)


def _exposure_cards(zeropoint: Zeropoint) -> list[Card]:
    """Return what stars say of the exposures: the verdict, and the exposure whose flux is farthest off."""
    proof = {root: one for root, one in zeropoint.exposures.items() if math.isfinite(one.ratio)}
    if len(proof) < 2:
        return []
    farthest = max(proof, key=lambda root: (abs(proof[root].ratio - 1.0), proof[root].error))
    one = proof[farthest]
    return [
        ("ZPXVERIF", str(worst(p.verdict for p in proof.values())), "stars on exposure against exposure"),
        ("ZPXROOT", farthest, "exposure farthest off"),
        ("ZPXRAT", one.ratio, "its flux over that on the reference"),
        ("ZPXERR", one.error, "its 1 sigma error"),
        ("ZPXNUM", one.n_pairs, "number of its stars that others have"),
    ]


def _filter_cards(camera: Camera, band: str) -> list[Card]:
    """Return the filters under the camera's own keywords, and under WFPC2's, which readers of products ask for."""
    names = [*band.split("+"), ""]
    cards: list[Card] = [("FILTNAM1", names[0], "first filter"), ("FILTNAM2", names[1], "second filter")]
    return cards if not camera.detector else [("FILTER", band, "filter"), *cards]


def error_cards(proof: ErrorProof | None, chips: tuple[str, ...]) -> list[Card]:
    """Return the proof of the errors for the header of a product; `chips` are all of the camera's."""
    if proof is None:
        return []
    cards: list[Card] = [("ERRVERIF", str(proof.verdict), "proof of the errors on blank sky")]
    for name, one in proof.chips.items():
        number = 1 + chips.index(name)
        cards.append((f"ERRRAT{number}", one.ratio, f"scatter over predicted, blank sky of {name}"))
        cards.append((f"ERRNUM{number}", one.n_pixels, "number of pixels"))
    return cards


def _read_noise(exposures: list[Exposure], chip: str) -> float:
    """Return the reference chip's read noise, or that of any chip when it is absent."""
    for exposure in exposures:
        if chip in exposure.chips:
            return exposure.chips[chip].read_noise
    return next(iter(exposures[0].chips.values())).read_noise


def _driz_cards(mosaic: Mosaic) -> list[Card]:
    """Return the Dnnn cards of each input chip; the table HDRTAB holds all, headers the first 999."""
    cards: list[Card] = []
    for i, item in enumerate(mosaic.inputs[:_CONTEXT_CARDS]):
        key = f"D{i + 1:03d}"
        cards += [
            (f"{key}DATA", f"{item.root}[{item.chip}]", "input chip"),
            (f"{key}DEXP", item.exptime, "[s] exposure time"),
            (f"{key}SCAL", round(mosaic.grid.scale, 10), "[arcsec] product pixel"),
            (f"{key}KERN", mosaic.kernel, "kernel"),
            (f"{key}PIXF", mosaic.pixfrac, "pixfrac"),
            (f"{key}WTSC", item.weight, "weight of a full pixel"),
        ]
    return cards


def _unit_words(scale: UnitScale) -> str:
    return "rate at PHOTFLAM" if scale.unit.endswith("/S") else "in EXPTIME: divide by it for the rate at PHOTFLAM"


def _photometry_cards(mosaic: Mosaic, scale: UnitScale) -> list[Card]:
    reference = mosaic.reference
    per = f"{scale.unit.removesuffix('/S')}/S"
    return [
        ("BUNIT", scale.unit, _unit_words(scale)),
        ("PHOTFLAM", scale.photflam, f"inverse sensitivity, erg/cm2/s/A per {per}"),
        ("PHOTZPT", reference.photzpt, "[mag] ST zeropoint"),
        ("PHOTPLAM", reference.photplam, "[A] pivot wavelength"),
        ("PHOTBW", reference.photbw, "[A] rms bandwidth"),
        ("PHOTMODE", reference.photmode, "observation mode of the reference chip"),
    ]


def grid_cards(grid: Grid) -> list[Card]:
    """Return the WCS of a product as cards; those of another image as that has them."""
    if grid.header:
        images = [grid.header[start : start + 80] for start in range(0, len(grid.header), 80)]
        cards: list[Card] = [(image[:8].rstrip(), CardImage(image), "") for image in images]
        extra: list[Card] = [
            ("ORIENTAT", grid.orientation(), "[deg] position angle of the y axis"),
            ("WCSNAME", "MIZZLE", "common grid"),
        ]
        return [*cards, *(card for card in extra if card[0] not in {keyword for keyword, _, _ in cards})]
    return [
        ("WCSAXES", 2, "number of axes"),
        ("CTYPE1", "RA---TAN", "gnomonic"),
        ("CTYPE2", "DEC--TAN", "gnomonic"),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRVAL1", float(grid.crval[0]), "[deg] right ascension of the reference pixel"),
        ("CRVAL2", float(grid.crval[1]), "[deg] declination of the reference pixel"),
        ("CRPIX1", float(grid.crpix[0]), "[pixel] reference pixel, x"),
        ("CRPIX2", float(grid.crpix[1]), "[pixel] reference pixel, y"),
        ("CD1_1", float(grid.cd[0, 0]), "[deg/pixel]"),
        ("CD1_2", float(grid.cd[0, 1]), "[deg/pixel]"),
        ("CD2_1", float(grid.cd[1, 0]), "[deg/pixel]"),
        ("CD2_2", float(grid.cd[1, 1]), "[deg/pixel]"),
        ("RADESYS", grid.radesys, "frame of the coordinates, as in the input headers"),
        *([("EQUINOX", 2000.0, "equinox")] if grid.radesys == "FK5" else []),
        ("ORIENTAT", grid.orientation(), "[deg] position angle of the y axis"),
        ("WCSNAME", "MIZZLE", "common grid"),
    ]
