"""What is written."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class OutputSettings(Section):
    """What is written."""
