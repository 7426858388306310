"""Pointing: the plane all chips of an exposure are placed on, from the header's WCS and the telescope's roll."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mizzle.arrays import FloatArray, SkyPlaces
from mizzle.errors import InputError
from mizzle.geometry.header import number
from mizzle.geometry.keywords import DEFAULT_RADESYS
from mizzle.instrument.wfpc2.distortion import ChipModel
from mizzle.model.frame import deproject, project
from mizzle.settings.geometry import GeometrySettings

Header = Mapping[str, Any]

#: The telescope moves at 1e-4 c at most, Earth's orbit and its own together.
LARGEST_ABERRATION = 2e-4


class LinearWcs(NamedTuple):
    """CRVAL [deg] and CD [deg / pixel] of a chip."""

    crval: FloatArray
    cd: FloatArray


@dataclass(frozen=True)
class TangentPlane:
    """The tangent plane all chips are placed on; offsets are pixels of the reference chip's scale."""

    center: tuple[float, float]
    cd: FloatArray
    model: ChipModel

    def sky(self, offsets: FloatArray) -> SkyPlaces:
        """Return right ascension *relative to the center* and declination [deg] of ``(n, 2)`` offsets."""
        xi, eta = (offsets @ self.cd.T).T
        ra, dec = deproject(xi, eta, (0.0, self.center[1]))
        return SkyPlaces(np.where(ra > 180.0, ra - 360.0, ra), dec)


def roll_at(pa_v3: float, dec: float, *, v2: float, v3: float) -> float:
    """Return the position angle of V3 [deg] at ``(v2, v3)`` [arcsec], from its value at the V1 axis.

    `dec` is that of the aperture [deg]. Spherical triangle between pole, V1 and aperture (C. Cox, STScI); at
    the
    origin itself the answer is `pa_v3`.
    """
    s2, s3 = math.sin(math.radians(v2 / 3600.0)), math.sin(math.radians(v3 / 3600.0))
    sin_rho = math.sqrt(s2 * s2 + s3 * s3 - s2 * s2 * s3 * s3)
    if sin_rho == 0.0:
        return pa_v3
    beta = math.asin(s3 / sin_rho)
    beta = math.pi - beta if v2 < 0 else beta
    gamma = math.asin(s2 / sin_rho)
    gamma = math.pi - gamma if v3 < 0 else gamma
    delta = math.radians(dec)
    a = math.pi / 2.0 + math.radians(pa_v3) - beta
    cos_rho = math.sqrt(1.0 - sin_rho * sin_rho)
    b = math.atan2(math.sin(a) * math.cos(delta), math.sin(delta) * sin_rho - math.cos(delta) * cos_rho * math.cos(a))
    return math.degrees(math.pi - (gamma + b))


def reference_plane(center: tuple[float, float], pa_v3: float, roll_dec: float, *, model: ChipModel) -> TangentPlane:
    """Build the reference plane at `center` [deg], turned by the roll and the reference chip's own angle."""
    pv = math.radians(roll_at(pa_v3, roll_dec, v2=model.v2, v3=model.v3) + model.theta)
    cos, sin = math.cos(pv), math.sin(pv)
    cd = np.array([[-cos, sin], [sin, cos]]) * (model.scale / 3600.0)
    return TangentPlane(center, cd, model)


def place_chip(plane: TangentPlane, model: ChipModel) -> LinearWcs:
    """Return CRVAL [deg] and CD [deg / pixel] of one chip on the plane."""
    ref = plane.model
    dv2, dv3 = model.v2 - ref.v2, model.v3 - ref.v3
    distance = math.hypot(dv2, dv3) / ref.scale
    angle = (math.atan2(-dv2, dv3) if dv3 != 0.0 else 0.0) + math.radians(ref.theta)
    offset = np.array([distance * math.sin(angle), distance * math.cos(angle)])
    turn = math.radians(model.theta - ref.theta)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    vectors = np.array([[model.cx[1, 1], model.cy[1, 1]], [model.cx[1, 0], model.cy[1, 0]]])
    steps = vectors @ rotation * (model.scale / ref.scale)
    ra, dec = plane.sky(np.vstack([offset, offset + steps]))
    crval = np.array([(plane.center[0] + ra[0]) % 360.0, dec[0]])
    if abs(dec[0]) < 84.0:
        # Differences of coordinates, as the archive's pipeline has them: 2e-7 tan(dec) from the exact value.
        d_ra = (ra[1:] - ra[0]) * math.cos(math.radians(dec[0]))
        return LinearWcs(crval, np.array([d_ra, dec[1:] - dec[0]]))
    return LinearWcs(crval, np.array(project(ra[1:], dec[1:], (float(ra[0]), float(dec[0])))))


