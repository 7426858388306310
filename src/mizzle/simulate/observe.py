"""A visit: exposures in memory, and everything that is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import ChipPlanes, FloatArray, Places, TangentPlaces
from mizzle.errors import SettingsError
from mizzle.instrument.cameras import WFPC2
from mizzle.instrument.wfpc2 import CHIP_NAMES, CHIP_NUMBERS, GAINS, READ_NOISES
from mizzle.model import ArrayPixels, Chip, ChipFrame, Exposure, FrozenDict, Runner, Serial
from mizzle.simulate.cosmic import Hits, cosmic_rays, satellite_trail
from mizzle.simulate.defects import Defects, chip_defects
from mizzle.simulate.detector import ChipConditions, read_out
from mizzle.simulate.headers import as_mapping, chip_cards, primary_cards
from mizzle.simulate.photometry import PASSBANDS, photflam
from mizzle.simulate.plan import Plan, make_plan
from mizzle.simulate.pointing import Pointing, point, sky_box
from mizzle.simulate.psf import PointSpread, point_spread
from mizzle.simulate.render import add_starlight, local_scales, pixel_areas, reference_area
from mizzle.simulate.stars import StarList, draw_stars
from mizzle.simulate.trails import add_trails
from mizzle.simulate.truth import ChipTruth, ExposureTruth, Truth, Visit

#: A satellite's trail: charge per arcsec of path [electron], and its width [arcsec].
TRAIL_ELECTRONS = 30_000.0
TRAIL_SIGMA = 0.25


@dataclass(frozen=True, eq=False)
class _Scene:
    """What all chips of all exposures share."""

    plan: Plan
    stars: StarList
    areas: dict[str, NDArray[np.float32]]
    defects: dict[str, Defects]
    sky_flux: float


@dataclass(frozen=True, eq=False)
class _ChipJob:
    """One chip of one exposure, to be simulated."""

    scene: _Scene
    pointing: Pointing
    index: int
    name: str
    photflam: float
    conditions: ChipConditions


def visit(
    plan: Plan | None = None, *, stars: StarList | None = None, runner: Runner | None = None, **changes: Any
) -> Visit:
    """Simulate a visit.

    Parameters
    ----------
    plan : Plan, optional
        What to simulate; the default is M2-like: 6 exposures of 500 s through F814W at gain 7.
    stars : StarList, optional
        These stars in place of a drawn field.
    runner : Runner, optional
        Where chips are simulated; here and now by default. The result does not depend on it.
    **changes
        Any field of `Plan`, when no plan is given: ``n=3, gain=15, seed=4, field="blank",
        effects=Effects(cosmic_rays=0.0)``.

    Returns
    -------
    visit : Visit
        ``visit.exposures`` as the reader would give them, ``visit.truth`` what they were made from.

    Raises
    ------
    SettingsError
        A field that `Plan` does not know, or a value out of range.

    Examples
    --------
    >>> from mizzle import simulate
    >>> made = simulate.visit(n=2, exptime=100.0, seed=3)  # doctest: +SKIP
    >>> [exposure.root for exposure in made.exposures]  # doctest: +SKIP
    ['ua060502m', 'ua060504m']
    """
    if plan is None:
        plan = make_plan(**changes)
    elif changes:
        plan = make_plan(**{**{name: getattr(plan, name) for name in Plan.model_fields}, **changes})
    if plan.field == "list" and stars is None:
        raise SettingsError("simulate.field: 'list' needs stars; give a StarList, or --stars FILE", field=plan.field)
    pointings = point(plan)
    scene = _scene(plan, pointings, stars)
    jobs = [job for i, pointing in enumerate(pointings) for job in _jobs(scene, pointing, i)]
    results = (runner or Serial()).map(_simulate, jobs)
    made = {(job.index, job.name): result for job, result in zip(jobs, results, strict=True)}
    exposures, truths = [], {}
    for i, pointing in enumerate(pointings):
        chips = {name: made[i, name] for name in CHIP_NAMES}
        exposures.append(_exposure(plan, pointing, i, chips={name: chip for name, (chip, _) in chips.items()}))
        truths[pointing.root] = ExposureTruth(
            pointing.root,
            pointing,
            float(plan.value("exptime", i)),
            FrozenDict({name: truth for name, (_, truth) in chips.items()}),
        )
    lit = {name: defects.lit for name, defects in scene.defects.items()}
    truth = Truth(plan, scene.stars, FrozenDict(truths), FrozenDict(scene.areas), FrozenDict(lit))
    return Visit(tuple(exposures), truth)


def _scene(plan: Plan, pointings: list[Pointing], stars: StarList | None) -> _Scene:
    """Prepare what all exposures share: stars, pixel areas, standing defects, the sky's flux."""
    if stars is None:
        center, box = sky_box(pointings, margin=1.0)
        stars = draw_stars(plan, center, box, rng=np.random.default_rng([plan.seed, 3]))
    frames = pointings[0].true
    nominal = photflam(plan.filter, 7)["WF3"]
    return _Scene(
        plan=plan,
        stars=stars,
        areas={name: pixel_areas(frame) for name, frame in frames.items()},
        defects={name: chip_defects(name, frame.shape, plan.effects, seed=plan.seed) for name, frame in frames.items()},
        sky_flux=nominal / reference_area(pointings[0].header["WF3"]),
    )


