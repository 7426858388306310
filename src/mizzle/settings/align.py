"""How exposures are brought onto one frame."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class AlignSettings(Section):
    """How exposures are brought onto one frame."""
