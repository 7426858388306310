"""Text for ``plan``, ``inspect`` and ``settings``: what is there, and what would happen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mizzle.model import Exposure
    from mizzle.settings import Settings


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> str:
    """Lay out rows as aligned columns; numbers to the right.

    Parameters
    ----------
    rows : iterable of sequences
        Cells, turned to text.
    header : sequence of str
        Column titles.
    """
    cells = [[_safe(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    right = [all(_numeric(row[i]) for row in cells) and bool(cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        return "  ".join(parts).rstrip()

    return "\n".join([line(list(header)), line(["-" * w for w in widths]), *(line(row) for row in cells)])


def _safe(text: str) -> str:
    """Keep header text from driving the terminal."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == "-"
    return True


def inspect_text(files: Sequence[str], quality: Sequence[str] = ()) -> str:
    """Describe each file: instrument, chips, filter, gain, exposure, PHOTFLAM per chip, WCS state, DQ bits in use."""
    from mizzle.io.exposures import read_exposure
    from mizzle.io.inputs import find_inputs

    return "\n\n".join(_describe(read_exposure(entry)) for entry in find_inputs(files, quality=quality))


def _describe(exposure: Exposure) -> str:
    """Describe one exposure."""
    from mizzle.geometry.keywords import wcs_names

    head = (
        f"{exposure.root}  {exposure.path}\n"
        f"  {exposure.camera.name}  target {_safe(exposure.target) or '-'}"
        f"  filter {exposure.filter}  gain {exposure.commanded_gain}"
        f"  EXPTIME {exposure.exptime:g} s  DARKTIME {exposure.darktime:g} s  {exposure.date_obs}"
        f" (MJD {exposure.mjd_start:.5f})"
    )
    rows = [
        (
            name,
            f"{chip.shape[1]}x{chip.shape[0]}",
            f"{chip.gain:g}",
            f"{chip.read_noise:g}",
            f"{chip.photflam:.6e}",
            f"{chip.frame.crval[0]:.6f}",
            f"{chip.frame.crval[1]:.6f}",
            f"{chip.frame.orientation():.3f}",
            f"{chip.frame.scale:.6f}",
            ",".join(map(str, _bits(chip.dq))) or "-",
            ",".join(wcs_names(chip.header)) or "-",
        )
        for name, chip in exposure.chips.items()
    ]
    header = (
        "chip",
        "pixels",
        "gain",
        "rdnoise",
        "PHOTFLAM",
        "RA",
        "Dec",
        "orient",
        "scale",
        "DQ bits",
        "WCS in file",
    )
    notes = "".join(f"\n  note: {_safe(note)}" for note in exposure.notes)
    return head + "\n" + table(rows, header) + notes


def _bits(dq: NDArray[np.uint16]) -> list[int]:
    """Return the data-quality bits in use."""
    used = int(np.bitwise_or.reduce(dq, axis=None))
    return [1 << bit for bit in range(16) if used >> bit & 1]


#: How notes begin that every exposure has.
_USUAL = ("velocity aberration",)


