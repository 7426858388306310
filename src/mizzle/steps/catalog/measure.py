"""From the product to a table of stars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray, Places
from mizzle.model import (
    Alignment,
    Catalog,
    CosmicRays,
    Exposure,
    FluxScales,
    Mosaic,
    Runner,
    SkyLevels,
)
from mizzle.model.camera import Camera
from mizzle.model.star_flags import Flag
from mizzle.settings import CatalogSettings, Settings
from mizzle.stars.apertures import aperture_sums, ring_sky
from mizzle.steps.catalog.blends import blended
from mizzle.steps.catalog.concentration import INNER, CircleFlux, Spread, compare_spread
from mizzle.steps.catalog.curve import Growth, GrowthAround, growth, sampling_scatter, spread_loss
from mizzle.steps.catalog.exposure_evidence import ExposureEvidence, main_chip, measure_per_exposure, members
from mizzle.steps.catalog.lost_light import restore_lost_light
from mizzle.steps.catalog.photometry import Photometry, StarGround, circle_sums, photometry, star_mask
from mizzle.steps.catalog.saturated_stars import find_saturated_stars
from mizzle.steps.catalog.search import find_stars, search_findings, sky_of
from mizzle.steps.catalog.star_list import DetectedStars
from mizzle.steps.catalog.table import UNITS, describe_columns, star_columns
from mizzle.steps.catalog.undetected_rays import undetected_ray_bias
from mizzle.steps.chip_view import ChipView, view_chips

_PIXEL = 0.0996  # arcsec: what catalog.sampling refers to
_STEP = 0.1  # arcsec: of the curve of growth about 0.5 arcsec
_SPREAD_STARS = 100
_SMALL_APERTURE = 0.15  # arcsec: what catalog.sampling refers to

#: Relative error of a flux that is a lower limit.
LIMIT_ERROR = 0.5
#: Relative error of a flux whose star was hit in most exposures: some of the ray may be left, or too much gone. Ten
#: such stars of single exposures of 500 and 1000 s scatter by 0.07.
HIT_ERROR = 0.1


def measure_catalog(
    mosaic: Mosaic,
    exposures: Sequence[Exposure],
    alignment: Alignment,
    *,
    scales: FluxScales,
    sky: SkyLevels,
    cosmic_rays: CosmicRays,
    settings: Settings,
    runner: Runner,
) -> Catalog:
    """Find the stars of the product and measure them.

    Parameters
    ----------
    mosaic : Mosaic
        The product.
    exposures : sequence of Exposure
        It was made from.
    alignment, scales, sky, cosmic_rays
        The solutions it was made with.
    settings : Settings
        ``catalog``.
    runner : Runner
        Where stars are measured.

    Returns
    -------
    catalog : Catalog
        Brightest first; all columns, and no row, for a field without stars. ``flux`` is all of a star's light:
        the aperture's, grown to 0.5 arcsec as measured on the data, times 1.096 (Holtzman et al. 1995).
    """
    options, camera = settings.catalog, exposures[0].camera
    structure = sky_of(mosaic, options)
    sources = find_stars(mosaic, options, structure)
    x, y = sources["x"].astype(np.float64), sources["y"].astype(np.float64)
    member = members(mosaic, x, y)
    chip = main_chip(mosaic.inputs, member)
    covered = star_mask(mosaic.sci.shape, x, y, snr=_brightness(sources), scale=mosaic.grid.scale)
    apertures = _Apertures(mosaic, StarGround(covered, structure), options, runner)
    measured = apertures.measure(x, y, options.aperture, chip=chip)
    ra, dec = mosaic.grid.pixel_to_sky(x, y)
    snr = measured.flux / np.sqrt(np.maximum(measured.variance, 1e-30))
    stars = DetectedStars(ra, dec, x, y, measured.flux, snr, measured.sky)
    views = view_chips(exposures, alignment, scales, settings=settings, sky=sky)
    evidence = measure_per_exposure(
        mosaic, stars, member, views=views, cosmic_rays=cosmic_rays, settings=settings, runner=runner
    )
    flags = _flags(mosaic, sources, measured, evidence=evidence, options=options)
    spread = _spread(apertures, stars, measured=measured, evidence=evidence, flags=flags, camera=camera)
    flags |= np.where(spread.unlike, np.int32(Flag.UNLIKE), np.int32(0))
    grown = _growth(apertures, camera, stars, measured=measured, evidence=evidence, flags=flags)
    factor = grown.factor(evidence.chip.tolist(), evidence.fine)
    if options.apply_cte:
        factor = factor * 10.0 ** (0.4 * evidence.cte)
    radius = options.aperture / mosaic.grid.scale
    lost = restore_lost_light(
        mosaic,
        evidence.lost,
        evidence.profiles,
        stars=stars,
        weight=evidence.weight,
        radius=radius,
        relative=options.mend_error,
    )
    rays = undetected_ray_bias(
        evidence.rays, evidence.profiles, measured.flux, radius=options.aperture, settings=settings.reject
    )
    flux = measured.flux + lost.flux - rays.flux
    # Relative errors: centering and flat field, the curve of growth, how pixels sampled the star.
    relative = options.floor**2 + grown.error(evidence.chip.tolist()) ** 2
    # What is lost of a star's exposures samples it no more.
    relative += _sampling(mosaic, camera, evidence, grown=grown, options=options) ** 2 / (1.0 - lost.share)
    relative += np.where(evidence.limit, LIMIT_ERROR**2, 0.0) + np.where(evidence.hit, HIT_ERROR**2, 0.0)
    variance = measured.variance + rays.variance + lost.variance + relative * flux**2
    # Last, for it says nothing against the aperture: what is measured on unflagged stars keeps these.
    flags |= np.where(evidence.brighter, np.int32(Flag.BRIGHTER), np.int32(0))
    clear = apertures.clear_in_structure(x, y, measured, chip=evidence.chip)
    credible = _credible(flux, variance, flags, winged=evidence.winged, clear=clear, options=options)
    columns = star_columns(
        replace(measured, flux=flux, variance=variance + spread.excess**2),
        evidence,
        factor,
        reference=mosaic.reference,
        band=mosaic.filter,
        camera=camera,
    )
    columns.update(ra=ra, dec=dec, x=x + 1.0, y=y + 1.0, flags=flags)
    columns = {name: columns[name][credible] for name in UNITS}
    more = _saturated(apertures, views, camera, grown=grown, listed=columns)
    columns = {name: np.concatenate([columns[name], more[name]]) for name in UNITS}
    order = np.argsort(-columns["flux"], kind="stable")
    meta = describe_columns(mosaic, camera, options, grown=grown)
    findings = search_findings(mosaic, structure, options)
    return Catalog({name: columns[name][order] for name in UNITS}, UNITS, meta, findings)


def _saturated(
    apertures: _Apertures,
    views: Sequence[ChipView],
    camera: Camera,
    *,
    grown: Growth,
    listed: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """Return the rows of the stars that are saturated in every exposure and not `listed`: lower limits."""
    mosaic, options = apertures.mosaic, apertures.options
    limits = (listed["flags"] & (Flag.LIMIT | Flag.SATURATED)) != 0
    known = Places(listed["x"][limits] - 1.0, listed["y"][limits] - 1.0)
    stars = find_saturated_stars(mosaic, views, known, aperture=options.aperture, runner=apertures.runner)
    measured = apertures.measure(stars.x, stars.y, options.aperture, chip=stars.chip)
    flux = np.maximum(measured.flux, 0.0) + np.minimum(stars.hole, measured.lost) * stars.full
    limit = replace(measured, flux=flux, variance=measured.variance + (LIMIT_ERROR * flux) ** 2)
    factor = grown.factor(stars.chip.tolist(), np.zeros(stars.chip.size))
    columns = star_columns(limit, stars, factor, reference=mosaic.reference, band=mosaic.filter, camera=camera)
    ra, dec = mosaic.grid.pixel_to_sky(stars.x, stars.y)
    flags = np.full(stars.x.size, Flag.SATURATED | Flag.LIMIT, np.int32)
    columns.update(ra=ra, dec=dec, x=stars.x + 1.0, y=stars.y + 1.0, flags=flags)
    # On the product a hole or light stands there, on a sky that is known.
    shown = (measured.lost > 0) | (measured.flux > options.min_snr * np.sqrt(measured.variance))
    return {name: columns[name][shown & ~measured.bad_sky] for name in UNITS}


@dataclass(frozen=True, eq=False)
class _Apertures:
    """Aperture photometry of one product, what it needs but places and radii put together."""

    mosaic: Mosaic
    around: StarGround
    options: CatalogSettings
    runner: Runner

    def measure(self, x: FloatArray, y: FloatArray, radius: float, *, chip: NDArray[np.str_]) -> Photometry:
        """Measure stars at some places, of the chips that saw most of them, within `radius` [arcsec]."""
        return photometry(
            self.mosaic,
            x,
            y,
            radius_arcsec=radius,
            chip=chip,
            options=self.options,
            runner=self.runner,
            around=self.around,
        )

    def sums(self, x: FloatArray, y: FloatArray, radius: float, *, chip: NDArray[np.str_]) -> dict[str, FloatArray]:
        """Sum circles at the same places, sky and all."""
        empty = ~(self.mosaic.wht > 0)
        return circle_sums(self.mosaic, empty, Places(x, y), radius=radius / self.mosaic.grid.scale, chip=chip)

    def clear_in_structure(
        self, x: FloatArray, y: FloatArray, measured: Photometry, *, chip: NDArray[np.str_]
    ) -> NDArray[np.bool_]:
        """Tell stars in a nebula that a small circle shows, where the aperture holds too much of the nebula."""
        near = self.around.sky.near_structure(x, y, self.mosaic.sci.shape)
        if near.any():
            inner = self.sums(x[near], y[near], INNER * self.options.aperture, chip=chip[near])
            flux = inner["flux"] - inner["area"] * measured.sky[near]
            variance = inner["variance"] + inner["area"] ** 2 * measured.sky_variance[near]
            # Noise that repeats from pixel to pixel is estimated: in a few circles its variance is none.
            near[near] = (variance > 0) & (flux >= self.options.min_snr * np.sqrt(np.maximum(variance, 0.0)))
        return near


def _brightness(sources: NDArray[Any]) -> FloatArray:
    """Return fluxes over the noise of the faintest stars': a bright star's own noise holds its profile's mismatch."""
    if sources.size == 0:
        return np.zeros(0)
    return np.asarray(sources["flux"] / max(float(np.percentile(sources["flux_err"], 10)), 1e-300))


