"""Cosmic rays: every exposure against a reference made of all, or by itself where it is alone."""

from mizzle.steps.reject.findings import expected_rate, ray_findings
from mizzle.steps.reject.search import find_cosmic_rays

__all__ = ["expected_rate", "find_cosmic_rays", "ray_findings"]
