"""What to simulate with ACS or WFC3."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mizzle.errors import SettingsError
from mizzle.instrument.photometry import TYPICAL_SHARE, encircled_energy
from mizzle.io.camera_headers import known_headers

#: Offsets of exposures [arcsec along x and y]: two at one place, three on a line, four on a box.
PATTERNS = {
    "cr-split": ((0.0, 0.0), (0.0, 0.0)),
    "line-3": ((0.0, 0.0), (0.983, 2.517), (1.967, 5.034)),
    "box-4": ((0.0, 0.0), (0.265, 0.093), (0.397, 0.265), (0.132, 0.172)),
}
#: Eleven years and half a turn apart: all stars change chips. Sensitivity fell by 2 %.
TWO_EPOCHS = ((53436.0, 1.0, 0.0), (57677.0, 1.02, 180.0))
#: Four points that cross the gaps between chips and fall on mixed fractions of a pixel [arcsec along x and y].
DITHERS = ((0.0, 0.0), (3.013, 1.487), (1.511, 4.523), (-1.527, 3.049))


@dataclass(frozen=True)
class CameraFacts:
    """What a camera's exposures have beside their header.

    Parameters
    ----------
    instrument, detector : str
        Keywords.
    filter : str
        The filter that is simulated where none is asked for.
    suffix : str
        ``flt`` or ``flc``.
    letter : str
        First letter of a rootname.
    read_noise : float
        Taken where a header gives none [electron].
    full_well : float
        Of a pixel [electron].
    rate : bool
        Whether files hold electrons per second, cosmic rays removed along the ramp.
    rays : float
        Cosmic rays per pixel and second: one per cm2 and second.
    diffusion : (float, float, float)
        Charge that a pixel keeps, that each neighbor and each corner gets: as much as makes stars as wide as real ones.
    defocus : float
        Error of the wavefront, rms [micrometer]: the telescope breathes.
    stars : int
        In a demonstration: as many as still leave most of them alone.
    sky : float
        A dark one, of ST 22.9 mag per square arcsec on the CCDs [electron / s / pixel].
    """

    instrument: str
    detector: str
    filter: str
    suffix: str
    letter: str
    read_noise: float
    full_well: float
    rate: bool = False
    rays: float = 2.25e-6
    diffusion: tuple[float, float, float] = (0.68, 0.06, 0.02)
    defocus: float = 0.03
    stars: int = 1500
    sky: float = 0.08

    def encircled(self, band: str) -> float:
        """Return the share of a star's light within .5 arcsec: STScI's, or what filters have where it has none."""
        return encircled_energy(f"{self.instrument}/{self.detector}", band, 0.5) or TYPICAL_SHARE


#: Kernels of diffusion: ACS IHB 5.6.1 has (.68, .06, .02) for HRC at 5500 Angstrom and (.40, .11, .04) for WFC at 4000,
#: less at longer waves. With these a centered star of F606W leaves .22 of its light in the middle pixel of WFC, and of
#: F555W .20 on UVIS, whose images are 1.6 to 1.7 pixels wide (WFC3 IHB 6.6.1). What is sharper than real stars makes
#: every search for cosmic rays look worse than it is.
CAMERAS = {
    "acs-wfc": CameraFacts("ACS", "WFC", "F606W", "flt", "j", 4.3, 77_400.0, diffusion=(0.48, 0.10, 0.03)),
    "acs-hrc": CameraFacts("ACS", "HRC", "F606W", "flt", "j", 4.7, 140_000.0, rays=4.4e-6, stars=250, sky=0.014),
    "wfc3-uvis": CameraFacts(
        "WFC3", "UVIS", "F555W", "flc", "i", 3.1, 68_000.0, diffusion=(0.60, 0.08, 0.02), sky=0.022
    ),
    "wfc3-ir": CameraFacts("WFC3", "IR", "F110W", "flt", "i", 12.0, 77_900.0, rate=True, diffusion=(0.94, 0.015, 0.0)),
}


@dataclass(frozen=True)
class CameraPlan:
    """One visit.

    Parameters
    ----------
    camera : str
        A key of `CAMERAS`.
    filter : str
        A filter of which headers are kept.
    dithers : tuple of (float, float)
        Offset of each exposure along x and y [arcsec].
    exptime : float
        Of each exposure [s].
    stars : int
        In a square that holds all exposures; 0 for as many as suit the camera.
    brightest, faintest : float
        ST magnitudes between which stars are drawn.
    sky : float
        Sky [electron / s / pixel at the reference scale]; None for that of a dark sky.
    pointing_error : float
        1 sigma per axis of each exposure's header [mas].
    roll_error : float
        1 sigma [deg].
    epochs : tuple of (float, float, float)
        For each epoch, MJD, PHOTFLAM over the header's, and roll over the header's [deg]; the exposures are shared
        among them in turn.
    seed : int
        Of all chance.
    rays : bool
        Whether cosmic rays fall (never on IR, whose files are clean).
    """

    camera: str = "acs-wfc"
    filter: str = ""
    dithers: tuple[tuple[float, float], ...] = DITHERS
    exptime: float = 400.0
    stars: int = 0
    brightest: float = 18.5
    faintest: float = 25.0
    sky: float | None = None
    pointing_error: float = 30.0
    roll_error: float = 0.002
    epochs: tuple[tuple[float, float, float], ...] = ((57677.0, 1.0, 0.0),)
    seed: int = 1
    rays: bool = True

    @property
    def facts(self) -> CameraFacts:
        """The camera's."""
        return CAMERAS[self.camera]

    @property
    def number(self) -> int:
        """How many stars."""
        return self.stars or self.facts.stars

    @property
    def sky_rate(self) -> float:
        """The sky [electron / s / pixel at the reference scale]."""
        return self.facts.sky if self.sky is None else self.sky

    @property
    def band(self) -> str:
        """The filter."""
        return self.filter or self.facts.filter

    @property
    def headers(self) -> str:
        """Name under which the headers are kept."""
        return f"{self.camera} {self.band}"


def make_camera_plan(camera: str = "acs-wfc", **changes: Any) -> CameraPlan:
    """Return a plan; `dithers` may be the name of one of `PATTERNS`.

    Raises
    ------
    SettingsError
        A camera, filter or field that is not known.
    """
    if camera not in CAMERAS:
        raise SettingsError(f"camera '{camera}' is not known; needed one of {', '.join(CAMERAS)}", camera=camera)
    unknown = set(changes) - {field.name for field in fields(CameraPlan)}
    if unknown:
        raise SettingsError(f"simulated visits have no {', '.join(sorted(unknown))}", unknown=sorted(unknown))
    pattern = changes.get("dithers")
    if isinstance(pattern, str):
        if pattern not in PATTERNS:
            raise SettingsError(f"dithers '{pattern}' are not known; needed one of {', '.join(PATTERNS)}")
        changes["dithers"] = PATTERNS[pattern]
    plan = CameraPlan(camera=camera, **changes)
    if plan.headers not in known_headers():
        known = [name.split()[1] for name in known_headers() if name.split()[0] == camera]
        raise SettingsError(
            f"{camera}: no header of {plan.filter} is kept; needed {' or '.join(known)}", filter=plan.filter
        )
    if not plan.dithers or not plan.epochs or plan.exptime <= 0:
        raise SettingsError("a visit needs an exposure, an epoch, and an exposure time above 0")
    return plan
