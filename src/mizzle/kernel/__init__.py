"""Arrays in, arrays out: drizzling and what belongs to it, in two twins.

The C twin is a plain shared library called through ctypes; where it cannot be loaded, or ``MIZZLE_KERNEL=reference`` is
set, the NumPy twin (`reference`), which is the definition, serves.
"""

from mizzle.kernel.accumulator import Accumulator
from mizzle.kernel.blotting import blot, blot_chip
from mizzle.kernel.dropping import accumulate, backend, drizzle
from mizzle.kernel.maps import ChipMap

__all__ = [
    "Accumulator",
    "ChipMap",
    "accumulate",
    "backend",
    "blot",
    "blot_chip",
    "drizzle",
]