def _credible(
    flux: FloatArray,
    variance: FloatArray,
    flags: NDArray[np.int32],
    *,
    winged: NDArray[np.bool_],
    clear: NDArray[np.bool_],
    options: CatalogSettings,
) -> NDArray[np.bool_]:
    """Tell stars from what cosmic rays left: flux in the aperture, and wings where the center was hit each time."""
    limit = (flags & Flag.LIMIT) != 0
    credible: NDArray[np.bool_] = (
        (flux >= options.min_snr * np.sqrt(np.maximum(variance, 0.0))) | (limit & (flux > 0)) | clear
    )
    if options.drop_hit:
        credible &= ((flags & Flag.COSMIC_RAY) == 0) | winged
    return credible


def _sampling(
    mosaic: Mosaic, camera: Camera, evidence: ExposureEvidence, *, grown: Growth, options: CatalogSettings
) -> FloatArray:
    """Return the relative error by how pixels sampled each star: as measured on bright stars, or as usual."""
    if options.aperture == camera.aperture:
        return np.zeros(evidence.chip.size)
    scales = {input_chip.chip: input_chip.frame_scale for input_chip in mosaic.inputs}
    pixel = np.array([scales.get(name, _PIXEL) for name in evidence.chip.tolist()], dtype=np.float64) / _PIXEL
    usual = options.sampling * pixel * (_SMALL_APERTURE / options.aperture) ** 3
    return grown.sampling(evidence.chip.tolist(), evidence.n_exposures.tolist(), usual)