def _jobs(scene: _Scene, pointing: Pointing, index: int) -> list[_ChipJob]:
    """Return the chips of one exposure, to be simulated."""
    plan = scene.plan
    gain, exptime = plan.value("gain", index), float(plan.value("exptime", index))
    flams = photflam(plan.filter, gain, plan.value("sensitivity", index))
    return [
        _ChipJob(
            scene,
            pointing,
            index,
            name,
            flams[name],
            ChipConditions(
                GAINS[gain][name],
                READ_NOISES[gain][name],
                exptime,
                exptime,
                plan.effects.pedestals[CHIP_NUMBERS[name] - 1],
            ),
        )
        for name in CHIP_NAMES
    ]


def _simulate(job: _ChipJob) -> tuple[Chip, ChipTruth]:
    """Simulate one chip of one exposure."""
    plan, effects, frame = job.scene.plan, job.scene.plan.effects, job.pointing.true[job.name]
    rng = np.random.default_rng([plan.seed, 11, job.index, CHIP_NUMBERS[job.name]])
    conditions = job.conditions
    area = job.scene.areas[job.name]
    # Electrons per unit flux: flux / PHOTFLAM is DN/s, times gain and time; the header knows no fault.
    response = conditions.gain * conditions.exptime / job.photflam * effects.faults[CHIP_NUMBERS[job.name] - 1]
    sky = plan.value("sky", job.index) * job.scene.sky_flux * reference_area(frame) * response
    strikes = None
    if effects.cosmic_rays:
        strikes = cosmic_rays(frame.shape, effects.cosmic_rays, conditions.exptime, rng=rng)
    seen = _stars_on_chip(job, frame, response, sky=sky)
    light = sky * area.astype(np.float64)
    where = Places(seen["x"], seen["y"])
    add_starlight(light, seen["psf"], frame, where=where, scales=seen["scales"], charge=seen["recorded"])
    if effects.cte_trails:
        add_trails(
            light, seen["psf"], frame, where=where, scales=seen["scales"], lost=seen["electrons"] - seen["recorded"]
        )
    trail = _trail(job, frame, area) if job.index < effects.satellites else None
    if trail is not None:
        light += trail
    sci, dq = read_out(
        light, area, strikes, defects=job.scene.defects[job.name], chip=conditions, effects=effects, rng=rng
    )
    hits = Hits.of(strikes if strikes is not None else np.zeros(frame.shape))
    truth = ChipTruth(
        **seen,
        cosmic_rays=hits,
        trail=None if trail is None else Hits.of(trail, 0.1),
        sky_dn=sky / conditions.gain,
        gain=conditions.gain,
        photflam=job.photflam,
    )
    return _chip(job, sci, dq), truth


