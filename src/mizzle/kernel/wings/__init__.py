"""Bright peaks, and the light on the sides of each."""

from mizzle.kernel.wings.front import list_bright_peaks, measure_sides
from mizzle.kernel.wings.types import Neighborhood, WingFigures

__all__ = ["Neighborhood", "WingFigures", "list_bright_peaks", "measure_sides"]
