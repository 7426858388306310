"""Stars found on undersampled images: background, peaks, profile fits."""

from mizzle.kernel.detect.front import background, detect
from mizzle.kernel.detect.types import SOURCE_DTYPE, Detection, Profile, SampledProfile, profile_stamps

__all__ = [
    "SOURCE_DTYPE",
    "Detection",
    "Profile",
    "SampledProfile",
    "background",
    "detect",
    "profile_stamps",
]
