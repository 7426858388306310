"""What to simulate: one frozen plan, every effect with its own switch."""

from __future__ import annotations

import datetime
import difflib
from typing import Any, Literal

from pydantic import ValidationError

from mizzle.errors import SettingsError
from mizzle.instrument.star_optics import TYPICAL_DEFOCUS
from mizzle.settings.base import Section, setting
from mizzle.simulate.photometry import photflam

#: A four-point box and a two-point line [arcsec along x and y of WF3], at mixed fractions of a pixel;
#: wide enough that stars cross the pyramid's gaps, as the proof of the zeropoint needs.
M2_DITHERS: tuple[tuple[float, float], ...] = (
    (0.0, 0.0),
    (5.431, 1.847),
    (7.236, 7.273),
    (1.823, 5.436),
    (3.311, -1.573),
    (-1.572, 3.318),
)


class Effects(Section):
    """What the sky, the telescope and the camera do to the light; zero or false switches an effect off."""

    photon_noise: bool = setting(True, "Poisson noise of star light, sky and dark current.")
    read_noise: float = setting(1.0, "Read noise, in units of the chip's own.", ge=0, le=100)
    quantize: bool = setting(True, "Whether the converter rounds to whole DN, and stops at 4095.")
    dark: bool = setting(True, "Whether dark current is collected, and its mean subtracted.")
    flat_field: Literal["sky", "none"] = setting(
        "sky", "sky: a flat sky is flat in the file, as after division by a sky flat; none: as collected."
    )
    distortion: bool = setting(True, "Whether pixels lie where the distortion puts them; off: a linear frame.")
    row_term: bool = setting(True, "Whether every 34th row is narrow: it collects less light, rows shift.")
    shadow: bool = setting(True, "Whether the pyramid's edge shades low x and low y (bit 2).")
    bad_columns: int = setting(4, "Charge traps per chip; the column above each is marked 256.", ge=0, le=100)
    warm_pixels: int = setting(300, "Unrepaired warm pixels per chip (bit 512).", ge=0, le=100_000)
    repaired_pixels: int = setting(5000, "Repaired warm pixels per chip (bit 1024).", ge=0, le=100_000)
    hot_pixels: int = setting(0, "Hot pixels per chip that no bit marks.", ge=0, le=100_000)
    saturation: bool = setting(True, "Whether full wells bleed along columns, and clipped pixels get bit 8.")
    cosmic_rays: float = setting(0.01, "Share of pixels hit in 500 s; scales with exposure time.", ge=0, le=0.3)
    satellites: int = setting(0, "Exposures, from the first on, crossed by a satellite.", ge=0)
    cte: bool = setting(False, "Whether transfers lose charge, after Dolphin 2009.")
    cte_trails: bool = setting(False, "Whether what transfers lose (cte) comes out again as trails up the columns.")
    spikes: bool = setting(False, "Whether bright stars have the four diffraction spikes, 45 degrees from the axes.")
    defocus: float = setting(
        TYPICAL_DEFOCUS,
        "Error of the wavefront by focus, rms: 0.04 makes the stars of real exposures.",
        unit="um",
        ge=0,
        le=0.2,
    )
    focus_breathing: float = setting(
        0.0, "Change of `defocus` along the visit, peak; it begins with none.", unit="um", ge=0, le=0.2
    )
    breathing: float = setting(0.0, "Relative change of the core's width along the visit, peak.", ge=0, le=0.3)
    pointing_error: float = setting(30.0, "Error of a commanded pointing, 1 sigma per axis.", unit="mas", ge=0)
    roll_error: float = setting(0.002, "Error of a commanded roll, 1 sigma.", unit="deg", ge=0, le=10)
    velocity_aberration: bool = setting(
        True, "Whether the field shrinks and grows with the spacecraft's motion (VAFACTOR)."
    )
    pedestals: tuple[float, float, float, float] = setting(
        (0.0, 0.0, 0.0, 0.0), "Left-over bias of PC, WF2, WF3, WF4.", unit="DN"
    )
    faults: tuple[float, float, float, float] = setting(
        (1.0, 1.0, 1.0, 1.0), "Sensitivity of PC, WF2, WF3, WF4 over what their PHOTFLAM says."
    )

    @classmethod
    def none(cls, **changes: Any) -> Effects:
        """Return effects that are all off, `changes` aside: a noiseless camera with true geometry."""
        quiet: dict[str, Any] = {
            "photon_noise": False,
            "read_noise": 0.0,
            "quantize": False,
            "dark": False,
            "shadow": False,
            "bad_columns": 0,
            "warm_pixels": 0,
            "repaired_pixels": 0,
            "saturation": False,
            "cosmic_rays": 0.0,
            "pointing_error": 0.0,
            "roll_error": 0.0,
            "velocity_aberration": False,
        }
        effects: Effects = build(cls, {**quiet, **changes})
        return effects


