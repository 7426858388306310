"""The exposures of a visit: pointing, light, charge, noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mizzle.arrays import FloatArray
from mizzle.io.camera_headers import CameraHeaders, camera_headers, header_of
from mizzle.model.sky import ST_ZEROPOINT
from mizzle.psf import Optics, star_image
from mizzle.simulate.cameras.light import StarField, relative_areas, starlight
from mizzle.simulate.cameras.plan import CameraPlan, make_camera_plan
from mizzle.simulate.cosmic import cosmic_rays

#: Bits of the data quality, the same for these cameras: a full well, a bad pixel of the detector.
SATURATED, BAD_PIXEL = 256, 4
#: Share of the pixels that are dead, and of its charge that such a pixel keeps.
DEAD, LEFT = 1e-4, 0.3
#: A pixel belongs to a star where the star's light is so many times the noise of all else.
STAR_SIGMA = 3.0
#: Pixels that one cosmic ray marks, for its rate.
_PIXELS_PER_RAY = 7.0

Sky = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class ChipExposure:
    """One chip as its file holds it.

    Parameters
    ----------
    version : int
        EXTVER.
    sci, err : (ny, nx) float32 array
        Electrons, or electrons per second.
    dq : (ny, nx) int16 array
        Data quality.
    rays : (ny, nx) bool array
        Where cosmic rays left 10 electrons or more: the truth, not in the file.
    sky : mapping
        CRVAL and CD as the header has them.
    stars : (ny, nx) bool array, optional
        Where the light of stars is above `STAR_SIGMA` of the noise that is there without it: truth.
    true : mapping, optional
        CRVAL and CD as they are: truth.
    """

    version: int
    sci: NDArray[np.float32]
    err: NDArray[np.float32]
    dq: NDArray[np.int16]
    rays: NDArray[np.bool_]
    sky: Sky
    stars: NDArray[np.bool_] | None = None
    true: Sky | None = None


@dataclass(frozen=True, eq=False)
class CameraExposure:
    """One exposure.

    Parameters
    ----------
    root : str
        Rootname.
    mjd : float
        Start.
    photflam : float
        Over the header's.
    chips : tuple of ChipExposure
        In EXTVER's order.
    offset : (float, float)
        What the header's pointing lacks, east and north [mas].
    """

    root: str
    mjd: float
    photflam: float
    chips: tuple[ChipExposure, ...]
    offset: tuple[float, float]


@dataclass(frozen=True, eq=False)
class CameraVisit:
    """A visit and its truth.

    Parameters
    ----------
    plan : CameraPlan
        What was asked for.
    headers : CameraHeaders
        What the files' headers are made of.
    exposures : tuple of CameraExposure
        In time.
    ra, dec : (n,) array
        True positions of the stars [deg].
    rate : (n,) array
        Their light in all, at the header's PHOTFLAM [electron / s].
    """

    plan: CameraPlan
    headers: CameraHeaders
    exposures: tuple[CameraExposure, ...]
    ra: FloatArray
    dec: FloatArray
    rate: FloatArray


def camera_visit(camera: str = "acs-wfc", **changes: object) -> CameraVisit:
    """Simulate a visit.

    Parameters
    ----------
    camera : str
        ``acs-wfc``, ``acs-hrc``, ``wfc3-uvis`` or ``wfc3-ir``.
    **changes
        Fields of `CameraPlan`.

    Returns
    -------
    visit : CameraVisit
        Exposures in memory, and the truth.

    Raises
    ------
    SettingsError
        A wrong plan.
    """
    plan = make_camera_plan(camera, **changes)
    headers = camera_headers(plan.headers)
    rng = np.random.default_rng(plan.seed)
    ra, dec, rate = _stars(plan, headers, rng)
    visit = CameraVisit(plan, headers, (), ra, dec, rate)
    exposures = tuple(_exposure(visit, number, rng) for number in range(len(plan.dithers)))
    return CameraVisit(plan, headers, exposures, ra, dec, rate)


def _pointing(header: Mapping[str, float]) -> tuple[FloatArray, FloatArray]:
    """Return CRVAL [deg] and the CD matrix [deg / pixel] of a header."""
    crval = np.array([header["CRVAL1"], header["CRVAL2"]], np.float64)
    cd = np.array([[header[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)], np.float64)
    return crval, cd


def turned(headers: CameraHeaders, version: int, shift: FloatArray, *, angle: float) -> dict[str, float]:
    """Return CRVAL and CD of a chip when the telescope moves by `shift` (east, north) [deg] and turns by `angle` [rad].

    All chips turn about the middle between their reference points, on the tangent plane.
    """
    center = np.mean([_pointing(headers.science_header(v + 1))[0] for v in range(len(headers.science))], axis=0)
    crval, cd = _pointing(headers.science_header(version))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    scale = np.array([np.cos(np.deg2rad(center[1])), 1.0])
    moved = center + (turn @ ((crval - center) * scale) + shift) / scale
    words = {"CRVAL1": float(moved[0]), "CRVAL2": float(moved[1])}
    new = turn @ cd
    return words | {f"CD{i + 1}_{j + 1}": float(new[i, j]) for i in (0, 1) for j in (0, 1)}


def _stars(
    plan: CameraPlan, headers: CameraHeaders, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw stars over all chips and a margin: uniform on the sky, a power law in brightness."""
    ny, nx = headers.shape
    corners_x, corners_y = np.array([1.0, nx, nx, 1.0]), np.array([1.0, 1.0, ny, ny])
    edges = [headers.wcs(v + 1).all_pix2world(corners_x, corners_y, 1) for v in range(len(headers.science))]
    edge_ra, edge_dec = (np.concatenate([edge[k] for edge in edges]) for k in (0, 1))
    margin = 8.0 / 3600.0
    widen = margin / np.cos(np.deg2rad(edge_dec.mean()))
    ra = rng.uniform(edge_ra.min() - widen, edge_ra.max() + widen, plan.number)
    low, high = np.sin(np.deg2rad([edge_dec.min() - margin, edge_dec.max() + margin]))
    dec = np.rad2deg(np.arcsin(rng.uniform(low, high, plan.number)))
    # A slope of .2 dex per magnitude: as many bright stars as tests want, faint ones in the majority.
    uniform = rng.uniform(10 ** (0.2 * plan.brightest), 10 ** (0.2 * plan.faintest), plan.number)
    magnitude = np.log10(uniform) / 0.2
    photflam = _photflam(headers)
    return ra, dec, np.asarray(10 ** (-0.4 * (magnitude - ST_ZEROPOINT)) / photflam)


