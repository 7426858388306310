"""The figures drawn from the product's pixels and stars: background and seams, weight, exposures, catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, IndexPairs
from mizzle.model.star_flags import MEANINGS
from mizzle.report import maps
from mizzle.report.cache import cached
from mizzle.report.charts import Axis, Chart, padded, round_ticks
from mizzle.report.figures import Figure
from mizzle.report.seams import doubted, seams
from mizzle.report.stretch import block_mean, median, percentile, sky_statistics

Product = Mapping[str, Any]

#: Reasons of flags that a caption names at most.
_REASONS = 3


def map_chart(
    values: NDArray[Any],
    limits: tuple[float, float],
    ramp: Sequence[tuple[int, int, int]],
    *,
    words: str,
    unit: str,
    whole: bool = False,
) -> str:
    """Return a map with its color bar as SVG.

    Parameters
    ----------
    values : (ny, nx) array
        NaN is left blank.
    limits : (float, float)
        Ends of the color ramp.
    ramp : sequence of RGB
        Colors.
    words, unit : str
        What it is; the color bar's unit.
    whole : bool
        The values are counts.
    """
    ny, nx = values.shape
    width, bar = 440, 52
    inner = width - 12
    height = round(inner * ny / nx) + 12 + bar
    chart = Chart(
        Axis("", 0, 1, ticks=()), Axis("", 0, 1, ticks=()), words,
        width=width, height=height, margins=(6, 6, 6, 6 + bar), grid=False,
    )  # fmt: skip
    chart.image(maps.colored(values, *limits, ramp=ramp), (0, 0, 1, 1))
    stops = "".join(
        f'<stop offset="{i / (len(ramp) - 1):.3f}" stop-color="rgb{tuple(int(v) for v in c)}"/>'
        for i, c in enumerate(ramp)
    )
    name = "g" + "".join(c for c in words if c.isalnum())
    y = height - bar + 12
    parts = [
        f'<linearGradient id="{name}">{stops}</linearGradient>',
        f'<rect x="60" y="{y}" width="{width - 120}" height="10" fill="url(#{name})"/>',
    ]
    scale = Axis("", limits[0], limits[1])
    ticks = round_ticks(*limits, 4, least=1.0 if whole else 0.0)  # a phone has room for no more
    parts += [
        f'<text class="tick" x="{60 + scale.fraction(v) * (width - 120):.1f}" y="{y + 23}"'
        f' text-anchor="middle">{t}</text>'
        for v, t in ticks
    ]
    parts.append(f'<text class="axis" x="{width / 2}" y="{y + 38}" text-anchor="middle">{unit}</text>')
    return chart.svg().replace("</svg>", "".join(parts) + "</svg>")


def background_of(product: Product, planes: Mapping[str, Any]) -> tuple[NDArray[Any], int]:
    """Return the background by cell [DN/s/arcsec²], and the side of a cell [pixel]."""
    scale = product["scale_arcsec"]
    block = max(2, round(0.9 / scale))
    return cached(planes, "background", lambda: maps.background(planes["sci"], block) / scale**2), block


def seam_map(
    product: Product, planes: Mapping[str, Any], sky: float | None, *, doubts: Mapping[str, float]
) -> tuple[Figure, list[dict[str, Any]]]:
    """Draw the background and compare it across the borders between chips.

    Parameters
    ----------
    product : mapping
        The report's ``products[filter]``.
    planes : mapping
        ``sci``, an array, and ``context``.
    sky : float or None
        Sky that was subtracted [DN/s/arcsec²].
    doubts : mapping
        How far rounding may move the sky of each chip [DN/s/arcsec²].

    Returns
    -------
    figure : Figure
        The map.
    rows : list of dict
        Steps across the borders, in DN/s/arcsec² and as a share of the sky.
    """
    drawn, steps = background_steps(product, planes)
    rows = doubted(steps, doubts)
    for row in rows:
        row["percent"] = 100 * row["step"] / sky if sky else None
        row["percent_error"] = 100 * row["error"] / sky if sky else None
    return drawn, rows


def background_steps(product: Product, planes: Mapping[str, Any]) -> tuple[Figure, list[dict[str, Any]]]:
    """Draw the background, and measure its steps, once: all of `seam_map` that a product's pixels alone tell."""
    return cached(planes, "steps", lambda: _background_steps(product, planes))


