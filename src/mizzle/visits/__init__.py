"""Many visits: files grouped into visits, each run by itself on a cluster, and a page over all of them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mizzle.visits.batching import BatchResult, batch
    from mizzle.visits.grouping import GroupedVisit, find_visits
    from mizzle.visits.plan import BatchOptions

_HOMES = {
    "BatchOptions": "plan",
    "BatchResult": "batching",
    "batch": "batching",
    "GroupedVisit": "grouping",
    "find_visits": "grouping",
}

__all__ = ["BatchOptions", "BatchResult", "GroupedVisit", "batch", "find_visits"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"mizzle.visits.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'mizzle.visits' has no attribute {name!r}")