class Plan(Section):
    """One visit: where, when, through what, and which stars.

    What may differ between exposures (`gain`, `exptime`, `sky`, `sensitivity`, `date`) is one value,
    or one each.
    """

    n: int = setting(6, "Number of exposures.", ge=1, le=640)
    filter: str = setting("F814W", "Filter.")
    gain: Literal[7, 15] | tuple[Literal[7, 15], ...] = setting(7, "ATODGAIN.")
    exptime: float | tuple[float, ...] = setting(500.0, "Exposure time.", unit="s")
    seed: int = setting(1, "Seed of everything random.", ge=0)
    field: Literal["random", "king", "blank", "list"] = setting(
        "random",
        "random: uniform on the sky; king: a cluster; blank: no star; list: stars given by the caller.",
    )
    density: float = setting(300.0, "Stars of a random field.", unit="arcmin-2", ge=0, le=20_000)
    cluster_stars: int = setting(4000, "Stars of a King cluster.", ge=0, le=200_000)
    core_radius: float = setting(25.0, "King core radius.", unit="arcsec", gt=0)
    tidal_radius: float = setting(500.0, "King tidal radius.", unit="arcsec", gt=0)
    brightest: float = setting(18.0, "Brightest star, ST.", unit="mag", ge=0, le=40)
    faintest: float = setting(25.0, "Faintest star, ST.", unit="mag", ge=0, le=40)
    slope: float = setting(0.1, "Luminosity function: log10 of the number per magnitude rises by this.", ge=-5, le=5)
    min_separation: float = setting(0.0, "Least distance between two stars.", unit="arcsec", ge=0)
    sky: float | tuple[float, ...] = setting(
        0.008, "Sky in DN/s on a WF3 pixel, at gain 7 and full sensitivity.", unit="DN / s"
    )
    sensitivity: float | tuple[float, ...] = setting(
        1.0, "Throughput over that of the nominal PHOTFLAM; the header's PHOTFLAM follows it."
    )
    ra: float = setting(323.3626, "Sky of WF3's reference pixel, commanded.", unit="deg", ge=0, lt=360)
    dec: float = setting(-0.8233, "Sky of WF3's reference pixel, commanded.", unit="deg", ge=-90, le=90)
    pa_v3: float = setting(33.867, "Position angle of V3, commanded.", unit="deg")
    date: str | tuple[str, ...] = setting("2007-06-04", "Date of the exposures, ISO.")
    dithers: tuple[tuple[float, float], ...] = setting(
        M2_DITHERS,
        "Offsets along x and y of WF3; repeated when there are more exposures.",
        unit="arcsec",
        min_length=1,
    )
    dither_scale: float = setting(1.0, "Multiplies the offsets.", ge=0, le=100)
    root: str = setting("ua0605", "First six characters of the rootnames.", pattern="^[a-z0-9]{6}$")
    target: str = setting("NGC7089-SIMULATED", "TARGNAME.")
    effects: Effects = setting(Effects(), "What happens to the light.")

    def value(self, name: str, index: int) -> Any:
        """Return what exposure `index` has of `name`: the one value, or its own.

        Raises
        ------
        SettingsError
            A list that does not have one value per exposure.
        """
        values = getattr(self, name)
        if not isinstance(values, tuple):
            return values
        if len(values) != self.n:
            message = f"simulate.{name}: {len(values)} values for {self.n} exposures; give one, or one each"
            raise SettingsError(message, name=name, found=len(values), needed=self.n)
        return values[index]


def build(model: type[Any], values: dict[str, Any]) -> Any:
    """Check `values` against `model`; a `SettingsError` names each that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        lines = _explain(model, problem.errors())
        raise SettingsError("; ".join(lines), errors=lines) from None


def _explain(model: type[Any], errors: list[Any]) -> list[str]:
    """Turn pydantic's errors into sentences, one per setting."""
    sentences: dict[str, str] = {}
    for error in errors:
        # A union reports each of its branches; their names are not ours.
        name = ".".join(str(part) for part in error["loc"] if str(part).isidentifier() or isinstance(part, int))
        text = f"{error['msg']}; found {error.get('input')!r}"
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, list(model.model_fields), n=1)
            text = f"unknown; did you mean '{near[0]}'?" if near else f"unknown; known: {', '.join(model.model_fields)}"
        sentences.setdefault(name, f"simulate.{name}: {text}"[:400])
    return list(sentences.values())


def make_plan(**changes: Any) -> Plan:
    """Return a checked plan: the default one with `changes`; `effects` may be a plain dict."""
    effects = changes.get("effects")
    if isinstance(effects, dict):
        changes = {**changes, "effects": build(Effects, effects)}
    plan: Plan = build(Plan, changes)
    photflam(plan.filter, 7)
    if plan.effects.cte_trails and not plan.effects.cte:
        raise SettingsError("simulate.effects.cte_trails: nothing is lost, so nothing trails; set effects.cte too")
    for i in range(plan.n):
        for name, low, high in (("exptime", 0.01, 1e5), ("sensitivity", 1e-3, 1e3), ("sky", 0.0, 1e4)):
            value = plan.value(name, i)
            if not low <= value <= high:
                raise SettingsError(f"simulate.{name}: {value} is not from {low:g} to {high:g}", name=name, found=value)
        plan.value("gain", i)
        _check_date(plan.value("date", i))
    if not plan.faintest > plan.brightest:
        message = f"simulate.faintest: {plan.faintest} is not fainter than brightest ({plan.brightest})"
        raise SettingsError(message, faintest=plan.faintest, brightest=plan.brightest)
    return plan


def _check_date(text: str) -> None:
    """Refuse what is not a date in the camera's life."""
    try:
        year = datetime.date.fromisoformat(text).year
    except ValueError:
        year = 0
    if not 1994 <= year <= 2009:
        raise SettingsError(f"simulate.date: {text!r}; needed an ISO date from 1994 to 2009", date=text)


def demo_plan(seed: int = 1) -> Plan:
    """Return the visit of `mizzle demo`: M2-like, cosmic rays at three times the real rate, as a stress."""
    return make_plan(seed=seed, effects=Effects(cosmic_rays=0.03))