def _flags(
    mosaic: Mosaic, sources: NDArray[Any], measured: Photometry, *, evidence: ExposureEvidence, options: CatalogSettings
) -> NDArray[np.int32]:
    """Put the bits together."""
    scale = mosaic.grid.scale
    n_exposures = len({input_chip.root for input_chip in mosaic.inputs})
    radii = (options.aperture / scale, 0.15 / scale, options.blend_radius / scale)
    share = options.blend_share
    conditions = {
        Flag.SATURATED: evidence.saturated,
        Flag.EDGE: measured.lost > 0.01,
        Flag.BLENDED: blended(sources["x"], sources["y"], sources["flux"], radii=radii, share=share),
        Flag.FEW_EXPOSURES: evidence.n_exposures < min(options.few_exposures, n_exposures),
        Flag.COSMIC_RAY: evidence.hit,
        Flag.BAD_SKY: measured.bad_sky,
        Flag.FAINT: ~(measured.flux > 0),
        Flag.LIMIT: evidence.limit,
    }
    flags = np.zeros(sources.size, dtype=np.int32)
    for bit, condition in conditions.items():
        flags |= np.where(condition, np.int32(bit), np.int32(0))
    return flags


def _spread(
    apertures: _Apertures,
    stars: DetectedStars,
    *,
    measured: Photometry,
    evidence: ExposureEvidence,
    flags: NDArray[np.int32],
    camera: Camera,
) -> Spread:
    """Hold the light in each aperture against that in a small circle."""
    options = apertures.options
    inner = apertures.sums(stars.x, stars.y, INNER * options.aperture, chip=evidence.chip)
    small = CircleFlux(inner["flux"] - inner["area"] * measured.sky, inner["variance"])
    bright = (flags == 0) & (stars.snr > options.growth_snr) & ((evidence.fine == 0) | (evidence.fine == 1))
    return compare_spread(
        small,
        CircleFlux(measured.flux, measured.variance),
        bright,
        chip=evidence.chip,
        n_exposures=evidence.n_exposures,
        whole=_unspoiled(evidence) & (measured.lost == 0),
        judged=~evidence.hit,
        classes=camera.classes,
    )


