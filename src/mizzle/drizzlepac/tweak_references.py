"""What a call of TweakReg brings along: a reference image or catalog, catalogs of the exposures, regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.errors import InputError, SettingsError
from mizzle.io.catalogs import catalog_from_columns, read_align_references, read_sky_catalog
from mizzle.io.regions import read_regions
from mizzle.io.text import read_text
from mizzle.model import Exposure
from mizzle.model.references import AlignReferences, SkyCatalog
from mizzle.model.user_tables import SkyRegion
from mizzle.settings import Settings
from mizzle.translation.exposures import is_exposure, read_exposures, with_values
from mizzle.translation.parameters import Values


def references_of(
    values: Values, exposures: Sequence[Exposure], settings: Settings
) -> tuple[AlignReferences, list[Exposure], Settings]:
    """Read what the call names.

    Parameters
    ----------
    values : Values
        Of the call.
    exposures : sequence of Exposure
        Its inputs.
    settings : Settings
        Of the call.

    Returns
    -------
    references : AlignReferences
        Catalog, image, sources, regions.
    more : list of Exposure
        A reference exposure that is not among the inputs; it takes part, and is not changed.
    settings : Settings
        With the reference in them.
    """
    references, more = AlignReferences(), list[Exposure]()
    image = values.text("refimage").split("[")[0]
    if image:
        if is_exposure(image):
            more, settings = _reference_exposure(image, exposures, settings)
        else:
            settings = with_values(settings, align={"image": image})
            references = read_align_references(settings.align)
    if values.text("refcat"):
        references = replace(references, catalog=_catalog(values))
    if values.text("catfile"):
        references = replace(references, sources=_sources(values, exposures))
    if values.text("exclusions"):
        references = replace(references, regions=_regions(values.text("exclusions"), exposures))
    return references, more, settings


def _reference_exposure(
    name: str, exposures: Sequence[Exposure], settings: Settings
) -> tuple[list[Exposure], Settings]:
    """Return the exposure that keeps its place, where it is no input, and the settings that say so."""
    (known,) = read_exposures([Path(name)], settings)
    inputs = {exposure.root for exposure in exposures}
    return [] if known.root in inputs else [known], with_values(settings, align={"reference": known.root})


def _catalog(values: Values) -> SkyCatalog:
    """Read a reference catalog: plain columns by number, or a table with column names."""
    path = values.text("refcat")
    if path.lower().endswith((".ecsv", ".csv", ".fits", ".vot", ".xml")):
        return read_sky_catalog(path)
    if not values.text("refxyunits").startswith("deg"):
        raise SettingsError(f"refxyunits = {values.text('refxyunits')!r}: a reference catalog in degrees is needed")
    table = _columns(path, [values.whole("refxcol") or 1, values.whole("refycol") or 2])
    columns = {"ra": table[:, 0], "dec": table[:, 1]}
    if values.text("rfluxcol"):
        flux = _columns(path, [values.whole("rfluxcol") or 3])[:, 0]
        is_mag = values.text("rfluxunits").startswith("mag")
        columns["mag"] = flux if is_mag else -2.5 * np.log10(np.maximum(flux, 1e-30))
    return catalog_from_columns(Path(path).name, columns, float("nan"))


def _columns(path: str | Path, numbers: Sequence[int]) -> NDArray[np.float64]:
    """Read columns, by 1-based number, of a table of text."""
    rows = []
    for line in read_text(path).splitlines():
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append([float(words[number - 1]) for number in numbers])
        except (IndexError, ValueError):
            raise InputError(
                f"{path}: {line[:60]!r}; needed numbers in column {', '.join(map(str, numbers))}", file=str(path)
            ) from None
    if not rows:
        raise InputError(f"{path}: no row of numbers", file=str(path))
    return np.array(rows)


def _sources(values: Values, exposures: Sequence[Exposure]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Read the catalogs of a ``catfile``: a line for each exposure, its catalogs in the order of its chips."""
    numbers = [values.whole("xcol") or 1, values.whole("ycol") or 2]
    flux = values.whole("fluxcol")
    by_root: dict[str, dict[str, NDArray[np.float64]]] = {}
    for exposure, names in _listed(values.text("catfile"), exposures):
        chips = {}
        for chip, name in zip(exposure.chips, names, strict=False):
            table = _columns(name, [*numbers, flux] if flux else numbers)
            chips[chip] = np.column_stack([table[:, :2] - 1.0, table[:, 2] if flux else np.ones(len(table))])
        by_root[exposure.root] = chips
    return by_root


def _regions(path: str, exposures: Sequence[Exposure]) -> tuple[SkyRegion, ...]:
    """Read an ``exclusions`` file: a line for each exposure, a region file or ``None`` for each chip.

    A region excludes, unless its file's name has a leading ``+``.
    """
    regions: list[SkyRegion] = []
    for exposure, names in _listed(path, exposures):
        for chip, name in zip(exposure.chips, names, strict=False):
            if name.lower() == "none":
                continue
            include = name.startswith("+")
            for region in read_regions(name.lstrip("+-~^")):
                regions.append(replace(region, root=exposure.root, chip=chip, include=include))
    return tuple(regions)


def _listed(path: str, exposures: Sequence[Exposure]) -> list[tuple[Exposure, list[str]]]:
    """Return the words of each line of a list beside the exposure it names."""
    by_name: dict[str, Exposure] = {Path(exposure.path).name: exposure for exposure in exposures}
    result: list[tuple[Exposure, list[str]]] = []
    for line in read_text(path.lstrip("@")).splitlines():
        words: list[Any] = line.split("#")[0].split()
        if words and Path(words[0]).name in by_name:
            result.append((by_name[Path(words[0]).name], words[1:]))
    return result