def _photflam(headers: CameraHeaders) -> float:
    """Return PHOTFLAM of the first chip: IR has it in the primary header only."""
    science = headers.science_header(1)
    return float(science.get("PHOTFLAM", header_of(headers.primary).get("PHOTFLAM")))


def _optics(visit: CameraVisit, version: int) -> Optics:
    """Return the optics of the stars on a chip."""
    header, primary = visit.headers.science_header(version), header_of(visit.headers.primary)
    pivot, width = (float(header.get(word, primary.get(word))) for word in ("PHOTPLAM", "PHOTBW"))
    pixel = float(3600.0 * np.sqrt(abs(np.linalg.det(_pointing(header)[1]))))
    facts = visit.plan.facts
    return Optics(pixel, pivot, width, diffusion=facts.diffusion, defocus=facts.defocus)


def _exposure(visit: CameraVisit, number: int, rng: np.random.Generator) -> CameraExposure:
    plan, headers = visit.plan, visit.headers
    mjd, photflam, roll = plan.epochs[number % len(plan.epochs)]
    _, cd = _pointing(headers.science_header(1))
    pixel = np.sqrt(abs(np.linalg.det(cd)))
    commanded = cd @ (np.array(plan.dithers[number]) / 3600.0 / pixel)
    error = rng.normal(0.0, plan.pointing_error / 3.6e6, 2)
    commanded_roll = float(np.deg2rad(roll))
    angle = commanded_roll + np.deg2rad(rng.normal(0.0, plan.roll_error))
    chips = []
    for version in range(1, len(headers.science) + 1):
        true = turned(headers, version, commanded + error, angle=angle)
        sky = turned(headers, version, commanded, angle=commanded_roll)
        chips.append(_chip(visit, version, true, sky=sky, photflam=photflam, rng=rng))
    root = f"{plan.facts.letter}z{plan.seed % 1000:03d}1{number + 1:02d}q"
    offset = (float(error[0] * 3.6e6), float(error[1] * 3.6e6))
    return CameraExposure(root, mjd + 0.02 * number, photflam, tuple(chips), offset)


