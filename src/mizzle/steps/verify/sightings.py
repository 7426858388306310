"""Stars on single exposures, measured where two chips or two exposures see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.instrument.charge import charge_loss, corrects_cte
from mizzle.model import Catalog, CosmicRays, Runner, SkyLevels
from mizzle.model.camera import ChipClass
from mizzle.model.sky import faintest_sky
from mizzle.model.star_flags import Flag
from mizzle.settings import Settings
from mizzle.steps.chip_view import ChipView
from mizzle.steps.verify.rings import covered
from mizzle.steps.verify.star_fluxes import Measured, class_profiles, measure_stamps
from mizzle.steps.verify.stars import APERTURE_ARCSEC, PlacedStars, Stamps, cut_stamps, lit_positions

#: Catalog flags that keep a star out. Blends stay: all see the same blend.
_UNFIT = Flag.SATURATED | Flag.FAINT
#: Least flux over its error in the catalog, in units of verify.snr, which holds for a star's light alone; what these
#: flags say has its own large error.
_EXPLAINED = Flag.UNLIKE | Flag.COSMIC_RAY | Flag.LIMIT | Flag.BLENDED
_KNOWN = 0.4
#: Surroundings brighter than this many times the star tell no more.
MOST_CROWD = 2.0
#: Pixels of stars that are enough for the mean profile of a class of chips: 10 000 stars on a WF chip, 2000 on the PC.
PROFILE_PIXELS = 1e6
#: Stars that are enough to compare exposures with: 400 give .05 %.
_ENOUGH = 400

#: Tells from ``(n_views, n_stars)``, whether a chip of an exposure holds a star, and the views, which are measured.
Choice = Callable[[NDArray[np.bool_], Sequence[ChipView]], NDArray[np.bool_]]


def on_two_chips(measurable: NDArray[np.bool_], views: Sequence[ChipView]) -> NDArray[np.bool_]:
    """Choose the stars that two chips or more see, in whichever exposures."""
    names = [view.name for view in views]
    return np.asarray(sum(measurable[[n == name for n in names]].any(axis=0).astype(int) for name in set(names)) >= 2)


def on_two_exposures(measurable: NDArray[np.bool_], views: Sequence[ChipView]) -> NDArray[np.bool_]:
    """Choose the brightest stars that two exposures or more see; stars come in order of brightness."""
    roots = [view.root for view in views]
    seen = sum(measurable[[root == exposure for root in roots]].any(axis=0).astype(int) for exposure in set(roots))
    several = np.asarray(seen >= 2)
    return np.asarray(several & (np.cumsum(several) <= _ENOUGH))


@dataclass(frozen=True, eq=False)
class CatalogOnChips:
    """Where the catalog's stars fall on each chip of each exposure.

    Parameters
    ----------
    views : sequence of ChipView
        The chips.
    fit : (n,) int array
        Those of the catalog that tell of a zeropoint, the brightest first: indices into it.
    rate : (n,) array
        Their light [equalized count/s].
    places : list of Places
        On each chip, ``(n,)``.
    measurable : (n_views, n) bool array
        Which chip holds them in its light, bright enough to be measured.
    """

    views: Sequence[ChipView]
    fit: NDArray[np.intp]
    rate: FloatArray
    places: Sequence[Places]
    measurable: NDArray[np.bool_]


def place_stars(views: Sequence[ChipView], catalog: Catalog, settings: Settings, *, runner: Runner) -> CatalogOnChips:
    """Place the stars of the catalog on every chip of every exposure.

    Parameters
    ----------
    views : sequence of ChipView
        Of one filter.
    catalog, settings, runner
        As for `verify`.
    """
    options = settings.verify
    flags, flux, error = (np.asarray(catalog.columns[key]) for key in ("flags", "flux", "flux_err"))
    # In a nebula a flux may be known far worse than by its own light, and a ray's crumb pass for a star.
    known = ((flags & _EXPLAINED) != 0) | (flux > _KNOWN * options.snr * error)
    fit = np.flatnonzero(((flags & _UNFIT) == 0) & known)
    fit = fit[np.argsort(-np.asarray(catalog.columns["flux"])[fit], kind="stable")][: options.max_stars]
    ra, dec, rate = (np.asarray(catalog.columns[key], dtype=np.float64)[fit] for key in ("ra", "dec", "flux"))

    def place(view: ChipView) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
        x, y, lit = lit_positions(view, ra, dec, margin_arcsec=options.margin)
        return x, y, lit & (_expected_snr(view, rate) > options.snr)

    placed = runner.map(place, views)
    usable = np.array([lit for _, _, lit in placed])
    return CatalogOnChips(views, fit, rate, [Places(x, y) for x, y, _ in placed], usable)


def measure_stars(
    stars: CatalogOnChips, cosmic_rays: CosmicRays, settings: Settings, *, runner: Runner, choices: Sequence[Choice]
) -> list[list[Measured]]:
    """Photometer the stars that any of some choices wants, on every exposure; return those of each choice.

    Parameters
    ----------
    stars : CatalogOnChips
        From `place_stars`.
    cosmic_rays, settings, runner
        As for `verify`.
    choices : sequence of callable
        `on_two_chips`, `on_two_exposures`.
    """
    views, wanted = stars.views, [choice(stars.measurable, stars.views) for choice in choices]
    shared = np.logical_or.reduce(wanted)
    chosen = [np.flatnonzero(lit & shared) for lit in stars.measurable]

    def cut(i: int) -> Stamps:
        (x, y), index = stars.places[i], chosen[i]
        hidden = covered(Places(x, y), stars.rate, views[i].chip)
        return cut_stamps(
            views[i], PlacedStars(index, x[index], y[index]), hidden, cosmic_rays=cosmic_rays, settings=settings
        )

    # Stamps are large, and a mean profile needs a few: all are never held at once, nor those of two classes.
    measured: dict[int, Measured] = {}
    sizes = [index.size for index in chosen]
    for kind in views[0].camera.classes:
        seen = [i for i, size in enumerate(sizes) if size and views[i].name in kind.chips]
        answers = _measured_alike(seen, cut, kind, sizes=sizes, views=views, settings=settings, runner=runner)
        measured.update(zip(seen, answers, strict=True))
    return [
        [measured[i].only(mask[measured[i].star], stars.fit) for i in sorted(measured) if mask[chosen[i]].any()]
        for mask in wanted
    ]


def _measured_alike(
    seen: Sequence[int],
    cut: Callable[[int], Stamps],
    kind: ChipClass,
    *,
    sizes: Sequence[int],
    views: Sequence[ChipView],
    settings: Settings,
    runner: Runner,
) -> list[Measured]:
    """Photometer the stars of one class of chips, on the views `seen`."""
    shown = _enough_for_profiles(seen, sizes, views)
    kept = dict(zip(shown, runner.map(cut, shown), strict=True))
    profiles = class_profiles(list(kept.values()), [kind])

    def measure(i: int) -> Measured:
        stamps = kept[i] if i in kept else cut(i)
        return measure_stamps(stamps, profiles[stamps.chip], settings)

    return runner.map(measure, seen)


def _enough_for_profiles(seen: Sequence[int], sizes: Sequence[int], views: Sequence[ChipView]) -> list[int]:
    """Return views, of every so many exposures, with as many stars as a mean profile needs."""
    pixels = sum(sizes[i] * (2.0 * APERTURE_ARCSEC / views[i].frame.scale) ** 2 for i in seen)
    # Whole exposures: every third view would always be the same chip.
    roots = list(dict.fromkeys(views[i].root for i in seen))
    sampled = set(roots[:: max(1, int(pixels / PROFILE_PIXELS))])
    return [i for i in seen if views[i].root in sampled]


def with_crowd(measured: Measured, views: Sequence[ChipView], sky: SkyLevels) -> Measured:
    """Hold the light of each star's surroundings, above the faintest sky of all chips, against the star's.

    Parameters
    ----------
    measured : Measured
        Stars of one chip of one exposure.
    views, sky
        All chips, and their sky.
    """
    levels = [sky.brightness.get(v.root, {}).get(v.name, np.nan) for v in views]
    faintest = faintest_sky(levels, [v.brightness for v in views])
    view = next(v for v in views if (v.root, v.name) == (measured.root, measured.chip))
    around = measured.sky * view.brightness - (faintest if np.isfinite(faintest) else 0.0)
    flux = np.maximum(measured.flux, measured.error) * view.rate
    crowd = np.clip(around * np.pi * APERTURE_ARCSEC**2 / flux, 0.0, MOST_CROWD)
    return replace(measured, crowd=crowd)


def _expected_snr(view: ChipView, rate: FloatArray) -> FloatArray:
    """Return the signal-to-noise ratio a star should have on one exposure: chosen by what it is, not by what it got."""
    inside = np.maximum(rate, 0.0) / view.camera.to_infinity(view.exposure.filter)
    electrons = inside * view.exposure.exptime / view.factor * view.noise.gain
    pixels = np.pi * 0.25 / view.chip.frame.scale**2
    result: FloatArray = electrons / np.sqrt(electrons + pixels * (view.noise.floor + 5.0))
    return result


@dataclass(frozen=True, eq=False)
class StarTable:
    """All measurements in one list.

    Parameters
    ----------
    star, exposure, chip : (m,) int array
        Which: index into the catalog, the exposures and the names.
    value, error : (m,) array
        Logarithm of the equalized rate.
    cte : (m,) array
        Correction to add.
    crowd : (m,) array
        As `Measured` has it.
    """

    star: NDArray[np.int64]
    exposure: NDArray[np.int64]
    chip: NDArray[np.int64]
    value: FloatArray
    error: FloatArray
    cte: FloatArray
    crowd: FloatArray


def tabulate(
    views: Sequence[ChipView],
    measured: Sequence[Measured],
    settings: Settings,
    *,
    names: Sequence[str],
) -> StarTable:
    """Equalize the fluxes and work out what transfer cost.

    Parameters
    ----------
    views, measured
        What was measured on which.
    settings : Settings
        ``verify.cte``.
    names : sequence of str
        Chips, in the order of their indices.
    """
    numbers = {root: i for i, root in enumerate(dict.fromkeys(view.root for view in views))}
    of_chip = {(view.root, view.name): view for view in views}
    parts: list[tuple[Any, ...]] = []
    for chip_stars in measured:
        view = of_chip[chip_stars.root, chip_stars.chip]
        good = chip_stars.flux > 3.0 * chip_stars.error
        star, flux, error = chip_stars.star[good], chip_stars.flux[good], chip_stars.error[good]
        value = np.log(flux * view.factor / view.exposure.exptime)
        cte = charge_lost(view, chip_stars, settings)[good]
        chip = np.full(star.size, names.index(chip_stars.chip), dtype=np.int64)
        parts.append(
            (star, np.full_like(chip, numbers[chip_stars.root]), chip, value, error / flux, cte, chip_stars.crowd[good])
        )
    if not parts:
        none, empty = np.zeros(0, np.int64), np.zeros(0)
        return StarTable(none, none, none, empty, empty, empty, empty)
    return StarTable(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def charge_lost(view: ChipView, measured: Measured, settings: Settings) -> FloatArray:
    """Return what was lost in transfer, from this exposure's own pixels, electrons and sky: logarithms of flux.

    Parameters
    ----------
    view : ChipView
        Where the stars were measured.
    measured : Measured
        The stars, ``(n,)``.
    settings : Settings
        ``verify.cte``.
    """
    if not corrects_cte(view.exposure, settings.verify.cte):
        return np.zeros(measured.star.size)
    gain = view.noise.gain
    lost = charge_loss(
        view.exposure,
        view.chip,
        x=measured.x,
        y=measured.y,
        electrons=measured.flux * gain,
        background=measured.sky * gain,
    )
    return np.asarray(lost * (0.4 * np.log(10.0)))
