"""The page: one self-contained HTML file that opens offline."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from mizzle.report import maps
from mizzle.report.cache import cached
from mizzle.report.chips import unit
from mizzle.report.image import gray
from mizzle.report.sections import all_sections, maps_of_product
from mizzle.report.skyfigures import background_steps
from mizzle.report.stretch import block_mean, factor_for, percentile, stretched

_TEMPLATES = Path(__file__).parent / "templates"
_UNIT = re.compile(r"(?<=\d) (?=(?:%|mas\b|s\b|arcsec\b|mag\b|DN\b|e⁻|× \d))|(?<=\d ×) (?=\d)")


@cache
def environment() -> Environment:
    """Return the template engine: everything is escaped unless we made it."""
    engine = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    engine.filters["units"] = with_units
    return engine


def with_units(text: str) -> str:
    """Return text in which a number stays on one line with its unit.

    Examples
    --------
    >>> with_units("3 % of 500 s").replace("\N{NO-BREAK SPACE}", "~")
    '3~% of 500~s'
    """
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def warm_up() -> None:
    """Read and compile the template before there is anything to fill in."""
    environment().get_template("page.html")


def build_page(payload: Mapping[str, Any], raster: Any = None) -> str:
    """Return the text of NAME_report.html.

    Parameters
    ----------
    payload : mapping
        From `worker.payload`: ``report planes stars options``.
    raster : tuple, optional
        From `draw.color_raster`.

    Returns
    -------
    html : str
        Complete: style, script, pictures and data inside.
    """
    report = payload["report"]
    data, preview, size = _view_data(payload, raster)
    rows, products = report["inputs"], report["products"]
    target = next((row["target"] for row in rows if row["target"]), "") or report["name"]
    seconds = " + ".join(f"{p['exptime']:g} s" for p in products.values())
    subtitle = (
        f"{' and '.join(products)} · {len(rows)} exposure{'' if len(rows) == 1 else 's'} · {seconds} · {report['name']}"
    )
    stamps = report["evidence"].get("stamps") or []
    return (
        environment()
        .get_template("page.html")
        .render(
            report=report,
            target=_printable(str(target)),
            subtitle=_printable(subtitle),
            date=str(report["provenance"].get("date", "")).replace("T", " ")[:16],
            log=_log(report),
            sections=all_sections(report, payload["planes"], payload["stars"], stamps=bool(stamps)),
            preview=preview,
            preview_size=size,
            image_caption=_image_caption(report, data),
            css=Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8")),
            js=Markup((_TEMPLATES / "page.js").read_text(encoding="utf-8")),
            data=Markup(script_json({**data, "stamps": stamps})),
        )
    )


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element: no character of it can end the element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _printable(text: str, most: int = 160) -> str:
    """Return one line of printable text of sensible length."""
    words = "".join(c if c.isprintable() else " " for c in text[: most + 1])
    return words if len(words) <= most else words[:most] + "…"


def _log(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of the log sheet."""
    rows, product = report["inputs"], report["product"]
    dates = sorted({row["date_obs"][:10] for row in rows if row["date_obs"]})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else "unknown"
    programs = sorted({str(row["proposal"]) for row in rows if row["proposal"] is not None})
    ny, nx = product["shape"]
    items = [
        ("Observed", when),
        ("Program", _printable(", ".join(programs) or "unknown", 60)),
        ("Camera", f"{report.get('camera', '')}, {' '.join(dict.fromkeys(c for row in rows for c in row['chips']))}"),
        ("Pixels", f"{nx} × {ny}, {product['scale_arcsec']:.4f}″"),
        ("Drizzled with", f"{product['kernel']}, pixfrac {product['pixfrac']:g}, weight {product['weight_type']}"),
    ]
    for band, zeropoint in report["zeropoints"].items():
        items.append((f"PHOTFLAM {band}", f"{zeropoint['photflam']:.4e} ({zeropoint['reference']})"))
    stars = ", ".join(f"{c['n_stars']} in {band}" for band, c in report["catalogs"].items())
    return [*items, ("Stars", stars or "none")]


