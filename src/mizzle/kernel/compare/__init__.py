"""A chip held against what is expected of it: which pixels are cosmic rays."""

from mizzle.kernel.compare.front import compare_chip, flag_rays, reading_bounds
from mizzle.kernel.compare.types import NEAR, SEED, SUSPECT, CompareOptions, RayMarks, RayThresholds, ReferenceImage

__all__ = [
    "NEAR",
    "SEED",
    "SUSPECT",
    "CompareOptions",
    "RayMarks",
    "RayThresholds",
    "ReferenceImage",
    "compare_chip",
    "flag_rays",
    "reading_bounds",
]
