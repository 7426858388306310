"""Choosing the frame of a solution that fixes only differences, and the errors in that frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.steps.align.match import rotation
from mizzle.steps.align.solve import AlignmentFit, Problem, State, regauge

#: Corrections this far from the median are left out of the mean [arcsec]; more where the scatter is larger.
LEAVE_OUT = 0.2


@dataclass(frozen=True, eq=False)
class Gauge:
    """A solution in its final frame.

    Parameters
    ----------
    state : State
        Transformations from each exposure's header frame.
    covariance : tuple of (P, P) array
        Of each exposure's shift east, north [arcsec], then roll [rad] and scale where fitted.
    """

    state: State
    covariance: tuple[FloatArray, ...]


def _kept(shifts: FloatArray) -> FloatArray:
    """Return weights of a mean that leaves out exposures whose pointing is far from the others'."""
    distance = np.hypot(*(shifts - np.median(shifts, axis=0)).T)
    limit = max(LEAVE_OUT, 5.0 * float(np.median(distance)))
    kept = (distance <= limit).astype(np.float64)
    return np.asarray(kept / kept.sum())


def choose_gauge(problem: Problem, solution: AlignmentFit, fixed: int | None) -> Gauge:
    """Move a solution to its frame.

    With a catalog the frame is the catalog's. Otherwise exposure `fixed` keeps its header's frame, or, when that
    is None, the mean correction vanishes: shift, roll and scale, over the exposures that agree about the pointing.
    """
    state, n = solution.state, problem.n_exposures
    if problem.has_catalog:
        mix = np.zeros(n)
    elif fixed is not None:
        mix = np.eye(n)[fixed]
        inverse = np.linalg.inv(state.matrices[fixed])
        state = regauge(state, inverse, -inverse @ state.shifts[fixed])
    else:
        # The frame to leave is judged after it was made comparable: the median exposure at rest.
        mix = _kept(state.shifts)
        roll, scale = float(mix @ state.rolls()), float(mix @ state.scales())
        inverse = rotation(-roll) / (1.0 + scale)
        state = regauge(state, inverse, np.zeros(2))
        state = regauge(state, np.eye(2), -(mix @ state.shifts))
    return Gauge(state, _covariances(problem, solution, mix))


def _covariances(problem: Problem, solution: AlignmentFit, mix: FloatArray) -> tuple[FloatArray, ...]:
    """Return each exposure's covariance in the frame where the `mix` of corrections is zero."""
    n, p = problem.n_exposures, problem.n_columns
    change = np.kron(np.eye(n) - np.tile(mix, (n, 1)), np.eye(p))
    full = change @ solution.covariance @ change.T
    unit = np.ones(p)
    unit[2:] = 1.0 / problem.lever
    full = full.reshape(n, p, n, p)
    return tuple(full[k, :, k, :] * unit[:, None] * unit[None, :] for k in range(n))
