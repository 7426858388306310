"""Measure every chip's sky and decide what is subtracted.

All levels are compared as surface brightness at one zeropoint: equalized DN/s per square arcsec. A flat-fielded
flat sky is a constant per chip pixel, so the chip's nominal pixel area is the one that counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

from mizzle.errors import DataError, SettingsError
from mizzle.model import Alignment, Exposure, FluxScales, Runner, SkyLevels
from mizzle.model.camera import Camera
from mizzle.model.user_tables import SkyRegion, SkyValue
from mizzle.settings import Settings, SkySettings
from mizzle.steps.chip_view import view_chips
from mizzle.steps.sky.chips import ChipSky, chip_sky
from mizzle.steps.sky.overlap import block_sky, find_links, solve_links

Skies = Mapping[str, Mapping[str, ChipSky]]
Brightness = dict[str, dict[str, float]]


def measure_sky(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    settings: Settings,
    runner: Runner,
    *,
    values: Iterable[SkyValue] = (),
    regions: Iterable[SkyRegion] = (),
) -> SkyLevels:
    """Measure the sky of each chip, and choose what to subtract by ``sky.method``.

    Parameters
    ----------
    exposures : sequence of Exposure
        Of one or more filters; filters are compared among themselves only.
    alignment : Alignment
        Finds the overlaps, and places regions.
    scales : FluxScales
        Brings chips to one zeropoint first: a minimum over unequal chips is low by their spread.
    settings : Settings
        ``sky``, ``dq``, ``noise``.
    runner : Runner
        Where chips are measured.
    values : iterable of SkyValue, keyword-only
        Levels of a user's file, for method ``user``; those of ``sky.values`` win.
    regions : iterable of SkyRegion, keyword-only
        Kept out of the statistics.

    Returns
    -------
    levels : SkyLevels
        What to subtract, what each chip measured, and the difference.

    Raises
    ------
    SettingsError
        Method ``user`` lacks a value for a chip.
    DataError
        No chip of an exposure has enough sky pixels.
    """
    kept_out = tuple(regions)
    views = view_chips(exposures, alignment, scales, settings=settings)
    skies: dict[str, dict[str, ChipSky]] = {exposure.root: {} for exposure in exposures}
    for sky in runner.map(lambda view: chip_sky(view, settings, kept_out), views):
        skies[sky.root][sky.chip] = sky
    notes = _check(exposures, skies, settings.sky)
    given = (*values, *_settings_values(settings.sky, exposures[0].camera))
    wanted: Brightness = {}
    for band in dict.fromkeys(exposure.filter for exposure in exposures):
        group = [exposure for exposure in exposures if exposure.filter == band]
        chosen, more = _choose(group, skies, alignment, settings, given)
        wanted.update(chosen)
        notes += more
    return _levels(exposures, skies, wanted, scales, settings.sky.method, tuple(notes))


def _check(exposures: Sequence[Exposure], skies: Skies, options: SkySettings) -> list[str]:
    """Stop where an exposure has no sky at all; say where one chip has none."""
    notes = []
    for exposure in exposures:
        mine = skies[exposure.root]
        missing = [name for name, sky in mine.items() if not np.isfinite(sky.brightness)]
        if len(missing) == len(mine) and options.method not in ("none", "user"):
            most = max(sky.dn.n_pixels for sky in mine.values())
            raise DataError(
                f"{exposure.root}: at most {most} sky pixels on a chip, {options.min_pixels} are needed"
                " (sky.min_pixels); drop the exposure, lower the limit, or give the sky (sky.method)",
                root=exposure.root,
                n_pixels=most,
            )
        notes += [f"{exposure.root} {name}: too few sky pixels, no level measured" for name in missing]
    return notes


def _choose(
    group: Sequence[Exposure],
    skies: Skies,
    alignment: Alignment,
    settings: Settings,
    given: Sequence[SkyValue],
) -> tuple[Brightness, list[str]]:
    """Return the surface brightness to subtract from each chip of one filter's exposures, and notes."""
    method = settings.sky.method
    if method == "none":
        return {e.root: dict.fromkeys(e.chips, 0.0) for e in group}, []
    if method == "user":
        return _user_levels(group, skies, given), []
    if method in ("match", "globalmin+match"):
        return _matched(group, skies, alignment, settings)
    lowest = {e.root: _least(sky.brightness for sky in skies[e.root].values()) for e in group}
    if method == "globalmin":
        floor = min(lowest.values())
        return {e.root: dict.fromkeys(e.chips, floor) for e in group}, []
    if method == "localmin":
        return {e.root: dict.fromkeys(e.chips, lowest[e.root]) for e in group}, []
    own = {
        e.root: {
            name: sky.brightness if np.isfinite(sky.brightness) else lowest[e.root]
            for name, sky in skies[e.root].items()
        }
        for e in group
    }
    return own, []


