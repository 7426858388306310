"""What the figures need beyond the numbers: outlines, residuals, star widths, and stamps before and after.

Gathered where the exposures are in memory, small enough to be kept in NAME_report.json, so that the page can
be drawn elsewhere and again.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import Floats, Places, SkyPlaces
from mizzle.instrument.dq import ALL_BITS
from mizzle.model import Alignment, Catalog, Chip, ChipFrame, Exposure, Mosaic, Result, Runner, Serial, project
from mizzle.report import psf
from mizzle.report.star_shape import star_shapes
from mizzle.report.stretch import encode, percentile

STAMP = 112  # side of a before-and-after stamp [chip pixel]
STAR_LIMIT = 20  # stars per chip whose width is measured
RESIDUAL_LIMIT = 6000  # residual vectors kept, all exposures together

VOTE_LIMIT = 12  # offset histograms kept


def gather(result: Result, runner: Runner | None = None) -> dict[str, Any]:
    """Collect what the figures need.

    Parameters
    ----------
    result : Result
        A finished run, its exposures' pixels still at hand.
    runner : Runner, optional
        Threads, by kind of evidence.

    Returns
    -------
    evidence : dict
        ``center widths star_shape stamps residuals votes dithers footprints``: plain values.
    """
    center = next(iter(result.mosaics.values())).grid.center
    frames = {e.root: {name: result.alignment.frame(e, name) for name in e.chips} for e in result.exposures}
    kinds: dict[str, Callable[[], Any]] = {
        "widths": lambda: _widths_and_shapes(result, frames),
        "stamps": lambda: _stamps(result, frames),
        "residuals": lambda: _residuals(result, frames, center),
        "votes": lambda: _votes(result.alignment),
        "dithers": lambda: _dithers(frames, result.exposures[0].camera.reference),
        "footprints": lambda: {
            root: {name: outline(frame, center) for name, frame in chips.items()} for root, chips in frames.items()
        },
    }
    answers = (runner or Serial()).map(lambda kind: kinds[kind](), kinds)
    evidence = dict(zip(kinds, answers, strict=True))
    widths, shapes = evidence.pop("widths")
    return {"center": list(center), "widths": widths, "star_shape": shapes, **evidence}


def outline(frame: ChipFrame, center: tuple[float, float]) -> list[list[float]]:
    """Return the corners of a chip on the plane tangent at `center`: east, north [arcsec]."""
    ny, nx = frame.shape
    x = np.array([-0.5, nx - 0.5, nx - 0.5, -0.5])
    y = np.array([-0.5, -0.5, ny - 0.5, ny - 0.5])
    xi, eta = project(*frame.pixel_to_sky(x, y), center)
    return [[round(3600 * float(a), 2), round(3600 * float(b), 2)] for a, b in zip(xi, eta, strict=True)]


def _dithers(frames: Mapping[str, Mapping[str, ChipFrame]], reference: str) -> dict[str, list[float]]:
    """Return where each exposure points, relative to the first: east, north [arcsec]."""
    places = {}
    origin: tuple[float, float] | None = None
    for root, chips in frames.items():
        frame = chips.get(reference) or next(iter(chips.values()))
        middle = (frame.shape[1] / 2, frame.shape[0] / 2)
        ra, dec = frame.pixel_to_sky(*middle)
        origin = origin or (float(ra), float(dec))
        xi, eta = project(ra, dec, origin)
        places[root] = [round(3600 * float(xi), 4), round(3600 * float(eta), 4)]
    return places


def _residuals(
    result: Result, frames: Mapping[str, Mapping[str, ChipFrame]], center: tuple[float, float]
) -> dict[str, dict[str, list[Any]]]:
    """Return residual vectors by exposure.

    Place on the sky ``xi eta`` [arcsec], residual east and north ``dxi deta`` [mas], ``mag``; the same on the chip:
    name ``chip``, place ``x y`` [0-based pixel of the full chip, unbinned], residual along its axes ``dx dy`` [mas].
    """
    tables = result.alignment.tables
    kept: dict[str, dict[str, list[Any]]] = {}
    share = max(40, RESIDUAL_LIMIT // max(1, len(tables)))
    exposures = {e.root: e for e in result.exposures}
    for root, table in tables.items():
        if root not in frames or not {"x", "y", "dx", "dy", "mag", "chip"} <= set(table):
            continue
        good = np.flatnonzero(np.isfinite(table["dx"]) & np.isfinite(table["dy"]))
        rows = good[:: max(1, -(-good.size // share))]
        east, north = (np.asarray(table[key][rows], dtype=np.float64) for key in ("dx", "dy"))
        columns = {key: np.full(rows.size, np.nan) for key in ("xi", "eta", "x", "y", "dx", "dy")}
        names = np.full(rows.size, "", dtype="U4")
        for name, chip in exposures[root].chips.items():
            frame = frames[root][name]
            on_chip = table["chip"][rows] == chip.number
            x, y = table["x"][rows][on_chip], table["y"][rows][on_chip]
            names[on_chip] = name
            columns["xi"][on_chip], columns["eta"][on_chip] = (
                3600 * plane for plane in project(*frame.pixel_to_sky(x, y), center)
            )
            columns["x"][on_chip], columns["y"][on_chip] = _full_chip(exposures[root], chip, x=x, y=y)
            turned = np.linalg.solve(frame.cd, np.stack([east[on_chip], north[on_chip]]))
            columns["dx"][on_chip], columns["dy"][on_chip] = turned * frame.scale / 3600.0
        columns |= {"dxi": east, "deta": north, "mag": np.asarray(table["mag"][rows], dtype=np.float64)}
        placed = names != ""
        digits = {"xi": 1, "eta": 1, "x": 1, "y": 1}
        kept[root] = {key: np.round(v[placed], digits.get(key, 2)).tolist() for key, v in columns.items()}
        kept[root]["chip"] = names[placed].tolist()
    return kept


def _full_chip(exposure: Exposure, chip: Chip, *, x: NDArray[Any], y: NDArray[Any]) -> Places:
    """Return 0-based pixels of the full, unbinned chip for pixels of a binned chip or subarray."""
    binning = chip.binning
    whole = exposure.camera.is_whole(chip.shape, binning)  # its LTV, if any, belongs to the filter
    start = [0.0 if whole else float(chip.header.get(key, 0.0)) for key in ("LTV1", "LTV2")]
    full = [binning * (np.asarray(v, dtype=np.float64) - s + 0.5) - 0.5 for v, s in zip((x, y), start, strict=True)]
    return Places(full[0], full[1])


def _votes(alignment: Alignment) -> dict[str, dict[str, Any]]:
    """Return the offset histogram of each exposure's best pair, averaged down to 41 cells or so."""
    votes = {}
    for root, table in alignment.tables.items():
        if "histogram" not in table or not table["histogram"].size:
            continue
        counts = np.asarray(table["histogram"], dtype=float)
        factor = max(1, -(-counts.shape[0] // 43))
        side = counts.shape[0] // factor
        cut = counts[: side * factor, : side * factor].reshape(side, factor, side, factor)
        votes[root] = {
            "counts": cut.sum(axis=(1, 3)).astype(int).tolist(),
            "extent": round(float(table["histogram_extent"][0]), 4),
        }
        if len(votes) == VOTE_LIMIT:
            break
    return votes


def _good_stars(catalog: Catalog, scale: float) -> NDArray[np.intp]:
    """Return clean stars of a catalog, brightest first: unflagged, precise, and alone within 1 arcsec."""
    columns = catalog.columns
    flux = np.asarray(columns["flux"], dtype=np.float64)
    error = np.asarray(columns["flux_err"], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        good = (np.asarray(columns["flags"]) == 0) & (flux > 30 * error)
    order = np.argsort(-np.where(np.isfinite(flux), flux, -np.inf), kind="stable")
    chosen = order[good[order]][:400]
    x, y = (np.asarray(columns[k], dtype=np.float32) for k in ("x", "y"))
    near = (x[chosen, None] - x) ** 2 + (y[chosen, None] - y) ** 2 < np.float32(1.0 / scale**2)
    brighter = flux > 0.02 * flux[chosen, None]
    alone: NDArray[np.intp] = chosen[(near & brighter).sum(axis=1) <= 1]
    return alone


@dataclass(frozen=True)
class _Cut:
    """Stamps of one chip of one exposure, or of one chip's part of a product."""

    kind: str
    owner: str
    chip: str
    scale: float
    stamps: Floats


def _widths_and_shapes(
    result: Result, frames: Mapping[str, Mapping[str, ChipFrame]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure star widths in exposures and product, all stamps in one go, and hold shapes against the model."""
    cuts: list[_Cut] = []
    for band, catalog in result.catalogs.items():
        if not len(catalog):
            continue
        mosaic = result.mosaics[band]
        stars = _good_stars(catalog, mosaic.grid.scale)
        cuts += _product_cuts(mosaic, catalog, stars)
        sky = SkyPlaces(*(np.asarray(catalog.columns[k], dtype=np.float64)[stars] for k in ("ra", "dec")))
        for exposure in result.exposures:
            if exposure.filter == band:
                own = frames[exposure.root]
                cuts += [_chip_cut(exposure, own[name], sky, result=result, name=name) for name in exposure.chips]
    widths: dict[str, dict[str, dict[str, Any]]] = {"exposures": {}, "products": {}}
    shapes = star_shapes(result)
    if not cuts:
        return widths, shapes
    fwhm = psf.widths(np.concatenate([cut.stamps for cut in cuts]))
    ends = np.cumsum([len(cut.stamps) for cut in cuts])
    for cut, cut_fwhm in zip(cuts, np.split(fwhm, ends[:-1]), strict=True):
        row = psf.summary(cut_fwhm, cut.scale)
        if row is not None:
            widths[cut.kind].setdefault(cut.owner, {})[cut.chip] = row
    return widths, shapes


def _harmful(exposure: Exposure) -> np.uint16:
    """Return the bits of pixels that no width is measured on: every defect that the camera does not call harmless."""
    return np.uint16(ALL_BITS & ~exposure.camera.good)


def _inside(x: Floats, y: Floats, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which positions leave room for a stamp."""
    edge = psf.HALF + 1
    return np.asarray((x >= edge) & (y >= edge) & (x < shape[1] - edge) & (y < shape[0] - edge))


def _product_cuts(mosaic: Mosaic, catalog: Catalog, stars: NDArray[np.intp]) -> list[_Cut]:
    """Cut stars out of a mosaic, by the chip that dominates there."""
    x, y = (np.asarray(catalog.columns[k], dtype=np.float64)[stars] - 1.0 for k in ("x", "y"))
    chip = np.asarray(catalog.columns["chip"]).astype(str)[stars]
    inside = _inside(x, y, mosaic.grid.shape)
    x, y, chip = x[inside], y[inside], chip[inside]
    cuts = []
    for name in np.unique(chip):
        on_chip = np.flatnonzero(chip == name)[: 2 * STAR_LIMIT]
        stamps = psf.cut(mosaic.sci, x[on_chip], y[on_chip])
        cuts.append(_Cut("products", mosaic.filter, str(name), mosaic.grid.scale, stamps))
    return cuts


def _chip_cut(
    exposure: Exposure,
    frame: ChipFrame,
    sky: SkyPlaces,
    *,
    result: Result,
    name: str,
) -> _Cut:
    """Cut stars out of one chip of one exposure, clear of defects and cosmic rays."""
    chip = exposure.chips[name]
    # The frame's middle tells which stars can lie on the chip at all: inverting the distortion costs.
    xi, eta = project(*sky, (float(frame.crval[0]), float(frame.crval[1])))
    reach = max(frame.shape) * frame.scale / 3600.0
    near = np.flatnonzero(np.hypot(xi, eta) < reach)[: 6 * STAR_LIMIT]
    x, y = frame.sky_to_pixel(sky[0][near], sky[1][near])
    keep = _inside(x, y, frame.shape)
    x, y = x[keep][: 2 * STAR_LIMIT], y[keep][: 2 * STAR_LIMIT]
    if x.size:
        defects = (psf.cut(chip.dq, x, y) & _harmful(exposure)) != 0
        hits = psf.cut(result.cosmic_rays.mask(exposure.root, name, chip.shape), x, y)
        clean = ~(defects | hits)[:, 2:-2, 2:-2].any(axis=(1, 2))
        x, y = x[clean][:STAR_LIMIT], y[clean][:STAR_LIMIT]
    stamps = psf.cut(chip.sci, x, y) if x.size else np.zeros((0, 2 * psf.HALF + 1, 2 * psf.HALF + 1))
    return _Cut("exposures", exposure.root, name, frame.scale, stamps)


def _stamps(result: Result, frames: Mapping[str, Mapping[str, ChipFrame]]) -> list[dict[str, Any]]:
    """Choose one stamp per chip: a typical exposure, where cosmic rays are thickest."""
    stamps = []
    names = dict.fromkeys(name for e in result.exposures for name in e.chips)
    for name in names:
        hits = {
            e.root: result.cosmic_rays.fractions.get(e.root, {}).get(name, 0.0)
            for e in result.exposures
            if name in e.chips
        }
        typical = sorted(hits, key=lambda root: (hits[root], root))[len(hits) // 2]
        exposure = next(e for e in result.exposures if e.root == typical)
        stamp = _stamp(result, exposure, exposure.chips[name], frame=frames[typical][name])
        if stamp is not None:
            stamps.append(stamp)
    return stamps


def _stamp(result: Result, exposure: Exposure, chip: Chip, *, frame: ChipFrame) -> dict[str, Any] | None:
    """Cut one chip's stamp, and the product on the same pixels."""
    mosaic = result.mosaics.get(exposure.filter)
    mask = result.cosmic_rays.mask(exposure.root, chip.name, chip.shape)
    if mosaic is None or not mask.any():
        return None
    size = min(STAMP, *chip.shape)
    x0, y0 = _busiest(mask & ((chip.dq & _harmful(exposure)) == 0), size)
    window = np.s_[y0 : y0 + size, x0 : x0 + size]
    x, y = np.meshgrid(np.arange(x0, x0 + size, dtype=np.float64), np.arange(y0, y0 + size, dtype=np.float64))
    px, py = mosaic.grid.sky_to_pixel(*frame.pixel_to_sky(x, y))
    after = _bilinear(mosaic.sci, px, py) * np.float32((frame.scale / mosaic.grid.scale) ** 2)
    factor = result.flux_scales.factors.get(exposure.root, {}).get(chip.name, 1.0)
    sky = result.sky.levels.get(exposure.root, {}).get(chip.name, 0.0)
    before = (chip.sci[window] * np.float32(factor) - np.float32(sky)) / np.float32(exposure.exptime)
    # One scale for both: half the frame is gray noise, so what differs is what was removed.
    codes, scale = encode(np.concatenate([before, after]).astype(np.float32))
    shown = after[np.isfinite(after)]
    white = (percentile(shown, 99) - scale["sky"]) / scale["sigma"] if shown.size else 0.0
    return {
        "root": exposure.root,
        "white": round(min(max(white, 15.0), 300.0), 1),
        "chip": chip.name,
        "filter": exposure.filter,
        "x0": x0,
        "y0": y0,
        "size": size,
        "hits": int(mask[window].sum()),
        "scale": scale,
        "before": base64.b64encode(codes[:size].tobytes()).decode(),
        "after": base64.b64encode(codes[size:].tobytes()).decode(),
        "mask": base64.b64encode(np.packbits(mask[window]).tobytes()).decode(),
    }


def _busiest(mask: NDArray[np.bool_], size: int) -> tuple[int, int]:
    """Return the corner ``(x, y)`` of the window, among half-overlapping ones, that holds most of `mask`.

    The border of the chip is left out where there is room: the pyramid's shadow is no place for a picture.
    """
    step = max(1, size // 4)
    edge = max(0, min(60, (min(mask.shape) - size) // 2))
    tall, wide = ((n - 2 * edge) // step for n in mask.shape)
    inner = mask[edge : edge + tall * step, edge : edge + wide * step]
    blocks = np.add.reduceat(
        np.add.reduceat(inner, np.arange(tall) * step, axis=0, dtype=np.int64), np.arange(wide) * step, axis=1
    )
    windows = np.lib.stride_tricks.sliding_window_view(blocks, (size // step, size // step)).sum(axis=(2, 3))
    row, column = np.unravel_index(int(windows.argmax()), windows.shape)
    return edge + step * int(column), edge + step * int(row)


def _bilinear(image: Floats, x: Floats, y: Floats) -> Floats:
    """Sample an image at 0-based positions; NaN outside and beside NaN."""
    ny, nx = image.shape
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (ix >= 0) & (iy >= 0) & (ix < nx - 1) & (iy < ny - 1)
    ix, iy = np.where(inside, ix, 0), np.where(inside, iy, 0)
    u, v = (x - ix).astype(np.float32), (y - iy).astype(np.float32)
    low = image[iy, ix] * (1 - u) + image[iy, ix + 1] * u
    high = image[iy + 1, ix] * (1 - u) + image[iy + 1, ix + 1] * u
    return np.where(inside, low * (1 - v) + high * v, np.float32(np.nan))
