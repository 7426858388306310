"""Where exposures and reference files are fetched from."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class ArchiveSettings(Section):
    """Where exposures and reference files are fetched from."""
