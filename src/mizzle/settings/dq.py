"""Which data-quality bits keep a pixel out."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class DataQualitySettings(Section):
    """Which data-quality bits keep a pixel out."""
