"""The curve of growth, measured on the field's own bright stars: to the standard aperture, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.model.camera import ChipClass

_FEWEST_STARS = 8
_FEWEST_RATIOS = 4
_PRIOR = 10


@dataclass(frozen=True, eq=False)
class Growth:
    """From an aperture to all of a star's light.

    Parameters
    ----------
    ratio : mapping
        Of flux within 0.5 arcsec to that in the aperture, its error, and number of stars, by chip name; empty where
        the aperture is that of 0.5 arcsec.
    spread_loss : mapping
        Share of the light that drizzling spreads beyond 0.5 arcsec, by chip name.
    scatter : mapping
        Relative scatter of single stars about the ratio, noise taken out, by chip name and number of exposures;
        number 0 stands for what one exposure has, of which n have a root-n-th.
    classes : sequence of ChipClass
        The camera's, the finest pixels first.
    to_infinity : float
        All light over that within 0.5 arcsec.
    """

    ratio: Mapping[str, tuple[float, float, int]] = field(default_factory=dict)
    spread_loss: Mapping[str, float] = field(default_factory=dict)
    scatter: Mapping[tuple[str, int], float] = field(default_factory=dict)
    classes: Sequence[ChipClass] = ()
    to_infinity: float = 1.0

    def factor(self, names: Sequence[str], fine: FloatArray) -> FloatArray:
        """Return what multiplies each star's aperture flux to give all of its light.

        Parameters
        ----------
        names : sequence of str
            Chip with most of the star's weight.
        fine : (n,) array
            Share of the weight that chips of the finest pixels have: near their border a star has growth of both kinds.
        """

        def share(name: str) -> float:
            return (1.0 - self.spread_loss.get(name, 0.0)) / self.ratio.get(name, (1.0, 0.0, 0))[0]

        within = np.array([share(name) for name in names], dtype=np.float64)
        if len(self.classes) > 1:
            first, rest = self.classes[0].chips, share(self.classes[1].chips[0])
            coarse = np.where(np.isin(np.array(names), first), rest, within)
            mixed = (fine > 0) & (fine < 1)
            within = np.where(mixed, fine * share(first[0]) + (1.0 - fine) * coarse, within)
        return np.asarray(self.to_infinity / within)

    def error(self, names: Sequence[str]) -> FloatArray:
        """Return the relative error of that factor."""
        table = {name: error / ratio for name, (ratio, error, _) in self.ratio.items() if np.isfinite(error)}
        return np.array([table.get(name, 0.0) for name in names], dtype=np.float64)

    def sampling(self, names: Sequence[str], exposures: Sequence[int], otherwise: FloatArray) -> FloatArray:
        """Return the scatter that stars of that chip and number of exposures show, or `otherwise` of one exposure."""
        scatters = [
            self.scatter.get((name, n), self.scatter.get((name, 0), usual) / max(n, 1) ** 0.5)
            for name, n, usual in zip(names, exposures, otherwise.tolist(), strict=True)
        ]
        return np.array(scatters, dtype=np.float64)


def growth(
    inner: FloatArray,
    outer: FloatArray,
    weight: FloatArray,
    *,
    chip: NDArray[np.str_],
    whole: NDArray[np.bool_],
    classes: Sequence[ChipClass],
) -> dict[str, tuple[float, float, int]]:
    """Measure the growth from one aperture to another on bright, clean stars, for each class of chips by itself.

    Parameters
    ----------
    inner, outer : (n,) array
        Fluxes of such stars.
    weight : (n,) array
        Signal-to-noise ratios.
    chip : (n,) str array
        Their chips.
    whole : (n,) bool array
        Stars that lost no pixel: where a class has 8 of them, they alone count.
    classes : sequence of ChipClass
        The camera's.

    Returns
    -------
    growth : mapping
        Ratio, its error and number of stars, by chip name. A class with fewer than 4 stars takes that of all
        stars, with a larger error; without any star the ratio is 1, with an infinite error.
    """
    usable = (inner > 0) & (outer > 0)
    everything = _robust_ratio(outer[usable] / inner[usable], weight[usable])
    by_chip = {}
    for members in (kind.chips for kind in classes):
        in_class = usable & np.isin(chip, members)
        if np.count_nonzero(in_class & whole) >= _FEWEST_STARS:
            in_class &= whole
        if np.count_nonzero(in_class) >= _FEWEST_RATIOS:
            answer = _robust_ratio(outer[in_class] / inner[in_class], weight[in_class])
        else:
            # Classes differ by some tenths of what is missing from 1.
            value, error, n = everything
            answer = value, float(np.hypot(error, 0.3 * abs(value - 1.0))), n
        by_chip.update(dict.fromkeys(members, answer))
    return by_chip


def _robust_ratio(ratio: FloatArray, weight: FloatArray) -> tuple[float, float, int]:
    """Return the clipped mean of ratios, its error, and how many took part."""
    if ratio.size == 0:
        return 1.0, float("inf"), 0
    middle = np.median(ratio)
    spread = max(1.4826 * float(np.median(np.abs(ratio - middle))), 1e-4)
    kept = np.abs(ratio - middle) <= 3.0 * spread
    # A star's weight is capped: what its neighbors add does not shrink with its own noise.
    weights = np.minimum(weight[kept], 300.0) ** 2
    value = float(np.average(ratio[kept], weights=weights))
    error = float(np.sqrt(np.average((ratio[kept] - value) ** 2, weights=weights) / max(kept.sum() - 1, 1)))
    return value, max(error, 1e-4), int(kept.sum())


def sampling_scatter(
    deviation: FloatArray,
    variance: FloatArray,
    chip: NDArray[np.str_],
    *,
    n_exposures: NDArray[np.int64],
    classes: Sequence[ChipClass],
) -> dict[tuple[str, int], float]:
    """Return how much more than their noise stars scatter, for each class and number of exposures.

    The pixels of a few exposures sample a star at a few phases only, and the product's pixels are cut by the circle:
    in apertures of a pixel or two that scatters fluxes more than photons do. How the phases of one visit fall
    together cannot be foreseen; its bright stars show it.

    Parameters
    ----------
    deviation : (n,) array
        Relative deviation of bright stars from their class's growth.
    variance : (n,) array
        What noise lets expect.
    chip : (n,) str array
        Their chips.
    n_exposures : (n,) int array
        Exposures that reach them.
    classes : sequence of ChipClass
        The camera's.
    """
    scatter: dict[tuple[str, int], float] = {}
    for members in (kind.chips for kind in classes):
        in_class = np.isin(chip, members)
        if np.count_nonzero(in_class) < _FEWEST_STARS:
            continue
        # Exposures see a star at phases of their own.
        n = np.maximum(n_exposures[in_class], 1)
        single = _excess(deviation[in_class] * np.sqrt(n), variance[in_class] * n)
        scatter.update({(name, 0): single for name in members})
        for count in np.unique(n).tolist():
            same_count = in_class & (n_exposures == count)
            stars = np.count_nonzero(same_count)
            # A few stars may agree by chance: each group leans on its class as on so many more.
            square = stars * _excess(deviation[same_count], variance[same_count]) ** 2 if stars else 0.0
            square = (square + _PRIOR * single**2 / count) / (stars + _PRIOR)
            scatter.update({(name, count): float(np.sqrt(square)) for name in members})
    return scatter


def _excess(deviation: FloatArray, variance: FloatArray) -> float:
    """Return the scatter that is not noise, outliers beyond four of its first guess left out."""
    limit = (1.4826 * float(np.median(np.abs(deviation)))) ** 2 + 1e-12
    kept = np.square(deviation) < 16.0 * (limit + variance)
    square, guess = np.square(deviation[kept]), limit
    for _ in range(5):
        # A star that is noisier than the scatter tells little of it.
        weight = (guess + variance[kept]) ** -2
        guess = max(float(np.average(square - variance[kept], weights=weight)), 1e-12)
    return float(np.sqrt(guess))


class GrowthAround(NamedTuple):
    """Light of stars within a smaller and a larger circle, over that within one between."""

    inner: FloatArray
    outer: FloatArray


def spread_loss(
    steps: GrowthAround,
    radius: float,
    step: float,
    *,
    chip: NDArray[np.str_],
    widths: Mapping[str, float],
    classes: Sequence[ChipClass],
) -> dict[str, float]:
    """Return the share of light that drizzling spreads out of a circle, for each class of chips by itself.

    Dropping convolves a star with the drop; a product cell holds the mean over itself; and a cell cut by the circle
    counts as if its light were even, which is the cell's width once more. Light that spreads with a variance V on
    each axis obeys the equation of heat, so a circle of radius R, in which the light E(R) is, loses::

        dE = V / 2 * 2 pi R * dI/dr = V / 2 * (E'' - E' / R)

    Parameters
    ----------
    steps : ((n,), (n,)) arrays
        Light within R - step and within R + step of bright stars, over that within R.
    radius, step : float
        R and step [arcsec].
    chip : (n,) str array
        Their chips.
    widths : mapping
        V by chip name [arcsec**2].
    classes : sequence of ChipClass
        The camera's.
    """
    lost = {}
    for members in (kind.chips for kind in classes):
        in_class = np.isin(chip, members)
        if np.count_nonzero(in_class) < _FEWEST_STARS:
            continue
        low, high = (float(np.median(share[in_class])) for share in steps)
        bend = (high - 2.0 + low) / step**2 - (high - low) / (2.0 * step) / radius
        lost.update({name: float(np.clip(-0.5 * widths[name] * bend, 0.0, 0.01)) for name in members if name in widths})
    return lost
