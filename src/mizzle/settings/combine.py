"""How pixels are drizzled into the product."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class CombineSettings(Section):
    """How pixels are drizzled into the product."""
