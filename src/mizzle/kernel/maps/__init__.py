"""Where the pixels of a chip fall on the output, and back."""

from mizzle.kernel.maps.inverse import BEND, InverseMap
from mizzle.kernel.maps.types import AnyMap, ChipMap, OffsetGrid, StoredMap, stored_map

__all__ = [
    "BEND",
    "AnyMap",
    "ChipMap",
    "InverseMap",
    "OffsetGrid",
    "StoredMap",
    "stored_map",
]
