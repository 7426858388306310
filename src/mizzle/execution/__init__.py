"""Where work runs: serially, on threads, or (whole visits) on the workers of a cluster."""

from __future__ import annotations

from mizzle.execution.threads import Threads, available_cores, make_runner

__all__ = ["Threads", "available_cores", "make_runner"]