def _least(values: Iterable[float]) -> float:
    """Return the smallest number that is one."""
    return min(value for value in values if np.isfinite(value))


def _matched(
    group: Sequence[Exposure], skies: Skies, alignment: Alignment, settings: Settings
) -> tuple[Brightness, list[str]]:
    """Match overlaps; with ``globalmin+match`` the faintest sky that is left goes too."""
    by_chip = settings.sky.match_by == "chip"
    blocks = [
        block_sky(e, sky, alignment.frame(e, name), settings)
        for e in group
        for name, sky in skies[e.root].items()
        if np.isfinite(sky.brightness)
    ]
    units: list[Hashable] = [(e.root, name) for e in group for name in e.chips] if by_chip else [e.root for e in group]
    offsets, groups = solve_links(units, find_links(blocks, by_chip=by_chip))
    wanted = {e.root: {name: offsets[(e.root, name) if by_chip else e.root] for name in e.chips} for e in group}
    if settings.sky.method == "globalmin+match":
        for members in groups:
            inside = [(r, c) for r, chips in wanted.items() for c in chips if ((r, c) if by_chip else r) in members]
            left = [skies[r][c].brightness - wanted[r][c] for r, c in inside]
            floor = _least(left) if any(np.isfinite(left)) else 0.0
            for root, name in inside:
                wanted[root][name] += floor
    notes = []
    if len(groups) > 1:
        names = ["+".join(_say(unit) for unit in members) for members in groups]
        notes.append(
            f"sky {settings.sky.method}: {len(groups)} groups do not overlap and are matched only within"
            f" themselves: {'; '.join(names)}"
        )
    return wanted, notes


def _say(unit: Hashable) -> str:
    return " ".join(unit) if isinstance(unit, tuple) else str(unit)


def _settings_values(options: SkySettings, camera: Camera) -> tuple[SkyValue, ...]:
    """Read ``sky.values``."""
    rows = []
    for text in options.values:
        where, equals, number = text.partition("=")
        root, _, chip = where.strip().rpartition(":")
        if not root and camera.chip_named(chip) is None:
            root, chip = chip, ""
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not equals or not np.isfinite(value) or (chip and camera.chip_named(chip) is None):
            raise SettingsError(
                f"sky.values: {text!r} is not understood; write ROOT=3.1, {camera.reference}=3.1,"
                f" ROOT:{camera.reference}=3.1 or *=3.1",
                value=text,
            )
        rows.append(SkyValue(value, root.replace("*", "").lower(), camera.chip_named(chip) or ""))
    return tuple(rows)


def _user_levels(group: Sequence[Exposure], skies: Skies, given: Sequence[SkyValue]) -> Brightness:
    """Return what the user wants subtracted: the most specific row wins, then the last."""
    wanted: Brightness = {}
    for exposure in group:
        for name in exposure.chips:
            rows = [row for row in given if row.root in ("", exposure.root) and row.chip in ("", name)]
            if not rows:
                raise SettingsError(
                    f"sky.method is user, but no level is given for {exposure.root} {name};"
                    f" add it to sky.values or sky.file (chips: {', '.join(exposure.camera.chips)})",
                    root=exposure.root,
                    chip=name,
                )
            best = max(enumerate(rows), key=lambda item: (bool(item[1].root) + bool(item[1].chip), item[0]))[1]
            wanted.setdefault(exposure.root, {})[name] = best.value * skies[exposure.root][name].unit
    return wanted


def _levels(
    exposures: Sequence[Exposure],
    skies: Skies,
    wanted: Brightness,
    scales: FluxScales,
    method: str,
    notes: tuple[str, ...],
) -> SkyLevels:
    """Turn surface brightness into equalized DN per pixel of each chip."""
    tables: dict[str, dict[str, dict[str, float]]] = {
        key: {exposure.root: {} for exposure in exposures} for key in ("levels", "brightness", "noise", "pedestals")
    }
    for exposure in exposures:
        for name, sky in skies[exposure.root].items():
            factor = scales.factors[exposure.root][name]
            level = wanted[exposure.root][name] / sky.unit * factor
            tables["levels"][exposure.root][name] = level
            tables["brightness"][exposure.root][name] = sky.brightness
            tables["noise"][exposure.root][name] = sky.dn.sigma * factor
            tables["pedestals"][exposure.root][name] = sky.dn.level * factor - level
    return SkyLevels(method=method, notes=notes, **tables)
