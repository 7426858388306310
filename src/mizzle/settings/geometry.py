"""Where pixels lie on the sky."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class GeometrySettings(Section):
    """Where pixels lie on the sky."""
