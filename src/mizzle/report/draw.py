"""Everything that is drawn: the picture of each product, the color picture, the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.io.atomic import write_bytes, write_text
from mizzle.io.product_names import COLOR, stems
from mizzle.io.run_id import KEYWORD
from mizzle.model.frame import Grid
from mizzle.report import color, page
from mizzle.report.cache import cached
from mizzle.report.image import Caption, Style, binned_grid, draw_product, draw_raster
from mizzle.report.stretch import block_mean, factor_for


def product_grid(product: Mapping[str, Any]) -> Grid:
    """Return the frame of a product from the report's numbers."""
    ny, nx = product["shape"]
    return Grid(np.array(product["crval"]), np.array(product["crpix"]), np.array(product["cd"]), (ny, nx))


def draw(payload: Mapping[str, Any]) -> list[str]:
    """Write the pictures and the page.

    Parameters
    ----------
    payload : mapping
        From `worker.payload`: ``folder report planes stars options``.

    Returns
    -------
    files : list of str
        Paths written, in order.
    """
    folder, name, options = Path(payload["folder"]), payload["report"]["name"], payload["options"]
    raster = color_raster(payload)
    files: list[Path] = []
    if options["image"]:
        files += [write_bytes(folder / n, png) for n, png in _pictures(payload, raster)]
    if options["page"]:
        files.append(write_text(folder / f"{name}_report.html", page.build_page(payload, raster)))
    return [str(path) for path in files]


def prepare(message: Mapping[str, Any]) -> None:
    """Work out, and keep with its plane, whatever needs one product's pixels only.

    Parameters
    ----------
    message : mapping
        From `worker.early_payload`: ``band plane sketch bands options``.
    """
    band, plane, sketch, options = (message[key] for key in ("band", "plane", "sketch", "options"))
    # One after the other: a thread beside makes both wait for the interpreter, and takes twice the processor's time.
    if options["image"]:
        _picture(sketch, band, plane, options=options)
    if options["page"]:
        page.prepare(plane, sketch["products"][band], message["bands"], options=options)


def warm_up() -> None:
    """Do what does not depend on the run: compile the template, load the face and the encoders."""
    page.warm_up()
    draw_raster(np.zeros((20, 20, 3), np.uint8), _SMALL, Caption(""))


#: A frame to practice on.
_SMALL = Grid(np.zeros(2), np.ones(2), np.diag([-1e-5, 1e-5]), (20, 20))


def _pictures(payload: Mapping[str, Any], raster: Any) -> list[tuple[str, bytes]]:
    """Return name and bytes of every picture."""
    report, options = payload["report"], payload["options"]
    names = stems(report["name"], payload["planes"])
    made = []
    for band, planes in payload["planes"].items():
        made.append((f"{names[band]}.png", _picture(report, band, planes, options=options)))
    if raster is not None:
        made.append((f"{report['name']}{COLOR}", draw_color(report, raster)))
    return made


def _picture(report: Mapping[str, Any], band: str, plane: Mapping[str, Any], *, options: Mapping[str, Any]) -> bytes:
    """Return the PNG of one product, drawn once."""
    return cached(plane, "picture", lambda: draw_band(report, band, plane["sci"], options=options))


def draw_band(report: Mapping[str, Any], band: str, sci: Any, *, options: Mapping[str, Any]) -> bytes:
    """Return the PNG of one product."""
    product = report["products"][band]
    style = Style(options["image_size"], options["stretch"], options["white"])
    return draw_product(sci, product_grid(product), _caption(report, band, product), style=style)


def _caption(report: Mapping[str, Any], bands: str, product: Mapping[str, Any]) -> Caption:
    """Return title and second line of a picture."""
    target = next((row["target"] for row in report["inputs"] if row["target"]), report["name"])
    n = product["n_exposures"]
    camera = str(report.get("camera", ""))
    words = [f"{camera} {bands}".strip(), f"{n} exposure{'' if n == 1 else 's'}", f"{product['exptime']:g} s",
             f"{product['scale_arcsec']:.4g}\"/pixel"]  # fmt: skip
    return Caption(str(target), "   ".join(words), str(report.get(KEYWORD, "")))


def color_raster(payload: Mapping[str, Any]) -> tuple[Any, Grid, tuple[str, str, str]] | None:
    """Return the color raster with its frame and the filters drawn; None with one filter."""
    options, planes = payload["options"], payload["planes"]
    names = color.mapping({band: p["pivot"] or 0.0 for band, p in planes.items()}, options["color"])
    if names is None:
        return None
    product = next(iter(payload["report"]["products"].values()))
    grid = product_grid(product)
    factor = factor_for(grid.shape, options["image_size"])
    small = {band: block_mean(p["sci"], factor) for band, p in planes.items()}
    raster = color.compose(small, names, softening=options["color_softening"], stretch=options["color_stretch"])
    return raster, binned_grid(grid, factor), names


def draw_color(report: Mapping[str, Any], made: tuple[Any, Grid, tuple[str, str, str]]) -> bytes:
    """Return the PNG of the color raster."""
    raster, grid, names = made
    parts = report["products"].values()
    product = {
        **next(iter(parts)),
        "n_exposures": sum(p["n_exposures"] for p in parts),
        "exptime": sum(p["exptime"] for p in parts),
    }
    return draw_raster(raster, grid, _caption(report, "red, green, blue: " + ", ".join(names), product))
