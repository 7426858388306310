"""Skies and cameras with known truth: for the demo, the tests, the documentation and the benchmarks alike."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mizzle.simulate.files import write_visit
    from mizzle.simulate.observe import visit
    from mizzle.simulate.plan import Effects, Plan, demo_plan, make_plan
    from mizzle.simulate.stars import StarList
    from mizzle.simulate.truth import Truth, Visit

__all__ = ["Effects", "Plan", "StarList", "Truth", "Visit", "demo_plan", "make_plan", "visit", "write_visit"]

_HOMES = {
    "Effects": "plan",
    "Plan": "plan",
    "StarList": "stars",
    "Truth": "truth",
    "Visit": "truth",
    "demo_plan": "plan",
    "make_plan": "plan",
    "visit": "observe",
    "write_visit": "files",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
