"""Pictures and page once more, from what a run saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mizzle.errors import InputError, SettingsError
from mizzle.io.saved import read_columns, read_planes, read_report
from mizzle.io.text import read_text
from mizzle.settings import Settings, load_settings

_NEEDED = ("name", "version", "verdict", "inputs", "alignment", "zeropoints", "products", "evidence", "sentences")


def rebuild(folder: str | Path, name: str | None = None, settings: Settings | None = None) -> list[str]:
    """Draw the pictures and the page of a finished run again.

    Parameters
    ----------
    folder : str or Path
        Where the products are.
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
        A saved file is missing or damaged.
    """
    from mizzle.report.draw import draw

    folder = Path(folder)
    path = _report_path(folder, name)
    report = read_report(path)
    missing = [key for key in _NEEDED if key not in report]
    if missing:
        raise InputError(
            f"{path}: lacks {', '.join(missing)}: written by another version; run mizzle run again",
            file=str(path), missing=missing,
        )  # fmt: skip
    settings = settings or _saved_settings(folder / f"{report['name']}_settings.toml")
    return draw(_payload(folder, report, settings))


def _report_path(folder: Path, name: str | None) -> Path:
    """Return the report to draw from."""
    found = sorted(folder.glob("*_report.json")) if folder.is_dir() else []
    if name is not None:
        found = [path for path in found if path.name == f"{name}_report.json"]
    if len(found) == 1:
        return found[0]
    if not found:
        which = f"{name}_report.json" if name else "*_report.json"
        raise SettingsError(f"{folder}: no {which} here; give the folder that mizzle run -o wrote to")
    names = ", ".join(path.name.removesuffix("_report.json") for path in found)
    raise SettingsError(f"{folder}: several reports ({names}); choose one with --name", names=names)


def _saved_settings(path: Path) -> Settings:
    """Return the run's settings, or the defaults where the file is gone."""
    return load_settings(read_text(path), source=str(path)) if path.exists() else Settings()


def _payload(folder: Path, report: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return what `worker.payload` returns, from files."""
    several = len(report["products"]) > 1
    planes: dict[str, dict[str, Any]] = {}
    stars: dict[str, dict[str, Any]] = {}
    for band in report["products"]:
        stem = f"{report['name']}_{band.lower()}" if several else report["name"]
        zeropoint = report["zeropoints"][band]
        planes[band] = {
            **read_planes(folder / f"{stem}_drz.fits"),
            "pivot": zeropoint["photplam"],
            "photflam": zeropoint["photflam"],
        }
        catalog = folder / f"{stem}_cat.ecsv"
        stars[band] = read_columns(catalog) if catalog.exists() else {}
    options = {**settings.report.model_dump(), "image": settings.output.image}
    return {"folder": str(folder), "report": report, "planes": planes, "stars": stars, "options": options}
