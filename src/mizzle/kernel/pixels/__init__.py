"""Masks, bits and bytes of pixels."""

from mizzle.kernel.pixels.byte_order import to_native
from mizzle.kernel.pixels.front import all_finite, flagged, grow, has_bits, pixels_with_bits

__all__ = [
    "all_finite",
    "flagged",
    "grow",
    "has_bits",
    "pixels_with_bits",
    "to_native",
]
