"""All exposures to one image: every solution is applied here, once, while the pixels are drizzled."""

from mizzle.steps.combine.mosaic import combine

__all__ = ["combine"]
