"""A chip held against what is expected of it: which pixels are cosmic rays."""

from mizzle.kernel.compare.front import compare_chip, flag_rays, reading_bounds
from mizzle.kernel.compare.types import (
    NEAR,
    SEED,
    SUSPECT,
    CompareOptions,
    RayMarks,
    RayThresholds,
    ReferenceImage,
    ReferenceMarks,
)

__all__ = [
    "NEAR",
    "SEED",
    "SUSPECT",
    "CompareOptions",
    "RayMarks",
    "RayThresholds",
    "ReferenceImage",
    "ReferenceMarks",
    "compare_chip",
    "flag_rays",
    "reading_bounds",
]