def _background_steps(product: Product, planes: Mapping[str, Any]) -> tuple[Figure, list[dict[str, Any]]]:
    scale = product["scale_arcsec"]
    level, block = background_of(product, planes)
    ny, nx = level.shape
    cells = planes["context"].sampled(block, (ny * block, nx * block))
    steps = seams(level, maps.chip_classes(cells, product["context"]), {})
    shown = maps.without_stars(level)
    middle, scatter = sky_statistics(shown)
    wide = 4.0 * scatter
    html = map_chart(shown, (middle - wide, middle + wide), maps.DIVERGING,
                     words=f"Background map {product['filter']}", unit="background [counts/s/arcsec²]")  # fmt: skip
    figure = Figure(
        f"seams-{product['filter']}",
        f"Background and seams, {product['filter']}",
        f"Clipped mean of cells of {block} × {block} pixels ({block * scale:.1f} arcsec), after the sky was subtracted;"
        " cells with stars are filled from around, and all are averaged over 5 × 5; colors span ±4 sigma.",
        "soft clouds without edges, brighter toward a cluster or around the brightest stars. The outline of a chip"
        " showing through is a seam: a wrong factor between chips, or a pedestal.",
        html,
    )
    return figure, steps


def weight_map(product: Product, planes: Mapping[str, Any]) -> Figure:
    """Draw the weight map."""
    wht = planes["wht"]
    factor = max(1, -(-max(wht.shape) // 480))
    small = block_mean(wht, factor, positive=True)
    good = small[np.isfinite(small)]
    top = percentile(good, 99.8) if good.size else 1.0
    kind = product["weight_type"]
    unit = "weight [s]" if kind == "EXP" else f"weight ({kind})"
    return Figure(
        f"weight-{product['filter']}",
        f"Weight, {product['filter']}",
        "What counts in each pixel: exposure time, by sensitivity and covered area."
        if kind == "EXP"
        else f"Weights of type {kind}.",
        "even inside each chip, whole multiples where exposures overlap, thin scratches where defects and cosmic"
        " rays were left out. Star-shaped holes would mean that star cores were taken for cosmic rays.",
        map_chart(small, (0.0, top), maps.SEQUENTIAL, words=f"Weight map {product['filter']}", unit=unit),
    )


def exposure_map(product: Product, planes: Mapping[str, Any]) -> Figure:
    """Draw how many exposures made each pixel."""
    step = max(1, -(-max(product["shape"]) // 480))
    count = maps.exposure_count(planes["context"], product["context"], step).astype(float)
    count[count == 0] = np.nan
    top = max(1.0, float(np.nanmax(count)) if np.isfinite(count).any() else 1.0)
    return Figure(
        f"exposures-{product['filter']}",
        f"Exposures per pixel, {product['filter']}",
        f"Number of exposures that reach a pixel; at most {top:.0f} of {product['n_exposures']}.",
        "the full number over most of the field. Where only one is left, a cosmic ray cannot be told from a star.",
        map_chart(
            count,
            (0.0, top),
            maps.SEQUENTIAL,
            words=f"Exposure count {product['filter']}",
            unit="exposures",
            whole=True,
        ),
    )


def magnitude_errors(band: str, stars: Mapping[str, Any]) -> Figure | None:
    """Draw magnitude error against magnitude."""
    mag, error, flags = (np.asarray(stars[k], dtype=float) for k in ("mag_st", "mag_err", "flags"))
    good = np.isfinite(mag) & np.isfinite(error) & (error > 0)
    if good.sum() < 3:
        return None
    mag, error, flags = mag[good], error[good], flags[good]
    low, high = padded(mag, least=1.0, share=0.03)
    chart = Chart(
        Axis(f"{band} [ST mag]", low, high),
        Axis("error [mag]", max(1e-4, float(error.min()) / 1.5), min(3.0, float(error.max()) * 1.5), log=True),
        f"Magnitude errors, {band}",
        margins=(62, 10, 14, 42),
    )
    clean = flags == 0
    chart.cloud(mag[~clean], error[~clean], "flagged")
    chart.cloud(mag[clean], error[clean], "ink")
    return Figure(
        f"errors-{band}",
        f"Errors against magnitude, {band}",
        f"{mag.size} stars; {int((~clean).sum())} of them flagged (paler){_reasons(flags)}.",
        "one narrow sequence rising toward faint stars; a second one above it is the part of the field with fewer"
        " exposures.",
        chart.svg(),
    )


def _reasons(flags: FloatArray) -> str:
    """Say why most flagged stars are, the commonest reason first: a star may have several."""
    bits = flags.astype(int)
    counts = {flag: int(np.count_nonzero(bits & flag)) for flag in MEANINGS}
    common = sorted((flag for flag in counts if counts[flag]), key=lambda flag: -counts[flag])[:_REASONS]
    words = "; ".join(f"{counts[flag]} {MEANINGS[flag]} (bit {int(flag)})" for flag in common)
    return f": {words}" if words else ""


def star_counts(band: str, stars: Mapping[str, Any]) -> Figure | None:
    """Draw the number of stars by magnitude."""
    mag = np.asarray(stars["mag_st"], dtype=float)
    mag = mag[np.isfinite(mag)]
    if mag.size < 10:
        return None
    edges = np.arange(np.floor(mag.min() * 2) / 2, np.ceil(mag.max() * 2) / 2 + 0.51, 0.5)
    counts, edges = np.histogram(mag, edges)
    chart = Chart(
        Axis(f"{band} [ST mag]", float(edges[0]), float(edges[-1])),
        Axis("stars per half magnitude", 0.0, float(counts.max()) * 1.1),
        f"Star counts, {band}",
        margins=(62, 10, 14, 42),
    )
    points = [(float(edges[0]), 0.0)]
    for count, a, b in zip(counts, edges[:-1], edges[1:], strict=True):
        points += [(float(a), float(count)), (float(b), float(count))]
    chart.polygon([*points, (float(edges[-1]), 0.0)], "area")
    return Figure(
        f"counts-{band}",
        f"Star counts, {band}",
        f"{mag.size} stars of the catalog by magnitude.",
        "a smooth rise, then the drop at the faint limit. A pile at the faint end is noise taken for stars.",
        chart.svg(),
    )


def color_magnitude(catalogs: Mapping[str, Mapping[str, Any]], pivots: Mapping[str, float]) -> Figure | None:
    """Draw the color-magnitude diagram of the bluest and the reddest filter."""
    bands = sorted((b for b in catalogs if len(catalogs[b]["ra"])), key=lambda b: pivots.get(b, 0.0))
    if len(bands) < 2:
        return None
    blue, red = bands[0], bands[-1]
    i, j = match(catalogs[blue], catalogs[red])
    color = np.asarray(catalogs[blue]["mag_st"], dtype=float)[i] - np.asarray(catalogs[red]["mag_st"], dtype=float)[j]
    mag = np.asarray(catalogs[red]["mag_st"], dtype=float)[j]
    good = np.isfinite(color) & np.isfinite(mag)
    if good.sum() < 3:
        return None
    color, mag = color[good], mag[good]
    middle = [percentile(color, 1), percentile(color, 99)]
    low, high = padded(middle, least=0.5, share=0.15)
    faint, bright = padded(mag, least=1.0, share=0.03)
    chart = Chart(
        Axis(f"{blue} − {red} [ST mag]", low, high),
        Axis(f"{red} [ST mag]", bright, faint),
        "Color-magnitude diagram",
        height=434,
    )
    chart.cloud(color, mag, "ink")
    return Figure(
        "cmd",
        "Color and magnitude",
        f"{color.size} stars found in both filters within 0.15 arcsec; bright at the top.",
        "the sequences of the cluster or field, as narrow as the errors; two parallel copies of a sequence"
        " would be a zeropoint that differs between chips.",
        chart.svg(),
    )


def match(first: Mapping[str, Any], second: Mapping[str, Any], reach: float = 0.15) -> IndexPairs:
    """Match two catalogs by position: mutual nearest neighbors within `reach` arcsec.

    Returns
    -------
    i, j : (n,) int arrays
        Rows of `one` and of `two`.
    """
    dec0 = median(np.asarray(first["dec"], dtype=float))
    ra0 = median(np.asarray(first["ra"], dtype=float))
    a, b = (
        np.column_stack(
            [
                ((np.asarray(c["ra"], dtype=float) - ra0 + 180) % 360 - 180) * np.cos(np.deg2rad(dec0)) * 3600,
                (np.asarray(c["dec"], dtype=float) - dec0) * 3600,
            ]
        )
        for c in (first, second)
    )
    order = np.argsort(b[:, 1], kind="stable")
    low = np.searchsorted(b[order, 1], a[:, 1] - reach)
    high = np.searchsorted(b[order, 1], a[:, 1] + reach)
    best_a = np.full(len(a), -1)
    best_b = np.full(len(b), -1)
    distance_b = np.full(len(b), np.inf)
    for k, (lo, hi) in enumerate(zip(low, high, strict=True)):
        rows = order[lo:hi]
        if not rows.size:
            continue
        gap = np.hypot(*(b[rows] - a[k]).T)
        nearest = int(gap.argmin())
        if gap[nearest] <= reach:
            best_a[k] = rows[nearest]
            if gap[nearest] < distance_b[rows[nearest]]:
                distance_b[rows[nearest]], best_b[rows[nearest]] = gap[nearest], k
    i = np.flatnonzero(best_a >= 0)
    i = i[best_b[best_a[i]] == i]
    return IndexPairs(i, best_a[i])
