"""The sections of the page: figures and tables in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mizzle.report import alignment_figures as ali
from mizzle.report import figures as fig
from mizzle.report import skyfigures as sky
from mizzle.report import tables as tab
from mizzle.report.cache import cached
from mizzle.report.chips import unit
from mizzle.report.figures import Figure, Report
from mizzle.report.tables import Table

Shown = TypeVar("Shown")


@dataclass(frozen=True)
class PageSection:
    """A heading with what belongs under it."""

    key: str
    title: str
    intro: str = ""
    verdict: str = ""
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    code: str = ""
    stamps: bool = False


def all_sections(
    report: Report, planes: Mapping[str, Any], stars: Mapping[str, Any], *, stamps: bool
) -> list[PageSection]:
    """Return every section that has something to show.

    Parameters
    ----------
    report : mapping
        From `metrics.build_report`.
    planes : mapping
        ``sci wht context`` by filter.
    stars : mapping
        Catalog columns by filter.
    stamps : bool
        Whether there are stamps before and after.
    """
    sections = [
        _exposures(report),
        _alignment(report),
        _zeropoint(report),
        _seams(report, planes),
        _sky(report),
        _cosmic_rays(report, stamps),
        _coverage(report, planes),
        _widths(report),
        _catalog(report, stars, planes),
        _settings(report),
        _provenance(report),
    ]
    return [s for s in sections if s.figures or s.tables or s.notes or s.intro or s.code]


def _some(items: Iterable[Shown | None]) -> list[Shown]:
    """Leave out what has nothing to show."""
    return [item for item in items if item is not None]


def _exposures(report: Report) -> PageSection:
    n = len(report["inputs"])
    files = (
        "One science file with its data-quality file"
        if n == 1
        else f"{n} science files, each with its data-quality file"
    )
    tables = [tab.inputs(report)]
    if report["dropped"]:
        tables.append(tab.dropped(report))
    return PageSection(
        "exposures",
        "Exposures and pairs",
        f"{files}. The hashes are of the bytes that were read; the files were not changed.",
        figures=_some([fig.footprints(report), fig.pointings(report)]),
        tables=tables,
    )


def _alignment(report: Report) -> PageSection:
    alignment = report["alignment"]
    intro = next(s["text"] for s in report["sentences"] if s["part"] == "alignment")
    if len(alignment["exposures"]) > 1:
        intro += f" Frame: {alignment['reference']}; method: {alignment['method']}."
    return PageSection(
        "alignment",
        "Alignment",
        intro,
        alignment["verdict"],
        _some(
            [
                ali.residual_panels(report),
                ali.residual_cloud(report),
                ali.residual_trend(report),
                ali.residual_positions(report),
                ali.offset_votes(report),
            ]
        ),
        [tab.alignment(report)],
    )


def _zeropoint(report: Report) -> PageSection:
    zeropoints = report["zeropoints"]
    verdicts = [z["verdict"] for z in zeropoints.values()]
    order, counts = ("NONE", "PASS", "WARN", "FAIL"), unit(report)
    intro = " ".join(
        f"{band}: every chip's {counts} are multiplied to PHOTFLAM {z['photflam']:.6g} erg cm⁻² s⁻¹ Å⁻¹ per"
        f" {counts}/s"
        f" ({z['origin']})."
        for band, z in zeropoints.items()
    )
    return PageSection(
        "zeropoint",
        "Zeropoint",
        intro + " Then the data are asked: do stars have the same flux on every chip, and on every exposure?",
        max(verdicts, key=order.index, default="NONE"),
        _some(draw(z) for z in zeropoints.values() for draw in (fig.proof, fig.exposure_proof)),
        [table for z in zeropoints.values() for table in tab.zeropoint(z, len(zeropoints) > 1)],
        [note for z in zeropoints.values() for note in z["notes"]],
    )


def _seams(report: Report, planes: Mapping[str, Any]) -> PageSection:
    figures, tables = [], []
    for band, product in report["products"].items():
        doubts = tab.rounding_doubts(report, product)
        figure, rows = sky.seam_map(product, planes[band], tab.mean_sky(report, band), doubts=doubts)
        figures.append(figure)
        if rows:
            tables.append(tab.seams(rows, band if len(planes) > 1 else ""))
    return PageSection(
        "seams",
        "Chip seams on the sky",
        "The background on both sides of each border between neighboring chips, on the product itself."
        " Unresolved stars and nebulae differ from place to place, and so may chip pedestals: this informs,"
        " the stars decide.",
        figures=figures,
        tables=tables,
    )


def _sky(report: Report) -> PageSection:
    figure = fig.sky_levels(report)
    if figure is None:
        return PageSection("sky", "Sky levels")
    return PageSection(
        "sky",
        "Sky levels",
        f"Method: {report['sky']['method']}. What is subtracted is listed in {unit(report)} of each chip's pixels; the"
        " pedestal is what a chip measured beyond that.",
        figures=[figure],
        tables=[tab.sky(report)],
        notes=report["sky"]["notes"],
    )


def _cosmic_rays(report: Report, stamps: bool) -> PageSection:
    intro = next(s["text"] for s in report["sentences"] if s["part"] == "cosmic rays")
    return PageSection(
        "rays",
        "Cosmic rays",
        intro,
        figures=_some([fig.cosmic_rays(report)]),
        tables=[tab.cosmic_rays(report)],
        stamps=stamps,
    )


def _coverage(report: Report, planes: Mapping[str, Any]) -> PageSection:
    figures = []
    for band, product in report["products"].items():
        figures += maps_of_product(product, planes[band])
    return PageSection("coverage", "Weight and exposures", figures=figures)


def maps_of_product(product: Mapping[str, Any], plane: Mapping[str, Any]) -> list[Figure]:
    """Draw the maps that need a product's pixels only, once."""
    return cached(plane, "maps", lambda: [sky.weight_map(product, plane), sky.exposure_map(product, plane)])


def _widths(report: Report) -> PageSection:
    return PageSection(
        "stars-in-out", "Star widths", figures=_some([fig.star_widths(report)]), tables=_some([tab.star_shapes(report)])
    )


def _catalog(report: Report, stars: Mapping[str, Any], planes: Mapping[str, Any]) -> PageSection:
    pivots = {band: planes[band].get("pivot") or 0.0 for band in planes}
    figures = [sky.color_magnitude(stars, pivots)]
    for band, columns in stars.items():
        if len(columns.get("mag_st", ())):
            figures += [sky.magnitude_errors(band, columns), sky.star_counts(band, columns)]
    words = [f"{c['n_stars']} stars in {band}" for band, c in report["catalogs"].items()]
    return PageSection("catalog", "Catalog", f"{'; '.join(words)}." if words else "", figures=_some(figures))


def _settings(report: Report) -> PageSection:
    if not report["settings_changed"]:
        return PageSection("settings", "Settings", "Every setting is at its default.")
    return PageSection("settings", "Settings that differ from default", tables=[tab.settings(report)])


def _provenance(report: Report) -> PageSection:
    tables = [tab.timing(report)] if report["timing"] else []
    facts = tab.facts(report)
    return PageSection(
        "provenance",
        "Provenance",
        "What made this, and the command that makes it again.",
        tables=[*([facts] if facts.rows else []), *tables],
        notes=report["notes"],
        code=report["command"],
    )
