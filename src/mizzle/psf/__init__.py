"""What a star looks like on a detector: computed from the optics, and measured on exposures. Arrays in, arrays out."""

from mizzle.psf.fitting import sharpening, star_misfits
from mizzle.psf.image import StarImage, star_image
from mizzle.psf.optics import Optics

__all__ = ["Optics", "StarImage", "sharpening", "star_image", "star_misfits"]
