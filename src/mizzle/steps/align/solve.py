"""All exposures at once: corrections and star positions in one robust least-squares solution.

Each detection i of star k in exposure e says ``T_e(p_i) = s_k``. The star positions are eliminated, so what is
minimized is the disagreement of *all pairs* of exposures, and none is privileged. Steps are small and linear;
they are composed with the transformation so far, so large rolls are exact after a few rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, IntArray
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.link import Detections, link
from mizzle.steps.align.match import rotation

#: Columns of each geometry: shift east, shift north, roll, scale, stretch, shear.
COLUMNS = {"shift": 2, "rshift": 3, "rscale": 4, "auto": 4, "general": 6}

#: Centroid floor expected beyond the formal errors [pixel], and how many detections that expectation is worth.
FLOOR_PIXEL, FLOOR_WEIGHT = 0.02, 10.0

#: The same for a catalog [arcsec].
CATALOG_FLOOR = 0.002

#: Solutions between two groupings of detections into stars.
INNER = 3

#: Tukey's constant, in sigma: beyond it a detection has no say.
TUKEY = 5.0


@dataclass(frozen=True, eq=False)
class State:
    """Transformations ``p -> matrices[e] @ p + shifts[e]`` [arcsec], and chips' own shifts.

    Parameters
    ----------
    matrices : (E, 2, 2) array
        One per exposure.
    shifts : (E, 2) array
        One per exposure [arcsec].
    chips : (c, 2) array
        Shift of each chip in the axes of the camera [arcsec].
    """

    matrices: FloatArray
    shifts: FloatArray
    chips: FloatArray

    def apply(self, detections: Detections, turns: FloatArray) -> FloatArray:
        """Return the positions of all detections on the common frame, at the common epoch ``(n, 2)``.

        Parameters
        ----------
        detections : Detections
            A catalog's index lies beyond the exposures; its positions stay.
        turns : (E, 2, 2) array
            Camera axes to sky for each exposure.
        """
        e = detections.exposure
        in_exposures = e < len(self.matrices)
        position = detections.position.copy()
        k = e[in_exposures]
        own = np.einsum("nij,nj->ni", turns[k], self.chips[np.maximum(detections.chip[in_exposures] - 1, 0)])
        position[in_exposures] = (
            np.einsum("nij,nj->ni", self.matrices[k], detections.position[in_exposures]) + self.shifts[k] + own
        )
        return position - detections.motion

    def rolls(self) -> FloatArray:
        """Return the roll of each exposure [rad], positive from north through east."""
        m = self.matrices
        return np.asarray(np.arctan2(m[:, 0, 1] - m[:, 1, 0], m[:, 0, 0] + m[:, 1, 1]))

    def scales(self) -> FloatArray:
        """Return the relative scale of each exposure, less one."""
        return np.asarray(np.sqrt(np.abs(np.linalg.det(self.matrices))) - 1.0, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class AlignmentFit:
    """What the adjustment found.

    Parameters
    ----------
    state : State
        The transformations.
    covariance : (E * P, E * P) array
        Of the steps' parameters, exposure by exposure; gauge not yet chosen.
    star : (n,) int array
        Star of each detection, -1 for none.
    residual : (n, 2) array
        Detection less star [arcsec]; NaN where there is no star.
    weight : (n,) array
        Robust weight, 0 to 1; 0 where there is no star.
    floor : float
        Centroid floor found [pixel].
    """

    state: State
    covariance: FloatArray
    star: IntArray
    residual: FloatArray
    weight: FloatArray
    floor: float
    chip_covariance: FloatArray


@dataclass(frozen=True)
class Problem:
    """What stays the same while the solution is refined.

    Parameters
    ----------
    detections : Detections
        All of them; those of a catalog have exposure index `n_exposures`.
    n_exposures : int
        How many are solved for.
    turns : (E, 2, 2) array
        Camera axes to sky for each exposure.
    settings : AlignSettings
        Geometry, priors, tolerances.
    lever : float
        Typical distance from the pivot [arcsec]; makes roll and scale as large as shifts in the equations.
    """

    detections: Detections
    n_exposures: int
    turns: FloatArray
    settings: AlignSettings
    lever: float = 80.0

    @property
    def n_columns(self) -> int:
        """Parameters of an exposure."""
        return COLUMNS[self.settings.geometry]

    @property
    def has_catalog(self) -> bool:
        """Whether a catalog holds the frame."""
        return bool((self.detections.exposure == self.n_exposures).any())


def _design(problem: Problem, position: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return derivatives ``(n, 2, m)`` of the positions and the columns ``(n, m)`` they belong to."""
    d = problem.detections
    p, n = problem.n_columns, len(d)
    u, v = position[:, 0] / problem.lever, position[:, 1] / problem.lever
    ones, zeros = np.ones(n), np.zeros(n)
    by_x = np.stack([ones, zeros, v, u, u, v], axis=1)[:, :p]
    by_y = np.stack([zeros, ones, -u, v, -v, u], axis=1)[:, :p]
    design = np.stack([by_x, by_y], axis=1)
    columns = d.exposure[:, None] * p + np.arange(p)[None, :]
    if problem.settings.chip_shifts:
        e = np.minimum(d.exposure, problem.n_exposures - 1)
        design = np.concatenate([design, problem.turns[e]], axis=2)
        start = problem.n_exposures * p + 2 * np.maximum(d.chip - 1, 0)
        columns = np.concatenate([columns, start[:, None], start[:, None] + 1], axis=1)
    fixed = d.exposure >= problem.n_exposures
    design[fixed] = 0.0
    columns[fixed] = 0
    return design, columns