def _unspoiled(evidence: ExposureEvidence) -> NDArray[np.bool_]:
    """Return the stars that lost no pixel near the center."""
    whole = np.ones(evidence.chip.size, dtype=np.bool_)
    for lost in evidence.lost:
        whole[lost.star] = False
    return whole


def _growth(
    apertures: _Apertures,
    camera: Camera,
    stars: DetectedStars,
    *,
    measured: Photometry,
    evidence: ExposureEvidence,
    flags: NDArray[np.int32],
) -> Growth:
    """Measure the curve of growth on bright, unflagged stars; any star when there is none."""
    mosaic, options = apertures.mosaic, apertures.options
    snr = measured.flux / np.sqrt(np.maximum(measured.variance, 1e-30))
    pure = (evidence.fine == 0) | (evidence.fine == 1)
    chosen = (flags == 0) & (snr > options.growth_snr) & pure
    if not chosen.any():
        chosen = (flags & ~np.int32(Flag.BLENDED)) == 0
    index = np.flatnonzero(chosen)
    chip, inner = evidence.chip[index], measured.flux[index]
    standard, classes, beyond = camera.aperture, camera.classes, camera.to_infinity(mosaic.filter)
    if options.aperture == standard:
        spread = _spread_loss(apertures, camera, stars, bright=_BrightStars(index, inner, snr[index], chip))
        return Growth(spread_loss=spread, classes=classes, to_infinity=beyond)
    wide = apertures.measure(stars.x[index], stars.y[index], standard, chip=chip)
    whole = _unspoiled(evidence)[index] & (inner > 0)
    ratio = growth(inner, wide.flux, snr[index], chip=chip, whole=whole, classes=classes)
    expected = np.array([ratio[name][0] for name in chip.tolist()])
    deviation = (wide.flux / np.where(inner > 0, inner, np.inf) / np.maximum(expected, 1e-9) - 1.0)[whole]
    noise = np.abs(wide.variance - measured.variance[index])[whole] / np.square(wide.flux[whole])
    count = evidence.n_exposures[index][whole]
    scatter = sampling_scatter(deviation, noise, chip[whole], n_exposures=count, classes=classes)
    spread = _spread_loss(apertures, camera, stars, bright=_BrightStars(index, wide.flux, snr[index], chip))
    return Growth(ratio, spread, scatter, classes, beyond)


class _BrightStars(NamedTuple):
    """Some stars of a list: which, flux in the standard aperture, S/N, chip with most of the weight."""

    star: NDArray[np.intp]
    flux: FloatArray
    snr: FloatArray
    chip: NDArray[np.str_]


def _spread_loss(
    apertures: _Apertures, camera: Camera, stars: DetectedStars, *, bright: _BrightStars
) -> dict[str, float]:
    """Measure the light spread beyond 0.5 arcsec on the brightest of some stars."""
    mosaic, options = apertures.mosaic, apertures.options
    index, flux, snr, chip = bright
    brightest = np.argsort(-snr, kind="stable")[:_SPREAD_STARS]
    brightest = brightest[flux[brightest] > 0]
    x, y = stars.x[index[brightest]], stars.y[index[brightest]]
    scale, standard = mosaic.grid.scale, camera.aperture
    empty = ~(mosaic.wht > 0)
    sky = ring_sky(
        mosaic.sci,
        x,
        y,
        radii=(options.sky_inner / scale, (options.sky_inner + options.sky_width) / scale),
        mask=empty,
        max_pixels=450,
    )
    sums = [
        aperture_sums(mosaic.sci, x, y, radius=radius / scale, mask=empty)
        for radius in (standard - _STEP, standard + _STEP)
    ]
    growth = GrowthAround(
        *((circle.flux - circle.area * np.nan_to_num(sky.level)) / flux[brightest] for circle in sums)
    )
    widths = {
        input_chip.chip: (mosaic.pixfrac * input_chip.frame_scale) ** 2 / 12.0 + scale**2 / 6.0
        for input_chip in mosaic.inputs
    }
    return spread_loss(growth, standard, _STEP, chip=chip[brightest], widths=widths, classes=camera.classes)
