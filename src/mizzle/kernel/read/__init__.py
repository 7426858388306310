"""Blotting: an image read where the pixels of a chip fall."""

from mizzle.kernel.read.front import as_image, blot, blot_chip, check_interp, read_places

__all__ = [
    "as_image",
    "blot",
    "blot_chip",
    "check_interp",
    "read_places",
]
