"""How the zeropoint is proven on the data."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class VerifySettings(Section):
    """How the zeropoint is proven on the data."""
