"""The proof of the zeropoint: the same stars, chip against chip."""

from mizzle.steps.verify.measure import judge, verify

__all__ = ["judge", "verify"]
