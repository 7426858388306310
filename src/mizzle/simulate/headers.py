"""Headers as the archive writes them: the keywords of a WFPC2 exposure, in order, with simulated values."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle._version import __version__
from mizzle.arrays import ChipPlanes
from mizzle.instrument.cte import background_2004, dolphin_2004
from mizzle.instrument.wfpc2 import CHIP_NUMBERS, DQ_BITS, SHORT_EXPOSURE
from mizzle.model import ChipFrame, HeaderValue
from mizzle.model.sky import MJD_EPOCH, ST_ZEROPOINT
from mizzle.simulate.photometry import PASSBANDS, WHEEL
from mizzle.simulate.plan import Plan
from mizzle.simulate.pointing import Pointing

#: One card: keyword (empty for a comment line), value, comment.
Card = tuple[str, HeaderValue, str]

#: What the archive leaves blank in a data-quality file.
_CALIBRATION = (
    "CAL_VER", "ATODFILE", "WF4TFILE", "BIASFILE", "BIASDFIL", "DARKFILE", "DARKDFIL", "FLATFILE", "FLATDFIL",
    "SHADFILE", "GRAPHTAB", "COMPTAB", "IDCTAB", "OFFTAB",
)  # fmt: skip


@cache
def _template(name: str) -> tuple[Card, ...]:
    """Return the cards of an archive header, without its structural keywords."""
    text = files("mizzle.simulate").joinpath("data", name).read_text(encoding="utf-8")
    return tuple((keyword, value, comment) for keyword, value, comment in json.loads(text))


def fill(template: tuple[Card, ...], values: Mapping[str, HeaderValue]) -> list[Card]:
    """Return the template with `values` in it; keywords it lacks come last."""
    known = {keyword for keyword, _, _ in template}
    cards = [(keyword, values.get(keyword, value), comment) for keyword, value, comment in template]
    return cards + [
        (keyword, value, "simulated data only") for keyword, value in values.items() if keyword not in known
    ]


def as_mapping(cards: list[Card]) -> dict[str, HeaderValue]:
    """Return keyword and value of each card that has both."""
    return {keyword: value for keyword, value, _ in cards if keyword not in ("", "HISTORY")}


def primary_cards(plan: Plan, pointing: Pointing, index: int) -> list[Card]:
    """Return the primary header of exposure `index`."""
    exptime = float(plan.value("exptime", index))
    start = datetime.datetime.combine(MJD_EPOCH, datetime.time()) + datetime.timedelta(days=pointing.mjd)
    wheel, width = WHEEL[plan.filter]
    root = pointing.root
    values: dict[str, HeaderValue] = {
        "DATE": start.isoformat(timespec="seconds"),
        "IRAF-TLM": start.strftime("%H:%M:%S (%d/%m/%Y)"),
        "ROOTNAME": root,
        "PROCTIME": pointing.mjd,
        "FILTNAM1": plan.filter,
        "FILTNAM2": "",
        "FILTER1": wheel,
        "BANDWID": width,
        "CENTRWV": PASSBANDS[plan.filter][0],
        "ATODGAIN": float(plan.value("gain", index)),
        "BLEVFILE": f"ucal${root}.x0h",
        "BLEVDFIL": f"ucal${root}.q1h",
        "PHOTTAB": f"{root}_c3t.fits",
        "PA_V3": pointing.pa_v3,
        "UEXPODUR": round(exptime),
        "DARKTIME": exptime,
        "PSTRTIME": start.strftime("%Y.%j:%H:%M:%S"),
        "PSTPTIME": (start + datetime.timedelta(seconds=exptime)).strftime("%Y.%j:%H:%M:%S"),
        "DATE-OBS": start.strftime("%Y-%m-%d"),
        "TIME-OBS": start.strftime("%H:%M:%S"),
        "EXPSTART": pointing.mjd,
        "EXPEND": pointing.mjd + exptime / 86400.0,
        "EXPTIME": exptime,
        "SHADCORR": "COMPLETE" if exptime < SHORT_EXPOSURE else "OMIT",
        "TARGNAME": plan.target,
        "RA_TARG": plan.ra,
        "DEC_TARG": plan.dec,
        "PROPOSID": 0,
        "PATTSTEP": index,
        "FILENAME": f"{root}_c0m.fits",
        "SIMULATE": True,
        "CRRATE": plan.effects.cosmic_rays * exptime / 500.0,
        "CTELOSS": plan.effects.cte,
    }
    history = (
        f"Simulated by mizzle {__version__}, seed {plan.seed}, field {plan.field}; not from the telescope.",
        "The reference files named above are an archive file's; none was applied.",
        "What is true of this exposure stands in truth.json beside it.",
    )
    return [*fill(_template("primary.json"), values), *(("HISTORY", line, "") for line in history)]


def chip_cards(
    name: str,
    plan: Plan,
    pointing: Pointing,
    *,
    index: int,
    photflam: float,
    pixels: ChipPlanes,
) -> list[Card]:
    """Return the header of one chip.

    Parameters
    ----------
    name : str
        Chip.
    plan, pointing, index
        The exposure.
    photflam : float
        What the header says.
    pixels : (sci, dq)
        For the keywords that describe them.
    """
    gain = plan.value("gain", index)
    number = CHIP_NUMBERS[name]
    pivot, width = PASSBANDS[plan.filter]
    readout = pointing.mjd + plan.value("exptime", index) / 86400.0
    values: dict[str, HeaderValue] = {
        **_wcs(pointing.header[name]),
        **_statistics(*pixels),
        **_transfer_losses(*pixels, gain=gain, mjd=pointing.mjd),
        "VAFACTOR": pointing.vafactor,
        "DETECTOR": number,
        "FPKTTIME": readout + 1.7e-4 * number,
        "LPKTTIME": readout + 1.7e-4 * (number + 1),
        "PHOTMODE": f"WFPC2,{number},A2D{gain},{plan.filter},,CAL",
        "PHOTFLAM": photflam,
        "PHOTZPT": ST_ZEROPOINT,
        "PHOTPLAM": pivot,
        "PHOTBW": width,
        "EXPNAME": pointing.root,
        "EXTVER": number,
        "ROOTNAME": pointing.root,
    }
    return fill(_template("chip.json"), values)


def changed(cards: list[Card], **values: HeaderValue) -> list[Card]:
    """Return the cards with other values."""
    return [(keyword, values.get(keyword, value), comment) for keyword, value, comment in cards]


def quality_primary(cards: list[Card]) -> list[Card]:
    """Return the primary cards of the data-quality file for those of the science file."""
    root = str(as_mapping(cards)["ROOTNAME"])
    kept = [card for card in cards if card[0] != "HISTORY"]
    blank = dict.fromkeys(_CALIBRATION, "")
    return changed(kept, FILETYPE="SDQ", FILENAME=f"{root}_c1m.fits", DGEOFILE="N/A", READTIME=0, **blank)


def quality_chip(cards: list[Card], dq: NDArray[Any]) -> list[Card]:
    """Return the cards of a chip in the data-quality file for those in the science file."""
    losses = dict.fromkeys(("CTE_1E2", "CTE_1E3", "CTE_1E4"), 0.0)
    return changed(cards, DATAMIN=float(dq.min()), DATAMAX=float(dq.max()), **losses)


def _seven(value: float | np.floating[Any]) -> float:
    """Return `value` to seven digits, as the archive writes what is single precision to it."""
    return float(f"{value:.7g}")


def _wcs(frame: ChipFrame) -> dict[str, HeaderValue]:
    """Return the linear WCS keywords of a frame."""
    return {
        "CRVAL1": float(frame.crval[0]),
        "CRVAL2": float(frame.crval[1]),
        "CRPIX1": float(frame.crpix[0]),
        "CRPIX2": float(frame.crpix[1]),
        "CD1_1": _seven(frame.cd[0, 0]),
        "CD1_2": _seven(frame.cd[0, 1]),
        "CD2_1": _seven(frame.cd[1, 0]),
        "CD2_2": _seven(frame.cd[1, 1]),
        "ORIENTAT": _seven(frame.orientation()),
    }


def _statistics(sci: NDArray[Any], dq: NDArray[Any]) -> dict[str, HeaderValue]:
    """Return the keywords that describe the pixels."""
    good = sci[dq == 0]
    if not good.size:
        good = sci.ravel()
    middle = {f"MEANC{side}": _seven(_center(sci, side).mean()) for side in (10, 25, 50, 100, 200, 300)}
    median = _seven(np.median(good))
    counts = {
        keyword: int(np.count_nonzero(dq & bit))
        for keyword, bit in (
            ("CALIBDEF", DQ_BITS["calibration_defect"]),
            ("STATICD", DQ_BITS["permanent_defect"]),
            ("ATODSAT", DQ_BITS["saturated"]),
            ("DATALOST", DQ_BITS["missing"]),
            ("BADPIXEL", DQ_BITS["other"]),
            ("OVERLAP", DQ_BITS["overlap"]),
            ("SOFTERRS", DQ_BITS["reed_solomon"]),
        )
    }
    return {
        "DATAMIN": _seven(sci.min()),
        "DATAMAX": _seven(sci.max()),
        "GOODMIN": _seven(good.min()),
        "GOODMAX": _seven(good.max()),
        "DATAMEAN": _seven(good.mean()),
        "GPIXELS": int(np.count_nonzero(dq == 0)),
        "MEDIAN": median,
        "BACKGRND": median,
        **counts,
        **middle,
    }


def _center(sci: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the central square of `side` pixels."""
    y, x = ((length - side) // 2 for length in sci.shape)
    return sci[y : y + side, x : x + side]


def _transfer_losses(sci: NDArray[Any], dq: NDArray[Any], *, gain: int, mjd: float) -> dict[str, HeaderValue]:
    """Return the keywords of the expected transfer losses (Dolphin 2004, as the archive's pipeline)."""
    center = _center(sci, 200)
    background = background_2004(float(np.median(center)), float(gain))
    return {
        f"CTE_1E{power}": _seven(float(dolphin_2004(399.0, 399.0, 10.0**power, background=background, mjd=mjd)))
        for power in (2, 3, 4)
    }