def plan_text(
    files: Sequence[str], settings: Settings, config: Path | None, assignments: Sequence[str],
    *, out: Path = Path("."), name: str | None = None, options: Collection[str] = (),
) -> str:  # fmt: skip
    """Say what a run would do: exposures, filters, pairs, grid, settings and where each came from. Headers only."""
    from mizzle.cli.console import Console
    from mizzle.geometry.grid import common_grid
    from mizzle.io.product_names import stems
    from mizzle.io.targets import refuse_folder
    from mizzle.model import Serial
    from mizzle.products import check_name, check_targets
    from mizzle.progress import Progress
    from mizzle.selection import Exclusions, default_name, read_all, same_camera, same_field
    from mizzle.steps.equalize import equalize
    from mizzle.user_inputs import check_user_inputs, read_corrections, user_grid

    # What headers and the output folder alone can tell is refused here with run's own message and code.
    refuse_folder(out)
    exclusions = Exclusions()
    exposures = read_all(
        files,
        None,
        settings,
        runner=Serial(),
        exclusions=exclusions,
        progress=Progress(Console(quiet=True)),
        pixels=False,
    )
    exposures = same_field(same_camera(exposures, exclusions), exclusions)
    check_user_inputs(exposures, settings)
    equalize(exposures, settings, corrections=read_corrections(settings))
    rows = [
        (e.root, e.filter, f"{e.exptime:g}", e.commanded_gain, e.date_obs, " ".join(e.chips), " + ".join(
            Path(path).name for path in e.files
        ))
        for e in exposures
    ]  # fmt: skip
    grid = user_grid(exposures, settings) or common_grid(
        [chip.frame for e in exposures for chip in e.chips.values()], settings.combine
    )
    filters = list(dict.fromkeys(e.filter for e in exposures))
    name = default_name(exposures) if name is None else name
    check_name(name)
    check_targets(out, name, exposures, settings=settings, others=[*files, *([] if config is None else [str(config)])])
    products = [str(out / f"{stem}_drz.fits") for stem in stems(name, filters).values()]
    return "\n".join(
        [
            table(rows, ("root", "filter", "exptime", "gain", "date", "chips", "files")),
            *(f"note: {e.root}: {_safe(note)}" for e in exposures for note in e.notes if not note.startswith(_USUAL)),
            "",
            f"products: {', '.join(products)}",
            f"grid:     {grid.shape[1]} x {grid.shape[0]} pixels of {grid.scale:.4f} arcsec around"
            f" {grid.crval[0]:.6f} {grid.crval[1]:+.6f}, y axis at {grid.orientation():.2f} deg"
            " (before alignment)",
            f"cosmic rays: {_rejection(exposures)}",
            "",
            _origins(settings, config, assignments, options),
        ]
    )


def _rejection(exposures: Sequence[Exposure]) -> str:
    """Say which way cosmic rays will be found, filter by filter."""
    counts: dict[str, int] = {}
    for exposure in exposures:
        counts[exposure.filter] = counts.get(exposure.filter, 0) + 1
    return "; ".join(
        f"{name}: {'single exposure, what light cannot explain' if n == 1 else f'median of {n} exposures'}"
        for name, n in counts.items()
    )


#: Options that stand for a setting.
_OPTIONS = {"combine.like": "--like", "input.drop": "--drop", "dq.files": "--dq", "dq.masks": "--mask"}


def _origins(settings: Settings, config: Path | None, assignments: Sequence[str], options: Collection[str]) -> str:
    """List settings that differ from their defaults, and where each came from."""
    from mizzle.settings import parse_assignment
    from mizzle.settings.describe import setting_rows, toml_value

    origins = {".".join(parse_assignment(text)[:2]): "--set" for text in assignments}
    origins |= {name: _OPTIONS[name] for name in options}
    rows = [
        (
            row.name,
            toml_value(row.value) if row.value is not None else "-",
            origins.get(row.name, str(config)),
        )
        for row in setting_rows(settings)
        if row.changed
    ]
    if not rows:
        return "settings: all at their defaults"
    return table(rows, ("setting", "value", "from"))


def settings_text(settings: Settings) -> str:
    """List every setting: value, unit, range, one sentence."""
    from mizzle.settings.describe import setting_rows, toml_value

    lines: list[str] = []
    section = ""
    for row in setting_rows(settings):
        head = row.name.split(".")[0]
        if head != section:
            lines += [""] if lines else []
            section = head
        value = "unset" if row.value is None else toml_value(row.value)
        facts = ", ".join(part for part in (row.unit, row.range) if part)
        lines.append(f"{row.name} = {value}" + (f"   [{facts}]" if facts else ""))
        lines.append(f"    {row.description}")
    return "\n".join(lines)
