"""The cameras that are known, found by the keywords of a primary header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mizzle.instrument import cte, detectors, photometry, shadow, wfpc2
from mizzle.instrument.dq import good_bits
from mizzle.instrument.star_optics import DIFFUSION, OBSCURATION, SPREAD, TYPICAL_DEFOCUS, VANE
from mizzle.model import HeaderValue
from mizzle.model.camera import Camera, ChipClass

if TYPE_CHECKING:  # the process that draws does without settings and their libraries
    from mizzle.settings import Settings
    from mizzle.settings.dq import DataQualitySettings

_FINE, _COARSE = 0.0455, 0.0996


def _wfpc2_to_infinity(band: str) -> float:
    return wfpc2.INFINITE_APERTURE


WFPC2 = Camera(
    name="WFPC2",
    instrument="WFPC2",
    detector="",
    classes=(ChipClass("PC", ("PC",), _FINE, (2.0, 0.35), 3, 0.15), ChipClass("WF", ("WF2", "WF3", "WF4"), _COARSE)),
    chips=wfpc2.CHIP_NAMES,
    reference="WF3",
    stand_ins=("WF2", "WF4", "PC"),
    shape=(wfpc2.CHIP_SIDE, wfpc2.CHIP_SIDE),
    unit="COUNTS/S",
    quantum=1.0,
    full_well=wfpc2.FULL_WELL,
    bits=tuple(wfpc2.DQ_BITS.items()),
    good=wfpc2.DQ_BITS["repaired_warm"],
    saturated=wfpc2.DQ_BITS["saturated"],
    shaded=wfpc2.DQ_BITS["calibration_defect"],
    replaced=wfpc2.DQ_BITS["missing"],
    aperture=wfpc2.STANDARD_APERTURE_ARCSEC,
    to_infinity=_wfpc2_to_infinity,
    footprint=190.0,
    vega=wfpc2.vega_zeropoint,
    diffusion=DIFFUSION,
    obscuration=OBSCURATION,
    vane=VANE,
    spread=SPREAD,
    defocus=TYPICAL_DEFOCUS,
    lit_share=shadow.lit_share,
    lit_distance=shadow.lit_distance,
    charge_loss=cte.dolphin_2009,
    counts="DN",
    aliases=(("PC1", "PC"), *((str(i + 1), name) for i, name in enumerate(wfpc2.CHIP_NAMES))),
)

#: Standard aperture of ACS's and WFC3's encircled energies [arcsec].
_APERTURE = 0.5


@dataclass(frozen=True)
class _ToInfinity:
    """All light over that within the standard aperture, of one camera."""

    camera: str

    def __call__(self, band: str) -> float:
        return 1.0 / (photometry.encircled_energy(self.camera, band, _APERTURE) or photometry.TYPICAL_SHARE)


@dataclass(frozen=True)
class _Vega:
    """Vega zeropoints of one camera: its chips share them."""

    camera: str

    def __call__(self, band: str, chip: str, photmode: str, *, photflam: float, photplam: float) -> float | None:
        return photometry.vega_zeropoint(self.camera, band, photflam, photplam=photplam)


#: How stars are fitted, by the least nominal pixel [arcsec] it serves: radius and mismatch. On fine pixels the
#: diffraction rings show, which the computed image follows less well: of 169 sources that have wings in a real exposure
#: of the HRC (F606W) a mismatch of .12 leaves 46.
_FITS = ((0.08, (2, 0.12)), (0.03, (3, 0.12)), (0.0, (4, 0.25)))


def _made(
    detector: detectors.Detector, pixel: float, footprint: float, *, diffusion: tuple[float, float, float]
) -> Camera:
    """Return the camera of a detector of ACS or WFC3."""
    names = tuple(sorted(set(detector.chips.values())))
    radius, mismatch = next(fit for least, fit in _FITS if pixel >= least)
    return Camera(
        name=detector.camera,
        instrument=detector.instrument,
        detector=detector.detector,
        classes=(ChipClass(detector.detector, names, pixel, radius=radius, mismatch=mismatch),),
        chips=names,
        reference=detector.reference,
        shape=detector.shape,
        unit="ELECTRONS/S",
        quantum=0.0,
        full_well=detector.full_well,
        bits=detectors.DQ_BITS,
        good=detector.good,
        saturated=detectors.SATURATED,
        shaded=0,
        replaced=detectors.REPLACED_PIXEL,
        aperture=_APERTURE,
        to_infinity=_ToInfinity(detector.camera),
        vega=_Vega(detector.camera),
        footprint=footprint,
        diffusion=diffusion,
        aliases=tuple((str(number), name) for number, name in detector.chips.items() if number),
        rays=not detector.rate,
    )


#: Seeds on ramps of an infrared detector, whose rays were removed: only what is left of bad pixels [sigma], and what
#: differs by more than so many steps to the neighbors: stars on coarse pixels have sharp cores.
_WEAK_SEARCH, _WEAK_SLOPE = 6.0, 2.5

#: Nominal pixel [arcsec] (IDCSCALE), footprint [arcsec], and the diffusion of charge: about that of back-illuminated
#: CCDs for the CCDs (ACS ISR 2006-01 gives a Gaussian of .3-.5 pixel), little but the capacitance between pixels for IR
#: (WFC3 ISR 2011-10).
_CCD, _INFRARED = (0.88, 0.025, 0.005), (0.94, 0.015, 0.0)
_PIXELS = {
    "ACS/WFC": (0.05, 290.0, _CCD),
    "ACS/HRC": (0.025, 42.0, _CCD),
    "WFC3/UVIS": (0.03962, 240.0, _CCD),
    "WFC3/IR": (0.12825, 200.0, _INFRARED),
}


def _all_cameras() -> tuple[Camera, ...]:
    made = []
    for detector in detectors.DETECTORS:
        pixel, footprint, diffusion = _PIXELS[detector.camera]
        made.append(_made(detector, pixel, footprint, diffusion=diffusion))
    return (WFPC2, *made)


CAMERAS = _all_cameras()


def camera_of(primary: Mapping[str, HeaderValue]) -> Camera | None:
    """Return the camera that a primary header names, or None."""
    instrument, detector = (str(primary.get(key, "")).strip().upper() for key in ("INSTRUME", "DETECTOR"))
    for camera in CAMERAS:
        if camera.instrument == instrument and camera.detector in ("", detector):
            return camera
    return None


def camera_labelled(label: str) -> Camera | None:
    """Return the camera that names of files call so (``acs-wfc``), or None."""
    return next((camera for camera in CAMERAS if camera.label == label), None)


def settings_for(camera: Camera, settings: Settings) -> Settings:
    """Return settings with the camera's own values where they are WFPC2's defaults.

    The side of a product pixel, the chip that leads, and the bits that do no harm have defaults of WFPC2; none of them
    means anything for another camera. What differs from these defaults was chosen by somebody, and stays. Names of bits
    become numbers.

    Parameters
    ----------
    camera : Camera
        Of the exposures.
    settings : Settings
        As the user has them.
    """
    if camera is WFPC2:
        return settings
    usual = type(settings)()
    changes: dict[str, dict[str, Any]] = {}
    if settings.combine.scale == usual.combine.scale:
        changes["combine"] = {"scale": round(camera.classes[-1].pixel, 3)}
    if settings.equalize.reference == usual.equalize.reference:
        changes["equalize"] = {"reference": camera.reference}
    good = harmless_bits(camera, settings.dq)
    if settings.dq.good != (good,):
        changes["dq"] = {"good": (good,)}
    if settings.reject.method == "auto" and not camera.rays:
        sigma, slope = settings.reject.seed_sigma, settings.reject.seed_slope
        changes["reject"] = {"seed_sigma": max(sigma, _WEAK_SEARCH), "seed_slope": max(slope, _WEAK_SLOPE)}
    if not changes:
        return settings
    values = settings.model_dump()
    return type(settings).model_validate({name: {**part, **changes.get(name, {})} for name, part in values.items()})


def harmless_bits(camera: Camera, settings: DataQualitySettings) -> int:
    """Return the data-quality bits that do no harm: the user's, by the camera's own names, or the camera's.

    Parameters
    ----------
    camera : Camera
        Whose bits they are: one name, as ``saturated``, is another number on each camera.
    settings : DataQualitySettings
        ``good``; its default is WFPC2's and stands for each camera's own.

    Raises
    ------
    SettingsError
        A name that this camera does not know.
    """
    if camera is not WFPC2 and settings.good == type(settings)().good:
        return camera.good
    return good_bits(settings.good, dict(camera.bits))


def chip_named(text: str | int) -> str | None:
    """Return the chip of any camera called `text`, or None; numbers are WFPC2's."""
    return next((name for camera in CAMERAS if (name := camera.chip_named(text)) is not None), None)


def known_cameras() -> str:
    """Return the names of the cameras, for messages."""
    return ", ".join(camera.name for camera in CAMERAS)
