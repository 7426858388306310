"""The picture of the blank-sky demonstration: panels on one scale, one color bar, and the chips' levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mizzle.instrument.wfpc2 import CHIP_NAMES
from mizzle.simulate.blank_sky import Comparison, Panel, owners

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Product pixels averaged for display: the noise of single pixels hides differences of a few per cent.
BLOCK = 12
#: Half the range of the gray scale, relative to the true level.
HALF_RANGE = 0.06
#: One color per panel: as recorded, equalized, faulty.
COLORS = {"raw": "#b5651d", "equalized": "#1f6f8b", "fault": "#a02c4a"}


def draw(comparison: Comparison) -> Figure:
    """Draw the comparison.

    Parameters
    ----------
    comparison : Comparison
        From `compare`.

    Returns
    -------
    figure : matplotlib Figure
        Above, each panel's sky over its true level, on one scale with one color bar; below, the chips' levels
        over WF3's with their errors.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(comparison.panels)
    figure = Figure(figsize=(4.6 * count + 1.2, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, count, height_ratios=[1.55, 1.0])
    axes = [figure.add_subplot(grid[0, i]) for i in range(count)]
    picture: Any = None
    for axis, panel in zip(axes, comparison.panels, strict=True):
        picture = _show(axis, panel, comparison.expected)
    bar = figure.colorbar(picture, ax=axes, location="right", fraction=0.04, pad=0.01)
    bar.set_label("sky / true sky")
    _levels(figure.add_subplot(grid[1, :]), comparison)
    plan = comparison.visit.truth.plan
    count_text = "one exposure" if plan.n == 1 else f"{plan.n} exposures"
    figure.suptitle(
        f"A blank sky through four chips: {plan.filter}, gain {plan.gain}, {count_text}"
        f" (shown: means of {BLOCK} × {BLOCK} pixels)"
    )
    return figure


def _show(axis: Axes, panel: Panel, expected: float) -> Any:
    """Show one mosaic over the true level, with each chip's name and level on it."""
    mosaic = panel.mosaic
    image = block_mean(np.where(mosaic.wht > 0, mosaic.sci, np.nan) / expected, BLOCK)
    picture = axis.imshow(
        image,
        origin="lower",
        cmap="gray",
        vmin=1.0 - HALF_RANGE,
        vmax=1.0 + HALF_RANGE,
        interpolation="nearest",
        extent=(0, image.shape[1] * BLOCK, 0, image.shape[0] * BLOCK),
    )
    owner = owners(mosaic)
    for number, name in enumerate(CHIP_NAMES):
        if name not in panel.levels:
            continue
        y, x = np.nonzero(owner == 1 << number)
        ratio = panel.levels[name].mean / expected
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "boxstyle": "round,pad=0.25"}
        axis.text(x.mean(), y.mean(), f"{name}\n{ratio:.4f}", ha="center", va="center", fontsize=8, bbox=box)
    axis.set_title(panel.title, fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_facecolor("#dfe6ea")
    return picture


def _levels(axis: Axes, comparison: Comparison) -> None:
    """Draw the chips' levels over WF3's, in per cent, with their errors."""
    names = [name for name in CHIP_NAMES if name in comparison.panels[0].levels]
    for i, panel in enumerate(comparison.panels):
        base = panel.levels["WF3"].mean
        x = np.arange(len(names)) + 0.14 * (i - 0.5 * (len(comparison.panels) - 1))
        values = [100 * (panel.levels[name].mean / base - 1) for name in names]
        errors = [100 * panel.levels[name].error / base for name in names]
        label = f"{panel.title}: spread {100 * panel.spread:.2f} %"
        axis.errorbar(x, values, errors, fmt="o", ms=6, capsize=4, color=COLORS[panel.key], label=label)
    axis.axhline(0.0, color="0.6", lw=0.8, zorder=0)
    axis.set_xticks(np.arange(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylabel("chip level over WF3's, less one [%]")
    axis.margins(y=0.2)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False, ncols=1, fontsize=9)


def block_mean(image: NDArray[np.floating], block: int) -> NDArray[np.float64]:
    """Return the mean of each ``block`` x ``block`` square, NaN aside; NaN where less than half is there."""
    ny, nx = (-(-length // block) * block for length in image.shape)
    padded = np.full((ny, nx), np.nan)
    padded[: image.shape[0], : image.shape[1]] = image
    squares = padded.reshape(ny // block, block, nx // block, block)
    good = np.isfinite(squares).sum(axis=(1, 3))
    total = np.nansum(squares, axis=(1, 3))
    return np.where(good >= 0.5 * block * block, total / np.maximum(good, 1), np.nan)
