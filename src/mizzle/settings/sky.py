"""How the sky level is measured and what is subtracted."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class SkySettings(Section):
    """How the sky level is measured and what is subtracted."""