def _normal(
    problem: Problem, position: FloatArray, star: IntArray, *, weight: FloatArray, n_chips: int
) -> tuple[FloatArray, FloatArray]:
    """Return normal matrix and right-hand side with the star positions eliminated."""
    total = problem.n_exposures * problem.n_columns + (2 * n_chips if problem.settings.chip_shifts else 0)
    use = (star >= 0) & (weight > 0)
    design, columns = _design(problem, position)
    design, columns, k, w, at = design[use], columns[use], star[use], weight[use], position[use]
    n_star = int(star.max(initial=-1)) + 1
    pair = columns[:, :, None] * total + columns[:, None, :]
    square = np.einsum("n,nai,naj->nij", w, design, design)
    normal: FloatArray = np.zeros((total, total))
    normal += np.bincount(pair.ravel(), square.ravel(), minlength=total * total).reshape(total, total)
    right: FloatArray = np.zeros(total)
    right -= np.bincount(columns.ravel(), np.einsum("n,nai,na->ni", w, design, at).ravel(), minlength=total)
    sum_w = np.maximum(np.bincount(k, w, minlength=n_star), 1e-300)
    for axis in range(2):
        flat = (k[:, None] * total + columns).ravel()
        mixed = np.bincount(flat, (w[:, None] * design[:, axis]).ravel(), minlength=n_star * total)
        mixed = mixed.reshape(n_star, total)
        mean = np.bincount(k, w * at[:, axis], minlength=n_star) / sum_w
        normal -= (mixed / sum_w[:, None]).T @ mixed
        right += mixed.T @ mean
    return normal, right


