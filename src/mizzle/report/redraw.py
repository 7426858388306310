"""Pictures and page of a finished run drawn again, from what it saved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import TemplateError

from mizzle.errors import InputError, SettingsError
from mizzle.io.product_names import stems
from mizzle.io.product_set import ProductSet, of_other_runs
from mizzle.io.run_id import KEYWORD, run_id_of
from mizzle.io.saved import read_columns, read_planes, read_report
from mizzle.io.text import read_text
from mizzle.model.frame import Grid
from mizzle.report.draw import draw, product_grid
from mizzle.report.worker import STAR_COLUMNS
from mizzle.settings import Settings, load_settings

_ENDING = "_report.json"
_NEEDED = (
    "name", "version", "verdict", "inputs", "alignment", "zeropoints", "products", "evidence", "sentences", KEYWORD,
)  # fmt: skip
_BAND = re.compile(r"[A-Za-z0-9+._-]{1,60}")

#: What a library says of numbers that do not fit each other.
_MISFITS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration, TemplateError)


def rebuild(folder: str | Path, name: str | None = None, settings: Settings | None = None) -> list[str]:
    """Draw the pictures and the page of a finished run again.

    Parameters
    ----------
    folder : str or Path
        Where the products are. A run without a catalog, or whose catalog is gone, gives a page without stars.
    name : str, optional
        NAME of the products; found by itself where the folder holds one report.
    settings : Settings, optional
        Sections ``report`` and ``output``; those of the run by default.

    Returns
    -------
    files : list of str
        Paths written.

    Raises
    ------
    SettingsError
        No report is there, or several and `name` does not choose.
    InputError
        A saved file is missing, damaged, or of another run than the rest.
    """
    folder = Path(folder)
    path = _report_path(folder, name)
    report = _checked_report(path)
    _refuse_mixture(folder, report)
    saved = _saved_settings(folder / f"{report['name']}_settings.toml")
    if saved.output.until or not saved.output.mosaic:
        raise SettingsError(
            f"{folder}: {report['name']} has no page to draw again: its run was to stop after a step (output.until), or"
            " wrote no image (output.mosaic); run it whole",
            folder=str(folder),
        )
    settings = settings or saved
    if not report["products"]:
        raise InputError(f"{path}: no products by filter in it; run mizzle run again", file=str(path))
    with ProductSet(folder, report["name"]) as products:
        try:
            with np.errstate(all="ignore"):  # damaged numbers may be of any size
                draw(_payload(folder, products.stage(), report, settings=settings))
        except _MISFITS as problem:
            why = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
            raise InputError(
                f"{path}: its numbers do not fit each other ({why}); the file was changed or"
                " damaged: run mizzle run again",
                file=str(path),
            ) from problem
        return [str(file) for file in products.publish(condition=lambda: _refuse_mixture(folder, report))]


def _report_path(folder: Path, name: str | None) -> Path:
    """Return the report to draw from."""
    reports = sorted(folder.glob(f"*{_ENDING}")) if folder.is_dir() else []
    if name is not None:
        reports = [path for path in reports if path.name == f"{name}{_ENDING}"]
    if len(reports) == 1:
        return reports[0]
    if not reports:
        which = f"{name}{_ENDING}" if name else f"*{_ENDING}"
        raise SettingsError(f"{folder}: no {which} here; give the folder that mizzle run -o wrote to")
    names = ", ".join(path.name.removesuffix(_ENDING) for path in reports)
    raise SettingsError(f"{folder}: several reports ({names}); choose one with --name", names=names)


def _checked_report(path: Path) -> dict[str, Any]:
    """Read a report; what names files must be plain names, and its own."""
    report = read_report(path)
    missing = [key for key in _NEEDED if key not in report]
    if missing:
        raise InputError(
            f"{path}: lacks {', '.join(missing)}: written by another version; run mizzle run again",
            file=str(path), missing=missing,
        )  # fmt: skip
    name, products = report["name"], report["products"]
    if f"{name}{_ENDING}" != path.name:
        raise InputError(
            f"{path}: says that its name is {name!r}; the files of a run keep their names: give it back its own",
            file=str(path), found=name,
        )  # fmt: skip
    if not (isinstance(products, dict) and all(_BAND.fullmatch(band) for band in products)):
        raise InputError(f"{path}: no products by filter in it; run mizzle run again", file=str(path))
    return report


def _refuse_mixture(folder: Path, report: dict[str, Any]) -> None:
    """Refuse a folder whose files of this NAME are not all of this run, now."""
    name, run_id = report["name"], report[KEYWORD]
    listed = report.get("files")
    listed = [file for file in listed if isinstance(file, str)] if isinstance(listed, list) else []
    strange = of_other_runs(folder, name, str(run_id), listed=listed)
    if not strange and run_id_of(folder / f"{name}{_ENDING}") == (run_id or None):
        return
    shown = ", ".join(f"{file} ({word or 'none'})" for file, word in strange.items()) or "it was replaced meanwhile"
    raise InputError(
        f"{folder}: not one set: {name}{_ENDING} is of run {run_id}, but {shown};"
        " run mizzle run again, or move away what does not belong to it",
        folder=str(folder),
        files=list(strange),
    )


def _saved_settings(path: Path) -> Settings:
    """Return the run's settings, or the defaults where the file is gone."""
    return load_settings(read_text(path), source=str(path)) if path.exists() else Settings()


def _payload(folder: Path, target: Path, report: dict[str, Any], *, settings: Settings) -> dict[str, Any]:
    """Return what `worker.payload` returns, from files; the drawing goes to `target`."""
    planes: dict[str, dict[str, Any]] = {}
    stars: dict[str, dict[str, Any]] = {}
    for band, stem in stems(report["name"], report["products"]).items():
        zeropoint = report["zeropoints"][band]
        image = folder / f"{stem}_drz.fits"
        planes[band] = {
            **read_planes(image),
            "pivot": zeropoint["photplam"],
            "photflam": zeropoint["photflam"],
        }
        if not _same_frame(product_grid(report["products"][band]), planes[band].pop("grid")):
            raise ValueError(f"products.{band} is not the frame of {image.name}")
        catalog = folder / f"{stem}_cat.ecsv"
        stars[band] = read_columns(catalog) if catalog.exists() else dict.fromkeys(STAR_COLUMNS, np.empty(0))
    options = {**settings.report.model_dump(), "image": settings.output.image}
    return {"folder": str(target), "report": report, "planes": planes, "stars": stars, "options": options}


def _same_frame(first: Grid, second: Grid) -> bool:
    """Tell whether two frames are one; a header's numbers have fifteen digits."""
    pairs = ((first.crval, second.crval), (first.crpix, second.crpix), (first.cd, second.cd))
    return first.shape == second.shape and all(np.allclose(a, b, rtol=1e-12, atol=0) for a, b in pairs)
