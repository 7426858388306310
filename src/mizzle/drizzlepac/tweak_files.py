"""The files that callers of TweakReg open afterwards: shifts, catalogs, matches, plots, headerlets, log lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mizzle.drizzlepac.tweak_matches import on_grid, rows_of, stem, write_matches
from mizzle.drizzlepac.tweak_plots import draw_histogram, draw_residuals, draw_vectors
from mizzle.io.atomic import write_bytes, write_text
from mizzle.io.incumbent_files import write_headerlet, write_reference_frame
from mizzle.model import Alignment, Exposure, Grid, Runner, Verdict
from mizzle.model.references import AlignReferences
from mizzle.settings import Settings
from mizzle.steps.align.sources import SourceList, common_pivot, find_all
from mizzle.translation.grid import corners, frames_of, incumbent_grid
from mizzle.translation.journal import Journal
from mizzle.translation.parameters import Values


def shift_of(exposure: Exposure, alignment: Alignment, grid: Grid) -> tuple[float, float, float, float]:
    """Return an exposure's correction as the incumbents' shift files have it: dx, dy [pixel of `grid`], roll, scale.

    They take places on the grid, about its reference pixel, to where the exposure's own WCS saw them: the correction is
    the inverse.
    """
    own = corners([chip.frame for chip in exposure.chips.values()])
    true = corners([alignment.frame(exposure, name) for name in exposure.chips])
    before, after = (np.array(grid.sky_to_pixel(*places)).T + 1.0 - grid.crpix for places in (own, true))
    solution, *_ = np.linalg.lstsq(np.column_stack([after, np.ones(len(after))]), before, rcond=None)
    matrix, shift = solution[:2].T, solution[2]
    roll = np.rad2deg(np.arctan2(matrix[0, 1] - matrix[1, 0], matrix[0, 0] + matrix[1, 1]))
    return float(shift[0]), float(shift[1]), float(roll % 360.0), float(np.sqrt(abs(np.linalg.det(matrix))))


def describe(log: Journal, exposures: Sequence[Exposure], alignment: Alignment) -> None:
    """Say what was found, in lines that scripts look for."""
    grid = incumbent_grid(frames_of(exposures, alignment))
    for exposure in exposures:
        entry = alignment.exposures[exposure.root]
        name = Path(exposure.path).name
        dx, dy, roll, scale = shift_of(exposure, alignment, grid)
        rms = entry.rms_mas / 1000.0 / grid.scale
        log.say(
            f"===  Source finding for image '{name}':",
            f"     FINAL number of objects in image '{name}': {entry.n_detected}",
            f"     Final solution based on  {entry.n_matched}  objects.",
            f"     XSH: {dx:.4f}  YSH: {dy:.4f}    ROT: {roll:.9g}    SCALE: {scale:.6f}",
            f"     FIT XRMS: {rms:.2g}    FIT YRMS: {rms:.2g}",
            f"     FIT RMSE: {rms * np.sqrt(2):.2g}",
            f"     RMS_RA: {entry.rms_mas / 3.6e6:.2g} (deg)   RMS_DEC: {entry.rms_mas / 3.6e6:.2g} (deg)",
            f"     verdict: {entry.verdict}{': ' + entry.note if entry.note else ''}",
        )


def write_shifts(name: str, frame: str, exposures: Sequence[Exposure], alignment: Alignment) -> None:
    """Write the shift file: a line for each exposure, ``nan`` where it could not be aligned; and its frame."""
    grid = incumbent_grid(frames_of(exposures, alignment))
    lines = ["# frame: output", f"# refimage: {frame}[wcs]", "# form: delta", "# units: pixels"]
    for exposure in exposures:
        entry = alignment.exposures[exposure.root]
        values = [*shift_of(exposure, alignment, grid), *[entry.rms_mas / 1000.0 / grid.scale] * 2]
        if entry.verdict is Verdict.FAIL or entry.fell_back:
            values = [float("nan")] * 6
        elif not np.isfinite(entry.rms_mas):
            values[4:] = [0.0, 0.0]
        lines.append(f"{Path(exposure.path).name}    " + "  ".join(f"{value:.6f}" for value in values))
    write_text(name, "\n".join(lines) + "\n")
    write_reference_frame(frame, grid)


def find_lists(
    exposures: Sequence[Exposure], settings: Settings, runner: Runner, references: AlignReferences
) -> list[SourceList]:
    """Find the sources of all exposures once, for the alignment and for the catalogs."""
    ordered = sorted(exposures, key=lambda e: e.root)
    return find_all(ordered, settings, runner, references=references, pivot=common_pivot(ordered))


def write_catalogs(
    exposures: Sequence[Exposure], alignment: Alignment, lists: Sequence[SourceList], runner: Runner
) -> None:
    """Write what was found on each chip and on the sky, and what was matched."""
    by_root = {entry.root: entry for entry in lists}
    grid = incumbent_grid(frames_of(exposures, alignment))
    known = {e.root: on_grid(e, by_root[e.root], alignment, grid) for e in exposures}

    def written(exposure: Exposure) -> str:
        own = known[exposure.root]
        chips = _chip_catalogs(exposure, own.entry, own.number)
        head = f"#Sky positions for: {Path(exposure.path).name}\n#RA        Dec\n#(deg)     (deg)\n"
        write_text(f"{stem(exposure)}_sky_catalog.coo", head + rows_of(own.sky, "%.12f"))
        head = f"#Pixel positions for: {Path(exposure.path).name}\n#X           Y\n#(pix)       (pix)\n"
        write_text(f"{stem(exposure)}_refxy_catalog.coo", head + rows_of(own.place + 1.0, "%.6f"))
        write_matches(exposure, alignment, grid, own, known.get(alignment.reference))
        return "  ".join([Path(exposure.path).name, *chips])

    write_text(f"{stem(exposures[0])}_xy_catfile.list", "\n".join(runner.map(written, exposures)) + "\n")


def _chip_catalogs(exposure: Exposure, own: SourceList, number: NDArray[np.intp]) -> list[str]:
    """Write the sources of each chip: x, y (1-based), flux, number; return the names."""
    names = []
    flux = 10.0 ** (-0.4 * own.mag)
    for index, chip in enumerate(exposure.chips.values(), 1):
        on_chip = np.flatnonzero(own.chip == chip.number)
        table = np.column_stack([own.x[on_chip] + 1.0, own.y[on_chip] + 1.0, flux[on_chip], number[on_chip]])
        name = f"{stem(exposure)}_sci{index}_xy_catalog.coo"
        head = f"# Source catalog derived for {Path(exposure.path).name}\n# Columns: \n"
        head += "#    X      Y         Flux       ID\n"
        write_text(name, f"{head}#   (pixels)   (pixels)\n{rows_of(table, ('%.5f', '%.5f', '%.6g', '%d'))}")
        names.append(name)
    return names


def write_plots(exposures: Sequence[Exposure], alignment: Alignment, values: Values, runner: Runner) -> None:
    """Draw, as asked, how offsets were voted on, and the residuals: against x and y, and as vectors."""
    wanted = values.text("residplot").lower()

    def draw(exposure: Exposure) -> None:
        table = alignment.tables.get(exposure.root, {})
        if values.flag("see2dplot") and exposure.root != alignment.reference and "histogram" in table:
            write_bytes(f"hist2d_{stem(exposure)}.png", draw_histogram(table, Path(exposure.path).name))
        if "x" not in table:
            return
        if wanted in ("both", "residuals"):
            write_bytes(f"residuals_{stem(exposure)}.png", draw_residuals(table, Path(exposure.path).name))
        if wanted in ("both", "vector"):
            write_bytes(f"vector_{stem(exposure)}.png", draw_vectors(table, Path(exposure.path).name))

    runner.map(draw, exposures)


def write_headerlets(exposures: Sequence[Exposure], alignment: Alignment, values: Values) -> None:
    """Write the aligned WCS of each exposure as a headerlet, ``ROOT_hlet.fits``."""
    facts = {
        "HDRNAME": values.text("hdrname"),
        "AUTHOR": values.text("author"),
        "DESCRIP": values.text("descrip"),
        "HISTORY": values.text("history"),
        "WCSNAME": values.text("wcsname") or "TWEAK",
    }
    for exposure in exposures:
        name = (
            values.text("hdrfile") if len(exposures) == 1 and values.text("hdrfile") else f"{exposure.root}_hlet.fits"
        )
        frames = {chip: alignment.frame(exposure, chip) for chip in exposure.chips}
        write_headerlet(name, exposure, frames, facts=facts)
