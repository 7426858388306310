"""Which exposures and chips take part."""

from __future__ import annotations

from mizzle.settings.base import Section, setting


class InputSettings(Section):
    """Which exposures and chips take part."""

    drop: tuple[str, ...] = setting((), "Exposures to leave out, by rootname.")
    chips: tuple[str, ...] = setting((), "Chips to use, as 'PC' or 'WF3'; all where none is named.")
