"""Arrays in, arrays out: drizzling and what belongs to it, in two twins.

Each folder is one operation with the same rooms: ``types`` (what goes in and comes out), ``front`` (what the rest of
mizzle calls) and ``numpy_twin`` (the definition). The C twins stand together in ``src``: a plain shared library,
declared in ``native``. Where it cannot be loaded, or ``MIZZLE_KERNEL=reference`` is set, the NumPy twins serve.
"""

from mizzle.kernel.coadd import Drizzle
from mizzle.kernel.drop import Accumulator, accumulate, drizzle
from mizzle.kernel.maps import ChipMap
from mizzle.kernel.native import backend
from mizzle.kernel.read import blot, blot_chip

__all__ = [
    "Accumulator",
    "ChipMap",
    "Drizzle",
    "accumulate",
    "backend",
    "blot",
    "blot_chip",
    "drizzle",
]
