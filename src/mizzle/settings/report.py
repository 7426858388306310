"""What the report page shows."""

from __future__ import annotations

from pydantic import field_validator

from mizzle.settings.base import Section, setting


class ReportSettings(Section):
    """What the report page and the pictures show."""

    page: bool = setting(True, "Write the HTML page.")
    image_size: int = setting(
        1400,
        "Longest side of the field in a PNG; larger products are averaged down.",
        unit="pixel",
        ge=200,
        le=8000,
    )
    stretch: float = setting(
        3.0,
        "Softening of the asinh stretch: linear below this, logarithmic above.",
        unit="sigma of the sky",
        gt=0,
        le=1000,
    )
    white: float = setting(99.7, "Percentile of the pixels that is drawn white.", unit="percent", gt=50, le=100)
    color: tuple[str, ...] = setting(
        (),
        "Filters drawn red, green, blue; 'mean' is the mean of the other two; empty: by wavelength.",
        max_length=3,
    )
    color_softening: float = setting(
        8.0, "Q of the color stretch: larger shows faint and bright together.", gt=0, le=100
    )
    color_stretch: float = setting(
        5.0,
        "Brightness at which the color stretch stops being linear.",
        unit="sigma of the sky",
        gt=0,
        le=1000,
    )
    stars: int = setting(5000, "Most stars marked on the page, brightest first.", ge=0, le=100_000)
    page_size: float = setting(
        4.3,
        "Room for image data in the page; larger mosaics are averaged down to fit.",
        unit="MB",
        ge=0.5,
        le=50,
    )

    @field_validator("color")
    @classmethod
    def _three_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Three names or none: two would leave a channel unsaid."""
        if names and len(names) != 3:
            raise ValueError("three names are needed, red, green, blue, such as ['F814W', 'mean', 'F555W']")
        return names
