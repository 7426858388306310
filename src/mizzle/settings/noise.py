"""The noise model: gain, read noise, dark current."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from mizzle.settings.base import Section, setting

Positive = Annotated[float, Field(gt=0, le=1000)]

#: Gain and read noise by ATODGAIN are given for PC, WF2, WF3, WF4: other cameras' files bring their own.
_CHIPS = 4


class NoiseSettings(Section):
    """The noise model: gain, read noise, dark current.

    Gains serve the noise only; science values never meet them.
    """

    gain_7: tuple[Positive, ...] = setting(
        (), "Gains of PC, WF2, WF3, WF4 at ATODGAIN 7; empty: the handbook's.", unit="electron/DN"
    )
    gain_15: tuple[Positive, ...] = setting(
        (), "Gains of PC, WF2, WF3, WF4 at ATODGAIN 15; empty: the handbook's.", unit="electron/DN"
    )
    read_noise_7: tuple[Positive, ...] = setting(
        (), "Read noise of PC, WF2, WF3, WF4 at ATODGAIN 7; empty: the handbook's.", unit="electron"
    )
    read_noise_15: tuple[Positive, ...] = setting(
        (), "Read noise of PC, WF2, WF3, WF4 at ATODGAIN 15; empty: the handbook's.", unit="electron"
    )
    dark_rate: float = setting(0.005, "Dark current.", unit="electron/s", ge=0, le=1)
    rounding: Literal["auto", "add", "included"] = setting(
        "auto",
        "Whether gain**2/12 is added for rounding to whole DN, or the read noise includes it, as the handbook's is"
        " taken to; auto: included.",
    )

    @field_validator("gain_7", "gain_15", "read_noise_7", "read_noise_15")
    @classmethod
    def _four_or_none(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if len(values) not in (0, _CHIPS):
            raise ValueError(f"four values are needed, one for each chip, or none; found {len(values)}")
        return values
