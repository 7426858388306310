"""What the headers of a product say beside its WCS: photometry, units, proofs, inputs."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from mizzle._version import __version__
from mizzle.io.header_cards import Card, grid_cards
from mizzle.io.inherited_cards import inherited_cards
from mizzle.model import ErrorProof, Exposure, Mosaic, Zeropoint, worst
from mizzle.model.camera import Camera

Units = Literal["rate", "counts", "electrons"]
_CONTEXT_CARDS = 999


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


def scale_cards(scale: UnitScale) -> list[Card]:
    """Return what a product in another unit than a rate says of it."""
    return [("UNITSCAL", scale.factor, "the rate was multiplied by this")] if scale.factor != 1.0 else []


def product_cards(
    mosaic: Mosaic, exposures: list[Exposure], zeropoint: Zeropoint, *, units: Units = "rate"
) -> list[Card]:
    """Return all cards of a product in one header, for a file with the image in PRIMARY."""
    inputs = [exposure for exposure in exposures if exposure.filter == mosaic.filter]
    scale = unit_scale(mosaic, inputs[0].camera.unit, units)
    primary = [card for card in primary_cards(mosaic, inputs, zeropoint, scale=scale) if card[0] != "BUNIT"]
    return [*primary, *photometry_cards(mosaic, scale), *scale_cards(scale), *grid_cards(mosaic.grid)]


def primary_cards(mosaic: Mosaic, exposures: list[Exposure], zeropoint: Zeropoint, *, scale: UnitScale) -> list[Card]:
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
    proof = {root: measured for root, measured in zeropoint.exposures.items() if math.isfinite(measured.ratio)}
    if len(proof) < 2:
        return []
    farthest = max(proof, key=lambda root: (abs(proof[root].ratio - 1.0), proof[root].error))
    measured = proof[farthest]
    return [
        ("ZPXVERIF", str(worst(p.verdict for p in proof.values())), "stars on exposure against exposure"),
        ("ZPXROOT", farthest, "exposure farthest off"),
        ("ZPXRAT", measured.ratio, "its flux over that on the reference"),
        ("ZPXERR", measured.error, "its 1 sigma error"),
        ("ZPXNUM", measured.n_pairs, "number of its stars that others have"),
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
    for name, measured in proof.chips.items():
        number = 1 + chips.index(name)
        cards.append((f"ERRRAT{number}", measured.ratio, f"scatter over predicted, blank sky of {name}"))
        cards.append((f"ERRNUM{number}", measured.n_pixels, "number of pixels"))
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


def photometry_cards(mosaic: Mosaic, scale: UnitScale) -> list[Card]:
    """Return what SCI says of its unit and zeropoint."""
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
