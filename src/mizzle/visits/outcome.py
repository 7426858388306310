"""What became of all visits, in three files: ``batch.json`` for machines, ``visits.ecsv`` for trends, ``index.html``
for eyes."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mizzle._version import __version__
from mizzle.errors import SettingsError
from mizzle.io.atomic import write_text
from mizzle.io.catalog_file import ecsv_text
from mizzle.report.overview import build_overview
from mizzle.visits.grouping import GroupedVisit
from mizzle.visits.records import Record

FORMAT = 1

#: The three files are written again after this many times the time that it takes, and not before so long [s].
_SHARE, _PAUSE = 20.0, 5.0

#: Units of the columns of ``visits.ecsv``.
UNITS = {
    "ra": "deg", "dec": "deg", "mjd": "d", "exptime": "s", "align_rms": "mas", "photflam": "erg / (Angstrom s cm2)",
    "scale": "arcsec", "seconds": "s", "cpu_seconds": "s", "peak_memory": "Mbyte",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A visit and its record.

    Parameters
    ----------
    visit : GroupedVisit
        What was grouped.
    record : Record
        How it ended.
    """

    visit: GroupedVisit
    record: Record

    def public(self) -> dict[str, Any]:
        """Return what ``batch.json`` says of it."""
        first, record = self.visit.exposures[0], self.record
        page = next((name for name in record.products if name.endswith("_report.html")), "")
        image = next((name for name in sorted(record.products, key=len) if name.endswith(".png")), "")
        return {
            "name": self.visit.name,
            "state": record.state,
            "verdict": record.verdict,
            "message": record.message,
            "exit_code": record.exit_code,
            "seconds": round(record.seconds, 3),
            "cpu_seconds": round(record.cpu_seconds, 3),
            "peak_memory_mb": record.peak_rss_mb,
            "camera": first.camera,
            "proposal": first.proposal,
            "target": first.target,
            "filters": list(self.visit.filters),
            "ra": _finite(first.ra),
            "dec": _finite(first.dec),
            "mjd": _finite(first.mjd_start),
            "files": list(self.visit.files),
            "page": page,
            "image": image,
            "products": list(record.products),
            "figures": list(record.figures),
            **record.facts,
        }


class Overview:
    """The three files over all visits; what is known of a visit replaces what was known before.

    Parameters
    ----------
    out : Path
        Folder of the batch.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._problems: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._next = time.monotonic() + _PAUSE

    def __enter__(self) -> Overview:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whatever stopped the batch, what has ended is shown; a full disk is told of once.
        with contextlib.suppress(*([SettingsError] if kind is not None else [])):
            self.write()

    def add(self, visit: GroupedVisit, record: Record) -> None:
        """Take in how a visit ended."""
        self._outcomes[visit.name] = Outcome(visit, record)

    def leave_out(self, problems: Mapping[str, str]) -> None:
        """Take in why files belong to no visit."""
        self._problems |= problems

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return all, sorted by name."""
        return tuple(self._outcomes[name] for name in sorted(self._outcomes))

    def write_sometimes(self) -> None:
        """Write if the last time is long enough ago."""
        begin = time.monotonic()
        if begin > self._next:
            self.write()
            now = time.monotonic()
            self._next = now + max(_PAUSE, _SHARE * (now - begin))

    def write(self) -> None:
        """Write the three files, each whole or not at all."""
        rows = [outcome.public() for outcome in self.outcomes()]
        left_out = [
            {"name": name, "state": "dropped", "verdict": "NONE", "message": why, "files": [name]}
            for name, why in sorted(self._problems.items())
        ]
        head = {"format": FORMAT, "version": __version__, "date": _now()}
        lines = ",\n".join(json.dumps(row, separators=(",", ":"), allow_nan=False) for row in [*rows, *left_out])
        text = f'{json.dumps(head)[:-1]}, "visits": [\n{lines}\n]}}\n'
        write_text(self._out / "batch.json", text)
        write_text(self._out / "visits.ecsv", visits_table(rows))
        page = build_overview([*rows, *left_out], title=self._out.name, version=__version__, date=str(head["date"]))
        write_text(self._out / "index.html", page)


def visits_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``visits.ecsv``: a row for each visit and filter, all figures, NaN or empty where there is none.

    Parameters
    ----------
    rows : sequence of mapping
        From `Outcome.public`.
    """
    pairs = [(row, figure) for row in rows for figure in (row["figures"] or [{}])]
    chips = list(dict.fromkeys(chip for _, figure in pairs for chip in figure.get("ratio", {})))
    text = ("name", "state", "verdict", "camera", "proposal", "target")
    columns: dict[str, Any] = {name: _words(row[name] for row, _ in pairs) for name in text}
    columns["filter"] = _words(figure.get("filter", "/".join(row["filters"])) for row, figure in pairs)
    columns |= {name: _floats(row[name] for row, _ in pairs) for name in ("ra", "dec")}
    columns["mjd"] = _floats(figure.get("mjd", row["mjd"]) for row, figure in pairs)
    for name, key in _FIGURES.items():
        columns[name] = _floats(figure.get(key) for _, figure in pairs)
    for name in ("align_verdict", "zp_verdict", "zp_chip"):
        columns[name] = _words(figure.get(name, "") for _, figure in pairs)
    for name, key in _BY_CHIP.items():
        columns |= {f"{name}_{chip}": _floats(figure.get(key, {}).get(chip) for _, figure in pairs) for chip in chips}
    for name, key in (("seconds", "seconds"), ("cpu_seconds", "cpu_seconds"), ("peak_memory", "peak_memory_mb")):
        columns[name] = _floats(row[key] for row, _ in pairs)
    columns["message"] = _words(row["message"] for row, _ in pairs)
    units = {name: UNITS[name] for name in columns if name in UNITS}
    return ecsv_text(columns, units, {"mizzle": __version__, "date": _now()})


_FIGURES = {
    "n_exposures": "n_exposures", "exptime": "exptime", "align_rms": "align_rms_mas", "align_matched": "align_matched",
    "photflam": "photflam", "flagged": "flagged", "sky": "sky", "n_stars": "n_stars", "scale": "scale_arcsec",
}  # fmt: skip
_BY_CHIP = {
    "ratio": "ratio", "ratio_error": "error", "ratio_pairs": "pairs", "errrat": "err_ratio", "errnum": "err_pixels",
}  # fmt: skip


def _words(values: Iterable[Any]) -> Any:
    return np.array([str(value) for value in values] or [], dtype=str)


def _floats(values: Iterable[Any]) -> Any:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=float)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
