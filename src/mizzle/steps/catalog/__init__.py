"""Stars of the product: found, measured in apertures, and marked where they are not to be trusted."""

from mizzle.model.star_flags import Flag
from mizzle.steps.catalog.measure import measure_catalog

__all__ = ["Flag", "measure_catalog"]
