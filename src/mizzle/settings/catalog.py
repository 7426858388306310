"""How stars of the product are measured."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class CatalogSettings(Section):
    """How stars of the product are measured."""
