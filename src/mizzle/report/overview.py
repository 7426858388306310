"""The page over many visits: one self-contained HTML file; pictures come from the folders of the visits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mizzle.report.page import environment, script_json

_TEMPLATES = Path(__file__).parent / "templates"
#: Digits that numbers keep on the page; the table beside it has all.
_DIGITS = 5
#: Characters of the longest message.
_MESSAGE = 300

_WORDS = ("name", "target", "filter", "verdict", "message", "page", "image")
_OF_VISIT = {"seconds": "seconds", "peak_memory": "peak_memory_mb"}
_OF_FIGURE = {
    "n_exposures": "n_exposures", "exptime": "exptime", "align_rms": "align_rms_mas", "flagged": "flagged",
    "n_stars": "n_stars",
}  # fmt: skip


def build_overview(rows: Sequence[Mapping[str, Any]], *, title: str, version: str, date: str) -> str:
    """Return the text of ``index.html``.

    Parameters
    ----------
    rows : sequence of mapping
        One for each visit, as ``batch.json`` has them.
    title, version, date : str
        Of the page.

    Returns
    -------
    html : str
        Complete: style, script and data inside.
    """
    states = [str(row["state"]) for row in rows]
    n_exposures = sum(len(row["files"]) for row in rows)
    failed = states.count("failed")
    subtitle = f"{states.count('done')} visits done" + (f", {failed} failed" if failed else "")
    return (
        environment()
        .get_template("index.html")
        .render(
            title=title,
            subtitle=f"{subtitle} · {n_exposures} exposures",
            version=version,
            date=date.replace("T", " ")[:16],
            css=Markup((_TEMPLATES / "index.css").read_text(encoding="utf-8")),
            js=Markup((_TEMPLATES / "index.js").read_text(encoding="utf-8")),
            data=Markup(script_json(page_data(rows))),
        )
    )


def page_data(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the page's script needs, in columns: a row for each visit and filter, each word once.

    Parameters
    ----------
    rows : sequence of mapping
        As `build_overview` takes them.
    """
    pairs = [(row, figure) for row in rows for figure in (row.get("figures") or [{}])]
    chips = list(dict.fromkeys(chip for _, figure in pairs for chip in figure.get("ratio", {})))
    references = [figure["zp_chip"] for _, figure in pairs if figure.get("zp_chip")]
    columns = {"mjd": _numbers(figure.get("mjd", row.get("mjd")) for row, figure in pairs)}
    columns |= {name: _numbers(figure.get(key) for _, figure in pairs) for name, key in _OF_FIGURE.items()}
    columns |= {name: _numbers(row.get(key) for row, _ in pairs) for name, key in _OF_VISIT.items()}
    columns["errrat"] = _numbers(_farthest(figure.get("err_ratio", {})) for _, figure in pairs)
    columns["errrat_mean"] = _numbers(_mean(figure.get("err_ratio", {})) for _, figure in pairs)
    for chip in chips:
        columns[f"ratio_{chip}"] = _numbers(figure.get("ratio", {}).get(chip) for _, figure in pairs)
        columns[f"ratio_error_{chip}"] = _numbers(figure.get("error", {}).get(chip) for _, figure in pairs)
    return {
        "rows": len(pairs),
        "chips": chips,
        "reference": max(set(references), key=references.count) if references else "",
        "words": {name: _listed(_word(row, figure, name) for row, figure in pairs) for name in _WORDS},
        "columns": columns,
    }


def _word(row: Mapping[str, Any], figure: Mapping[str, Any], name: str) -> str:
    """Return a text of a row."""
    if name == "filter":
        return str(figure.get("filter", "/".join(row.get("filters", ()))))
    if name == "verdict":
        return str(row["state"]) if row["state"] != "done" else str(row["verdict"])
    if name == "image":
        return str(figure.get("image", row.get("image", "")))
    return str(row.get(name, ""))[:_MESSAGE]


def _listed(values: Iterable[str]) -> dict[str, list[Any]]:
    """Return words as a list of each once, and their places in it."""
    places: dict[str, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return {"list": list(places), "at": at}


def _numbers(values: Iterable[Any]) -> list[float | None]:
    """Return numbers with as many digits as a page needs; None where there is none."""
    return [_rounded(value) for value in values]


def _rounded(value: Any) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if value == int(value):
        return int(value)
    digits = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    short = round(value, digits)
    return int(short) if short == int(short) else short


def _farthest(ratios: Mapping[str, Any]) -> float | None:
    """Return the chips' ratio that is farthest from 1."""
    return max(_known(ratios), key=lambda value: abs(math.log(value)) if value > 0 else math.inf, default=None)


def _mean(ratios: Mapping[str, Any]) -> float | None:
    """Return the mean over chips."""
    known = _known(ratios)
    return sum(known) / len(known) if known else None


def _known(ratios: Mapping[str, Any]) -> list[float]:
    return [value for value in ratios.values() if isinstance(value, int | float) and math.isfinite(value)]
