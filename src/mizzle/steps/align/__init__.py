"""Alignment: stars found, matched between exposures, and all exposures solved together."""

from mizzle.steps.align.core import align, align_lists
from mizzle.steps.align.sources import SourceList, find_all

__all__ = ["SourceList", "align", "align_lists", "find_all"]