def _priors(problem: Problem, state: State, normal: FloatArray, *, right: FloatArray) -> None:
    """Add to the equations: expected sizes of roll, scale, chip shifts; and what fixes the frame."""
    settings, p, n = problem.settings, problem.n_columns, problem.n_exposures
    if settings.geometry == "auto":
        roll = problem.lever * np.deg2rad(max(settings.roll_prior, settings.search_roll))
        for column, sigma, value in (
            (2, roll, problem.lever * state.rolls()),
            (3, problem.lever * settings.scale_prior, problem.lever * state.scales()),
        ):
            at = np.arange(n) * p + column
            normal[at, at] += 1.0 / sigma**2
            right[at] -= value / sigma**2
    if settings.chip_shifts:
        at = n * p + np.arange(state.chips.size)
        sigma = settings.chip_prior / 1000.0
        normal[at, at] += 1.0 / sigma**2
        right[at] -= state.chips.ravel() / sigma**2
    if problem.has_catalog:
        return
    # Nothing holds the frame: the mean step is zero. The strength does not matter, only that it is there.
    free = 2 if settings.geometry == "auto" else p
    strength = max(float(np.trace(normal)) / max(normal.shape[0], 1), 1.0)
    for column in range(free):
        at = np.arange(n) * p + column
        normal[np.ix_(at, at)] += strength


def _step(problem: Problem, state: State, solution: FloatArray) -> State:
    """Compose the transformations with a small step."""
    p, n = problem.n_columns, problem.n_exposures
    steps = np.zeros((n, 6))
    steps[:, :p] = solution[: n * p].reshape(n, p)
    matrices, shifts = np.empty((n, 2, 2)), np.empty((n, 2))
    for e in range(n):
        roll, scale, stretch, shear = steps[e, 2:] / problem.lever
        small = (1.0 + scale) * rotation(float(roll)) + np.array([[stretch, shear], [shear, -stretch]])
        matrices[e] = small @ state.matrices[e]
        shifts[e] = small @ state.shifts[e] + steps[e, :2]
    chips = state.chips
    if problem.settings.chip_shifts:
        chips = chips + solution[n * p :].reshape(-1, 2)
    return State(matrices, shifts, chips)


