"""What the noise of a pixel is made of, in electrons."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class NoiseSettings(Section):
    """What the noise of a pixel is made of, in electrons."""
