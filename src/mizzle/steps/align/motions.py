"""How far stars lie from their places: what centroids leave unexplained, proper motions above all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mizzle.model import Verdict
from mizzle.steps.align.solve import FLOOR_PIXEL, AlignmentFit, Problem

#: Exposures further apart than this are told that stars move [year].
LONG_YEARS = 1.0
#: Scatter that is worth a warning where exposures are years apart [mas]: a tenth of a WF pixel from epoch to epoch.
MOVED_MAS = 5.0
#: Fewest stars that tell a scatter.
FEWEST = 5


def star_scatter(problem: Problem, solution: AlignmentFit, rows: NDArray[np.bool_]) -> float:
    """Return how far the stars of one exposure lie from their mean places, beyond what centroids explain [mas].

    Motions that a catalog told were taken out of the residuals; the stars moved all the same, so they count.

    Parameters
    ----------
    problem, solution : Problem, AlignmentFit
        What was solved, and how.
    rows : (n,) bool array
        Detections of the exposure that took part.

    Returns
    -------
    scatter : float
        Per axis; 0 where fewer than `FEWEST` stars tell.
    """
    if np.count_nonzero(rows) < FEWEST:
        return 0.0
    d, star = problem.detections, solution.star
    count = np.bincount(star[(star >= 0) & (solution.weight > 0)], minlength=int(star.max(initial=0)) + 1)
    # A residual about a mean it took part in is too small by its share.
    free = np.maximum(1.0 - 1.0 / np.maximum(count[star[rows]], 1), 0.5)
    square = (solution.residual[rows] ** 2).mean(axis=1) / free
    explained = d.error[rows] ** 2 + (FLOOR_PIXEL * d.pixel[rows]) ** 2
    known = (d.motion[rows] ** 2).mean(axis=1)
    # The median, made a mean square: of two axes' mean square it is 0.693 of the mean.
    beyond = float(np.median(square - 0.693 * explained)) / 0.693 + float(known.mean())
    return 1000.0 * float(np.sqrt(max(beyond, 0.0)))


def epoch_note(epochs: Sequence[float]) -> str:
    """Say what exposures of different years, aligned on each other, cannot know; nothing within a year."""
    years = max(epochs) - min(epochs)
    if years <= LONG_YEARS:
        return ""
    return f"exposures span {years:.1f} years: a common proper motion of the stars is taken for pointing"


def motion_verdict(scatter_mas: float, epochs: Sequence[float]) -> tuple[Verdict, str]:
    """Say that stars moved between the epochs of the exposures, where they did.

    Parameters
    ----------
    scatter_mas : float
        As `star_scatter` has it.
    epochs : sequence of float
        Julian years of all exposures solved together.
    """
    years = max(epochs) - min(epochs)
    if years <= LONG_YEARS or scatter_mas < MOVED_MAS:
        return Verdict.PASS, ""
    note = (
        f"stars moved by {2.0 * scatter_mas / years:.1f} mas/yr (rms, per axis) in {years:.1f} years: each epoch is"
        " searched for cosmic rays by itself, and the image blurs them"
    )
    return Verdict.WARN, note