def _stars(star: IntArray, weight: FloatArray, position: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return residuals ``(n, 2)`` about the weighted mean of each star, and each detection's share of its star."""
    n_star = int(star.max(initial=-1)) + 1
    k = np.maximum(star, 0)
    w = np.where(star >= 0, weight, 0.0)
    total = np.maximum(np.bincount(k, w, minlength=max(n_star, 1)), 1e-300)
    mean = np.stack([np.bincount(k, w * position[:, a], minlength=total.size) / total for a in (0, 1)], axis=1)
    residual = position - mean[k]
    residual[star < 0] = np.nan
    return residual, np.where(star >= 0, w / total[k], 0.0)


def _floor(normalized: FloatArray, error: FloatArray, unit: FloatArray, *, expected: float) -> float:
    """Return the floor, in units of `unit`, that makes the median squared residual right.

    Few residuals say little: the expected floor counts as `FLOOR_WEIGHT` detections.
    """
    n = normalized.size
    if n == 0:
        return expected
    low, high = 0.0, 50.0 * expected
    for _ in range(18):
        middle = 0.5 * (low + high)
        ratio = normalized / (error**2 + (middle * unit) ** 2)
        # 0.4549 is the median of chi-square with one degree of freedom.
        low, high = (middle, high) if float(np.median(ratio)) > 0.4549 else (low, middle)
    return float(np.sqrt((FLOOR_WEIGHT * expected**2 + n * middle**2) / (FLOOR_WEIGHT + n)))


def _sigmas(problem: Problem, floors: tuple[float, float]) -> FloatArray:
    """Return the error of each detection per axis [arcsec], floors included."""
    d = problem.detections
    floor = np.where(d.exposure < problem.n_exposures, floors[0] * d.pixel, floors[1])
    return np.asarray(np.sqrt(d.error**2 + floor**2))


def _floors(problem: Problem, star: IntArray, sigma: FloatArray, *, position: FloatArray) -> tuple[float, float]:
    """Measure the floors of images and catalog from the residuals."""
    d = problem.detections
    residual, share = _stars(star, 1.0 / sigma**2, position)
    # A residual about a mean it took part in is too small by the share it had.
    free = np.maximum(1.0 - share, 0.05)
    square = (residual**2) / free[:, None]
    use = star >= 0
    in_exposures = use & (d.exposure < problem.n_exposures)
    in_catalog = use & ~in_exposures
    image = _floor(
        square[in_exposures].ravel(),
        np.repeat(d.error[in_exposures], 2),
        np.repeat(d.pixel[in_exposures], 2),
        expected=FLOOR_PIXEL,
    )
    catalog = _floor(
        square[in_catalog].ravel(),
        np.repeat(d.error[in_catalog], 2),
        np.ones(2 * in_catalog.sum()),
        expected=CATALOG_FLOOR,
    )
    return image, catalog


def _robust(residual: FloatArray, share: FloatArray, sigma: FloatArray) -> FloatArray:
    """Return Tukey's weights of the residuals; 0 where there is none."""
    free = np.maximum(1.0 - share, 0.05)
    distance2 = np.nansum(residual**2, axis=1) / (2.0 * sigma**2 * free)
    weight: FloatArray = np.maximum(1.0 - distance2 / TUKEY**2, 0.0) ** 2
    weight[~np.isfinite(residual[:, 0])] = 0.0
    return weight


def adjust(problem: Problem, state: State, rounds: int = 5) -> AlignmentFit:
    """Refine the transformations: group detections into stars, solve, and again with what was learned.

    Parameters
    ----------
    problem : Problem
        Detections and settings.
    state : State
        Where to start: within `settings.tolerance` of the truth.
    rounds : int
        How often detections are grouped anew.

    Returns
    -------
    solution : AlignmentFit
        In the frame of the catalog, or in a frame of its own when there is none.
    """
    settings, d = problem.settings, problem.detections
    floors = (FLOOR_PIXEL, CATALOG_FLOOR)
    tolerance = settings.tolerance
    robust = np.ones(len(d))
    star = np.full(len(d), -1, dtype=np.int64)
    for turn in range(rounds):
        position = state.apply(d, problem.turns)
        before, star = star, link(d, position, tolerance, mag_tolerance=settings.magnitude_tolerance)
        if turn > 1 and np.array_equal(before, star):
            break
        sigma = _sigmas(problem, floors)
        robust = np.where(star >= 0, 1.0, 0.0)
        for inner in range(INNER):
            normal, right = _normal(problem, position, star, weight=robust / sigma**2, n_chips=len(state.chips))
            _priors(problem, state, normal, right=right)
            state = _step(problem, state, np.asarray(np.linalg.solve(normal, right), dtype=np.float64))
            position = state.apply(d, problem.turns)
            if inner in (0, INNER - 1):
                floors = _floors(problem, np.where(robust > 0, star, -1), sigma, position=position)
                sigma = _sigmas(problem, floors)
            residual, share = _stars(star, robust / sigma**2, position)
            robust = _robust(residual, share, sigma)
        typical = float(np.median(sigma[robust > 0])) if (robust > 0).any() else tolerance
        tolerance = float(np.clip(8.0 * typical, min(0.03, settings.tolerance), settings.tolerance))
    normal, right = _normal(problem, position, star, weight=robust / sigma**2, n_chips=len(state.chips))
    _priors(problem, state, normal, right=right)
    inverse = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    size = problem.n_exposures * problem.n_columns
    return AlignmentFit(
        state=state,
        covariance=inverse[:size, :size],
        star=star,
        residual=residual,
        weight=np.where(star >= 0, robust, 0.0),
        floor=floors[0],
        chip_covariance=inverse[size:, size:],
    )


def regauge(state: State, matrix: FloatArray, shift: FloatArray) -> State:
    """Return `state` followed by ``p -> matrix @ p + shift`` for every exposure."""
    matrices = np.einsum("ij,njk->nik", matrix, state.matrices)
    shifts = state.shifts @ matrix.T + shift
    return replace(state, matrices=matrices, shifts=shifts)


def counted(weight: FloatArray) -> NDArray[np.bool_]:
    """Return which detections took part: those with a robust weight of at least a twentieth."""
    return weight >= 0.05
