"""Proofs on the data: of the zeropoint, by the same stars on different chips; of the errors, by blank sky."""

from mizzle.steps.verify.errors import verify_errors
from mizzle.steps.verify.measure import judge_ratio, verify

__all__ = ["judge_ratio", "verify", "verify_errors"]
