"""Simulated exposures of ACS and WFC3: true headers and lookup tables, known stars.

Positions come from `astropy.wcs`, not from mizzle's own geometry, so the two can be held against each other.
"""

from mizzle.simulate.cameras.files import write_exposures
from mizzle.simulate.cameras.plan import CAMERAS, PATTERNS, TWO_EPOCHS, CameraPlan, make_camera_plan
from mizzle.simulate.cameras.visit import CameraVisit, camera_visit

__all__ = [
    "CAMERAS",
    "PATTERNS",
    "TWO_EPOCHS",
    "CameraPlan",
    "CameraVisit",
    "camera_visit",
    "make_camera_plan",
    "write_exposures",
]
