"""What the report page shows."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class ReportSettings(Section):
    """What the report page shows."""