def _chip(
    visit: CameraVisit,
    version: int,
    true: Sky,
    *,
    sky: Sky,
    photflam: float,
    rng: np.random.Generator,
) -> ChipExposure:
    """Expose one chip, and calibrate it: light, charge, cosmic rays and noise, then the flat field.

    What a pixel collects goes with its area; the flat field makes all pixels alike, their noise is no more so.
    """
    plan, facts, headers = visit.plan, visit.plan.facts, visit.headers
    header, primary = headers.science_header(version), header_of(headers.primary)
    # PHTRATIO: what calibration multiplied the second UVIS chip by, its noise included.
    ratio = float(header.get("PHTRATIO") or 1.0) if primary.get("FLUXCORR") == "COMPLETE" else 1.0
    area = relative_areas(headers, version, true)
    scene = StarField(visit.ra, visit.dec, visit.rate, plan.facts.encircled(plan.band))
    image = star_image(_optics(visit, version))
    light = plan.exptime / ratio / photflam * starlight(headers, version, true, scene=scene, image=image)
    background = plan.exptime / ratio * plan.sky_rate * area
    dark = float(header.get("MEANDARK", 0.0)) + float(header.get("MEANFLSH", 0.0))
    charge = rng.poisson(np.maximum(light + background, 0.0) + dark).astype(np.float64) - dark
    rays = np.zeros(headers.shape, np.bool_)
    if plan.rays and not facts.rate:
        share = facts.rays * plan.exptime * _PIXELS_PER_RAY
        deposits = cosmic_rays(headers.shape, share * 500.0 / plan.exptime, plan.exptime, rng=rng)
        charge += deposits
        rays = deposits >= 10.0
    # Dead pixels are the detector's: all exposures have the same.
    dead = np.random.default_rng((plan.seed, version)).random(headers.shape) < DEAD
    charge[dead] *= LEFT
    full = charge > facts.full_well
    read = _read_noise(primary, version, headers.shape, default=facts.read_noise)
    noise = np.sqrt(np.maximum(charge, 0.0) + dark + read**2)
    stars = light > STAR_SIGMA * np.sqrt(background + dark + read**2)
    charge = np.minimum(charge, facts.full_well) + read * rng.standard_normal(headers.shape)
    unit = (ratio / plan.exptime if facts.rate else ratio) / area
    dq = (np.where(full, SATURATED, 0) | np.where(dead, BAD_PIXEL, 0)).astype(np.int16)
    sci, err = ((plane * unit).astype(np.float32) for plane in (charge, noise))
    return ChipExposure(version, sci, err, dq, rays & ~dead, sky, stars, true)


def _read_noise(primary: Mapping[str, float], version: int, shape: tuple[int, int], *, default: float) -> FloatArray:
    """Return the read noise of each pixel's amplifier [electron]: C and D read EXTVER 1, A and B read EXTVER 2."""
    amplifiers = str(primary.get("CCDAMP", "")).strip()
    if amplifiers != "ABCD" or shape[1] < 2000:
        return np.full(shape, default)
    left, right = ("C", "D") if version == 1 else ("A", "B")
    noise = np.empty(shape)
    half = shape[1] // 2
    noise[:, :half], noise[:, half:] = (float(primary[f"READNSE{amp}"]) for amp in (left, right))
    return noise
