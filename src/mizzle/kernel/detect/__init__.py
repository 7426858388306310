"""Stars found on undersampled images: background, peaks, profile fits."""

from mizzle.kernel.detect.front import background, detect, image_misfits
from mizzle.kernel.detect.types import SOURCE_DTYPE, Detection, Profile, SampledProfile, profile_stamps

__all__ = [
    "SOURCE_DTYPE",
    "Detection",
    "Profile",
    "SampledProfile",
    "background",
    "detect",
    "image_misfits",
    "profile_stamps",
]