def aberrate(crval: FloatArray, cd: FloatArray, factor: float, *, center: tuple[float, float]) -> LinearWcs:
    """Scale positions about `center` and the CD matrix by the velocity-aberration factor."""
    d_ra = (crval[0] - center[0] + 180.0) % 360.0 - 180.0
    moved = [(center[0] + factor * d_ra) % 360.0, center[1] + factor * (crval[1] - center[1])]
    return LinearWcs(np.array(moved), cd * factor)


def pointing_of(
    header: Header, chip: str, model: ChipModel, *, ltv: tuple[float, float]
) -> tuple[tuple[float, float], float]:
    """Return the sky of the reference pixel under the header's WCS, and the header's own CRVAL2 [deg]."""
    crval = number(header, "CRVAL1", chip), number(header, "CRVAL2", chip)
    if abs(crval[1]) > 90.0 or abs(crval[0]) > 720.0:
        raise InputError(
            f"{chip}: CRVAL = {crval}; right ascension and declination in degrees are needed; repair the header",
            keyword="CRVAL",
            value=crval,
        )
    offset = np.array(
        [
            model.xref + ltv[0] - number(header, "CRPIX1", chip),
            model.yref + ltv[1] - number(header, "CRPIX2", chip),
        ]
    )
    if np.any(np.abs(offset) > 1e5):
        raise InputError(f"{chip}: CRPIX lies {offset} pixels off the reference pixel; repair the header", chip=chip)
    cd = np.array([[number(header, f"CD{i}_{j}", chip, default=0.0) for j in (1, 2)] for i in (1, 2)])
    if np.any(offset) and not np.any(cd):
        raise InputError(f"{chip}: no CD matrix, and CRPIX is not the reference pixel; repair the header", chip=chip)
    if np.any(np.abs(cd) > 1e-3):
        raise InputError(f"{chip}: CD matrix of {cd.tolist()} deg/pixel is absurd; repair the header", chip=chip)
    xi, eta = cd @ offset
    ra, dec = deproject(xi, eta, crval)
    return (float(ra), float(dec)), crval[1]


def aberration_of(
    primary: Header, chips: Mapping[str, Header], settings: GeometrySettings
) -> tuple[dict[str, float], str]:
    """Return the velocity-aberration factor by chip, and a note.

    The factor comes from the SCI header, else the primary, else it is 1.

    Raises
    ------
    InputError
        The factor is not within 2e-4 of 1.
    """
    if settings.velocity_aberration == "off":
        return dict.fromkeys(chips, 1.0), "velocity aberration: not applied (geometry.velocity_aberration)"
    factors: dict[str, float] = {}
    for chip, header in chips.items():
        source = header if "VAFACTOR" in header else primary
        if "VAFACTOR" not in source:
            note = "velocity aberration: no VAFACTOR in the header; the fit's scale must take it (8 mas at most)"
            return dict.fromkeys(chips, 1.0), note
        factors[chip] = number(source, "VAFACTOR", chip)
        if not abs(factors[chip] - 1.0) < LARGEST_ABERRATION:
            raise InputError(
                f"{chip}: VAFACTOR = {factors[chip]:g} is not within {LARGEST_ABERRATION:g} of 1; repair"
                " the header or set"
                " geometry.velocity_aberration='off'",
                keyword="VAFACTOR",
                value=factors[chip],
            )
    first = next(iter(factors.values()))
    arcsec = 78.3  # PC to WF3, the longest way from the reference pixel to another
    mas = abs(first - 1.0) * arcsec * 1e3
    note = f"velocity aberration: VAFACTOR {first:.7g} applied ({mas:.1f} mas between PC and WF3)"
    return factors, note


def original_pointing(header: Header) -> tuple[Header, str]:
    """Return the header with the pointing the archive first gave it, and a note where that is not the primary WCS.

    A header that was fitted before (its primary WCS has SIP) keeps the first WCS as ``O``, named OPUS; the model starts
    from there, as `updatewcs` does, so a refit never builds on a fit.
    """
    fitted = str(header.get("CTYPE1", "")).strip().endswith("-SIP")
    if not fitted or str(header.get("WCSNAMEO", "")).strip().upper() != "OPUS":
        return header, ""
    words = [f"{word}{i}" for word in ("CRVAL", "CRPIX") for i in (1, 2)]
    words += [f"CD{i}_{j}" for i in (1, 2) for j in (1, 2)]
    first = {word: header[word + "O"] for word in words if word + "O" in header}
    name = str(header.get("WCSNAME", "")).strip() or "fitted WCS"
    return {**header, **first}, f"pointing of OPUS taken, not of {name}; geometry.wcs='header' trusts the latter"


def radesys_of(primary: Header, chips: Mapping[str, Header]) -> str:
    """Return the frame of the coordinates: RADESYS, else what REFFRAME says (GSC1 is FK5)."""
    for header in (*chips.values(), primary):
        word = str(header.get("RADESYS", "")).strip().upper()
        if word in {"ICRS", "FK5"}:
            return word
    return "ICRS" if str(primary.get("REFFRAME", "")).strip().upper() == "ICRS" else DEFAULT_RADESYS
