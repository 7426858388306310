"""How chips are brought to one PHOTFLAM."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class EqualizeSettings(Section):
    """How chips are brought to one PHOTFLAM."""
