"""How a star's light is spread over its aperture, held against the field's own bright stars.

What the catalog calls a star's flux is all that its aperture holds. A cosmic ray that stayed undetected, a neighbor too
near or too faint to be listed, a galaxy's disk lie in it too, and none of them is spread as a star is. So the light
within a small circle says what the aperture should hold; where it holds more, or less, the light is not a star's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Mask
from mizzle.model.camera import ChipClass
from mizzle.steps.catalog.curve import growth, sampling_scatter

#: Radius of the small circle over that of the aperture: at 0.2 arcsec, two pixels of the WF, pixels sample most of a
#: star's light wherever its center falls.
INNER = 0.4
#: A star's light is not spread as the others' where the aperture differs by so many sigma from what the small circle
#: says, and by this share of the flux.
SIGMA, SHARE = 3.0, 0.03
#: Where pixels near the center were lost, the circles lost different shares: more than this of the flux is no star's.
SPOILED_SHARE = 0.3


class Spread(NamedTuple):
    """What apertures hold beside the light of their stars.

    Parameters
    ----------
    excess : (n,) array
        Flux in the aperture, less what the small circle lets expect; 0 where it agrees, or nothing is known.
    unlike : (n,) bool array
        Where it does not agree.
    """

    excess: FloatArray
    unlike: Mask


class CircleFlux(NamedTuple):
    """Fluxes of the stars within a circle, and their variances, ``(n,)`` each."""

    flux: FloatArray
    variance: FloatArray


def compare_spread(
    inner: CircleFlux,
    outer: CircleFlux,
    bright: Mask,
    *,
    chip: NDArray[np.str_],
    n_exposures: NDArray[np.int64],
    whole: Mask,
    judged: Mask,
    classes: Sequence[ChipClass],
) -> Spread:
    """Compare what the apertures of stars hold with what their small circles say.

    Parameters
    ----------
    inner, outer : CircleFlux
        Within the small circle, and within the aperture.
    bright : (n,) bool array
        Stars without a known fault that show how a star is spread.
    chip : (n,) str array
        Chip with most of each star's weight.
    n_exposures : (n,) int array
        Exposures that saw each.
    whole : (n,) bool array
        Stars that lost no pixel.
    judged : (n,) bool array
        Stars whose center was not lost.
    classes : sequence of ChipClass
        The camera's.
    """
    flux = outer.flux
    index = np.flatnonzero(bright & whole & (inner.flux > 0) & (flux > 0))
    snr = flux[index] / np.sqrt(outer.variance[index])
    ratios = growth(inner.flux[index], flux[index], snr, chip=chip[index], whole=whole[index], classes=classes)
    known = {name: ratio for name, (ratio, error, _) in ratios.items() if np.isfinite(error)}
    ratio = np.array([known.get(name, np.nan) for name in chip.tolist()], dtype=np.float64)
    expected = ratio * inner.flux
    noise = np.maximum(outer.variance - inner.variance, 0.0) + (ratio - 1.0) ** 2 * inner.variance
    scatter = sampling_scatter(
        flux[index] / expected[index] - 1.0,
        noise[index] / flux[index] ** 2,
        chip[index],
        n_exposures=n_exposures[index],
        classes=classes,
    )
    alone = np.array(
        [scatter.get((name, n), np.nan) for name, n in zip(chip.tolist(), n_exposures.tolist(), strict=True)]
    )
    excess = flux - expected
    limit = SIGMA * np.sqrt(noise + (alone * expected) ** 2)
    with np.errstate(invalid="ignore"):
        share = np.where(whole, SHARE, SPOILED_SHARE)
        unlike = judged & (np.abs(excess) > np.maximum(limit, share * np.abs(flux)))
    return Spread(np.where(unlike, excess, 0.0), unlike)