def _stars_on_chip(job: _ChipJob, frame: ChipFrame, response: float, *, sky: float) -> dict[str, Any]:
    """Return the stars whose stamps touch the chip: which, where, how bright."""
    stars, effects = job.scene.stars, job.scene.plan.effects
    psf = _psf(job, frame)
    ny, nx = frame.shape
    margin = max(psf.half_size, psf.spikes.half_size if psf.spikes else 0) + 1
    x, y = frame.sky_to_pixel(stars.ra, stars.dec) if len(stars) else (np.zeros(0), np.zeros(0))
    # Far away the inverse of the distortion is not to be trusted, but it errs by a few per cent only.
    with np.errstate(invalid="ignore"):
        near = (x > -margin) & (x < nx - 1 + margin) & (y > -margin) & (y < ny - 1 + margin)
    index = np.nonzero(near)[0]
    x, y, charge = x[index], y[index], stars.flux[index] * response
    recorded = charge
    if effects.cte and index.size:
        from mizzle.instrument.cte import observed_electrons

        column, row = np.clip(x, 0, nx - 1), np.clip(y, 0, ny - 1)
        recorded = observed_electrons(column, row, np.maximum(charge, 1e-3), sky=sky, mjd=job.pointing.mjd)
    return {
        "star": index,
        "x": x,
        "y": y,
        "scales": local_scales(frame, x, y),
        "electrons": charge,
        "recorded": recorded,
        "psf": psf,
    }


def _psf(job: _ChipJob, frame: ChipFrame) -> PointSpread:
    """Return the star image of this chip and exposure; what breathes has one period in the visit, from rest on."""
    effects = job.scene.plan.effects
    scale = float(np.sqrt(reference_area(frame)))
    phase = float(np.sin(2.0 * np.pi * job.index / max(job.scene.plan.n, 3)))
    # Images beside the best focus are alike on both sides.
    defocus = round(abs(effects.defocus + effects.focus_breathing * phase), 4)
    psf = point_spread(scale, *PASSBANDS[job.scene.plan.filter], defocus=defocus, spikes=effects.spikes)
    return psf.breathed(effects.breathing * phase) if effects.breathing else psf


def _trail(job: _ChipJob, frame: ChipFrame, area: NDArray[np.float32]) -> FloatArray:
    """Return a satellite's trail over this chip; one path per exposure."""
    from mizzle.model import project

    rng = np.random.default_rng([job.scene.plan.seed, 13, job.index])
    line = (float(rng.uniform(-50.0, 50.0)), float(rng.uniform(0.0, np.pi)), TRAIL_SIGMA)
    y, x = np.indices(frame.shape, dtype=np.float64)
    xi, eta = project(*frame.pixel_to_sky(x, y), (job.pointing.ra, job.pointing.dec))
    return satellite_trail(
        TangentPlaces(3600.0 * xi, 3600.0 * eta),
        area.astype(np.float64) * reference_area(frame),
        line,
        flux=TRAIL_ELECTRONS,
    )


def _chip(job: _ChipJob, sci: NDArray[np.float32], dq: NDArray[np.uint16]) -> Chip:
    """Return the chip as the reader would."""
    plan = job.scene.plan
    cards = chip_cards(job.name, plan, job.pointing, index=job.index, photflam=job.photflam, pixels=ChipPlanes(sci, dq))
    pivot, width = PASSBANDS[plan.filter]
    header = as_mapping(cards)
    return Chip(
        name=job.name,
        number=CHIP_NUMBERS[job.name],
        pixels=ArrayPixels(sci, dq),
        header=FrozenDict(header),
        gain=job.conditions.gain,
        read_noise=job.conditions.read_noise,
        photflam=job.photflam,
        frame=job.pointing.commanded[job.name],
        photplam=pivot,
        photbw=width,
        photmode=str(header["PHOTMODE"]),
    )


def _exposure(plan: Plan, pointing: Pointing, index: int, *, chips: dict[str, Chip]) -> Exposure:
    """Return the exposure as the reader would."""
    exptime = float(plan.value("exptime", index))
    header = as_mapping(primary_cards(plan, pointing, index))
    return Exposure(
        camera=WFPC2,
        root=pointing.root,
        path=f"{pointing.root}_c0m.fits",
        filter=plan.filter,
        exptime=exptime,
        darktime=exptime,
        mjd_start=pointing.mjd,
        mjd_end=pointing.mjd + exptime / 86400.0,
        date_obs=pointing.date,
        commanded_gain=int(plan.value("gain", index)),
        target=plan.target,
        header=FrozenDict(header),
        chips=FrozenDict(chips),
    )