def _image_caption(report: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    """Say what the image is, and how true the values under the cursor are."""
    first = next(layer for layer in data["layers"] if layer["kind"] == "sci")
    binned = f" Averaged {first['factor']} × {first['factor']} for this page." if first["factor"] > 1 else ""
    return (
        f"{' and '.join(report['products'])} in {unit(report)}/s per pixel at the one PHOTFLAM.{binned} Drag to move;"
        " click into it, then the wheel or + and − zoom, as two fingers do; click a pixel to see which exposures made"
        " it. Values under the cursor are stored in 255 steps: exact to a few hundredths of the sky noise, to 3 % on"
        " bright stars."
    )


def _view_data(payload: Mapping[str, Any], raster: Any) -> tuple[dict[str, Any], str, tuple[int, int]]:
    """Return what the viewer needs, and the still picture shown before and without it."""
    report, planes, options = payload["report"], payload["planes"], payload["options"]
    product = report["product"]
    ny, nx = product["shape"]
    layers: list[dict[str, Any]] = []
    picture = None
    if raster is not None:
        picture = raster[0]
        jpeg = _jpeg(picture, 90)
        factor = factor_for((ny, nx), options["image_size"])
        layers.append(
            {"key": "color", "kind": "rgb", "label": "Color", "unit": "", "factor": factor, "src": jpeg,
             "nx": picture.shape[1], "ny": picture.shape[0]}
        )  # fmt: skip
    for band, plane in planes.items():
        layers.append({**_science(plane, len(planes), options), "key": band, "kind": "sci", "label": band,
                       "unit": f"{unit(report)}/s", "band": band})  # fmt: skip
    for band, plane in planes.items():
        suffix = f" {band}" if len(planes) > 1 else ""
        layers.append({**_weight(plane), "key": f"wht {band}", "kind": "wht",
                       "label": f"Weight{suffix}", "unit": "s", "band": band})  # fmt: skip
    if picture is None:
        picture = _still(next(iter(planes.values())), options)
    inputs = {b: [[c["root"], c["chip"], c["exptime"]] for c in p["context"]] for b, p in report["products"].items()}
    data = {
        "grid": {"nx": nx, "ny": ny, "crval": product["crval"], "crpix": product["crpix"], "cd": product["cd"]},
        "bands": list(planes),
        "softening": options["stretch"],
        "layers": layers,
        "contexts": {b: {**_context(p, len(inputs[b])), "inputs": inputs[b]} for b, p in planes.items()},
        "outlines": report["evidence"].get("footprints") or {},
        "stars": {b: _stars(s, options["stars"]) for b, s in payload["stars"].items()},
    }
    return data, _jpeg(picture, 82), (picture.shape[1], picture.shape[0])


def prepare(plane: Mapping[str, Any], product: Mapping[str, Any], bands: int, *, options: Mapping[str, Any]) -> None:
    """Work out, and keep with the plane, what the page shows of one product's pixels.

    Parameters
    ----------
    plane : dict
        Its pixels.
    product : mapping
        The report's entry of it in ``products``.
    bands : int
        Products on the page.
    options : mapping
        Section ``report`` of the settings.
    """
    _science(plane, bands, options)
    _weight(plane)
    _context(plane, len(product["context"]))
    if bands == 1:  # else the color picture stands in its place
        _still(plane, options)
    background_steps(product, plane)
    maps_of_product(product, plane)


def _science(plane: Mapping[str, Any], bands: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image as the viewer has it."""

    def make() -> dict[str, Any]:
        sci = plane["sci"]
        layer = maps.science_layer(sci, options["page_size"] * 1e6 / max(1, bands))
        sky, sigma = layer["scale"]["sky"], layer["scale"]["sigma"]
        sample = sci.ravel()[:: max(1, sci.size // 200_000)]
        sample = sample[np.isfinite(sample)]
        top = (percentile(sample, options["white"]) - sky) / sigma if sample.size else 20.0
        return {**layer, "white": max(20.0, top)}

    return cached(plane, "science", make)


def _weight(plane: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights as the viewer has them."""
    return cached(plane, "weight", lambda: maps.weight_layer(plane["wht"]))


def _context(plane: Mapping[str, Any], inputs: int) -> dict[str, Any]:
    """Return the context of so many input chips as the viewer has it."""
    return cached(plane, "context", lambda: maps.context_layer(plane["context"], inputs))


def _still(plane: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Return the gray picture shown before the viewer is there, and without it."""

    def make() -> Any:
        small = block_mean(plane["sci"], factor_for(plane["sci"].shape, 1000))
        return gray(stretched(small, softening=options["stretch"], white=options["white"]))

    return cached(plane, "still", make)


def _stars(stars: Mapping[str, Any], most: int) -> dict[str, list[Any]]:
    """Return the brightest stars for the viewer: 0-based places, magnitudes, sizes of the circles."""
    mag = np.asarray(stars.get("mag_st", ()), dtype=float)
    if not mag.size:
        return {key: [] for key in ("x", "y", "mag", "err", "flags", "size")}
    good = np.flatnonzero(np.isfinite(mag))
    chosen = good[np.argsort(mag[good], kind="stable")][:most]
    mag = mag[chosen]
    span = float(np.ptp(mag)) if mag.size else 0.0
    size = 1 - (mag - mag.min()) / span if span else np.ones(mag.size)
    error = np.nan_to_num(np.asarray(stars["mag_err"], dtype=float)[chosen], nan=0.0, posinf=0.0)
    return {
        "x": np.round(np.asarray(stars["x"], dtype=float)[chosen] - 1, 2).tolist(),
        "y": np.round(np.asarray(stars["y"], dtype=float)[chosen] - 1, 2).tolist(),
        "mag": np.round(mag, 3).tolist(),
        "err": np.round(error, 3).tolist(),
        "flags": np.asarray(stars["flags"])[chosen].astype(int).tolist(),
        "size": np.round(size, 2).tolist(),
    }


def _jpeg(raster: Any, quality: int) -> str:
    """Return a raster as a JPEG data address."""
    buffer = io.BytesIO()
    Image.fromarray(raster).save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
