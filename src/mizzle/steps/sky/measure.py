"""Measure every chip's sky and decide what is subtracted.

All levels are compared as surface brightness at one zeropoint: equalized DN/s per square arcsec. A flat-fielded
flat sky is a constant per chip pixel, so the chip's nominal pixel area is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mizzle.errors import DataError, SettingsError
from mizzle.model import Alignment, Exposure, FluxScales, Runner, SkyLevels
from mizzle.model.camera import Camera
from mizzle.model.sky import faintest_sky
from mizzle.model.user_tables import SkyRegion, SkyValue
from mizzle.settings import Settings, SkySettings
from mizzle.steps.chip_view import ChipView, view_chips
from mizzle.steps.sky.chips import ChipSky, chip_sky
from mizzle.steps.sky.overlap import Matched, block_sky, join_groups, match_blocks

Skies = Mapping[str, Mapping[str, ChipSky]]
Brightness = dict[str, dict[str, float]]


def measure_sky(
    exposures: Sequence[Exposure],
    alignment: Alignment,
    scales: FluxScales,
    *,
    settings: Settings,
    runner: Runner,
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
    alike: Brightness = {}
    for band in dict.fromkeys(exposure.filter for exposure in exposures):
        group = [exposure for exposure in exposures if exposure.filter == band]
        matched = _match([view for view in views if view.exposure.filter == band], skies, settings, runner=runner)
        chosen, more = _choose(group, skies, matched, settings=settings, given=given)
        wanted.update(chosen)
        alike.update(_alike(group, skies, matched))
        notes += more
    return _levels(exposures, skies, wanted, alike=alike, scales=scales, method=settings.sky.method, notes=tuple(notes))


def _match(views: Sequence[ChipView], skies: Skies, settings: Settings, *, runner: Runner) -> Matched | None:
    """Match the overlaps of one filter's exposures; nothing where there is one only."""
    if len({view.root for view in views}) < 2:
        return None
    known = [view for view in views if np.isfinite(skies[view.root][view.name].brightness)]
    return match_blocks(runner.map(lambda view: block_sky(view, skies[view.root][view.name], settings), known))


def _alike(group: Sequence[Exposure], skies: Skies, matched: Matched | None) -> Brightness:
    """Return the surface brightness that leaves the same sky on all chips of all exposures."""
    if matched is None:
        return {e.root: {name: sky.brightness for name, sky in skies[e.root].items()} for e in group}
    return {
        e.root: {
            name: matched.chips.get((e.root, name), matched.exposures.get(e.root, float("nan"))) for name in e.chips
        }
        for e in group
    }


def _check(exposures: Sequence[Exposure], skies: Skies, options: SkySettings) -> list[str]:
    """Stop where an exposure has no sky at all; say where one chip has none."""
    notes = []
    for exposure in exposures:
        chip_skies = skies[exposure.root]
        missing = [name for name, sky in chip_skies.items() if not np.isfinite(sky.brightness)]
        if len(missing) == len(chip_skies) and options.method not in ("none", "user"):
            most = max(sky.dn.n_pixels for sky in chip_skies.values())
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
    matched: Matched | None,
    *,
    settings: Settings,
    given: Sequence[SkyValue],
) -> tuple[Brightness, list[str]]:
    """Return the surface brightness to subtract from each chip of one filter's exposures, and notes."""
    method = settings.sky.method
    if method == "none":
        return {e.root: dict.fromkeys(e.chips, 0.0) for e in group}, []
    if method == "user":
        return _user_levels(group, skies, given), []
    if method == "auto":
        method = "localmin" if matched is None else "globalmin+match"
    lowest = {e.root: _least(sky.brightness for sky in skies[e.root].values()) for e in group}
    if method in ("match", "globalmin+match"):
        return _matched(
            group, skies, matched, lowest=lowest, by_chip=settings.sky.match_by == "chip", floor=method != "match"
        )
    if method == "globalmin":
        floor = _faintest(sky for e in group for sky in skies[e.root].values())
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


def _faintest(skies: Iterable[ChipSky]) -> float:
    """Return the faintest sky that is known."""
    every = list(skies)
    return faintest_sky([sky.brightness for sky in every], [sky.unit for sky in every])


def _matched(
    group: Sequence[Exposure],
    skies: Skies,
    matched: Matched | None,
    *,
    lowest: Mapping[str, float],
    by_chip: bool,
    floor: bool,
) -> tuple[Brightness, list[str]]:
    """Take what overlaps say, the faintest of each group at 0; with `floor` the faintest sky that is left goes too."""
    if matched is None:  # one exposure: nothing overlaps
        return {e.root: dict.fromkeys(e.chips, lowest[e.root] if floor else 0.0) for e in group}, []
    alike = _alike(group, skies, matched)
    offsets = alike if by_chip else {e.root: dict.fromkeys(e.chips, matched.exposures[e.root]) for e in group}
    groups = join_groups(matched.groups, by_chip=by_chip)
    wanted: Brightness = {e.root: dict.fromkeys(e.chips, 0.0) for e in group}
    for members in groups:
        inside = [(e.root, c) for e in group for c in e.chips if ((e.root, c) if by_chip else e.root) in members]
        level = min(offsets[r][c] for r, c in inside)
        if floor:
            left = faintest_sky(
                [skies[r][c].brightness - offsets[r][c] for r, c in inside], [skies[r][c].unit for r, c in inside]
            )
            level = -left if np.isfinite(left) else level
        for root, name in inside:
            wanted[root][name] = offsets[root][name] - level
    notes = []
    if len(groups) > 1:
        names = ["+".join(_say(unit) for unit in members) for members in groups]
        notes.append(
            f"sky {'globalmin+match' if floor else 'match'}: {len(groups)} groups do not overlap and are matched only"
            f" within themselves: {'; '.join(names)}"
        )
    return wanted, notes


def _say(unit: object) -> str:
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
    *,
    alike: Brightness,
    scales: FluxScales,
    method: str,
    notes: tuple[str, ...],
) -> SkyLevels:
    """Turn surface brightness into equalized DN per pixel of each chip."""
    tables: dict[str, dict[str, dict[str, float]]] = {
        key: {exposure.root: {} for exposure in exposures}
        for key in ("levels", "brightness", "noise", "pedestals", "matched")
    }
    for exposure in exposures:
        for name, sky in skies[exposure.root].items():
            factor = scales.factors[exposure.root][name]
            level = wanted[exposure.root][name] / sky.unit * factor
            tables["levels"][exposure.root][name] = level
            tables["brightness"][exposure.root][name] = sky.brightness
            tables["noise"][exposure.root][name] = sky.dn.sigma * factor
            tables["pedestals"][exposure.root][name] = sky.dn.level * factor - level
            tables["matched"][exposure.root][name] = alike[exposure.root][name] / sky.unit * factor
    return SkyLevels(method=method, notes=notes, **tables)
