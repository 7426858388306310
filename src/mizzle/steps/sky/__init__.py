"""The sky: measured on every chip, at one zeropoint; what is subtracted is a decision with a name."""

from mizzle.steps.sky.findings import sky_findings
from mizzle.steps.sky.measure import measure_sky

__all__ = ["measure_sky", "sky_findings"]
