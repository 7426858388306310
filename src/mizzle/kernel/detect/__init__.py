"""Stars found on undersampled images: background, peaks, profile fits."""

from mizzle.kernel.detect.front import detect, image_misfits
from mizzle.kernel.detect.mesh import background, measure_sky, smooth_level
from mizzle.kernel.detect.types import SOURCE_DTYPE, Detection, Profile, SampledProfile, SkyMesh, profile_stamps

__all__ = [
    "SOURCE_DTYPE",
    "Detection",
    "Profile",
    "SampledProfile",
    "SkyMesh",
    "background",
    "detect",
    "image_misfits",
    "measure_sky",
    "profile_stamps",
    "smooth_level",
]
