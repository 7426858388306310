"""How cosmic rays are found."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class RejectSettings(Section):
    """How cosmic rays are found."""
