"""What was worked out from a product's pixels before the rest of the report was there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def once(plane: dict[str, Any], name: str, make: Callable[[], Answer]) -> Answer:
    """Return what `make` gives, kept with the plane under `name`.

    Parameters
    ----------
    plane : dict
        A filter's entry of a payload's ``planes``; its ``memo`` is written.
    name : str
        What it is.
    make : callable
        Gives the same answer whenever it is asked about this plane.
    """
    memo = plane.setdefault("memo", {})
    if name not in memo:
        memo[name] = make()
    answer: Answer = memo[name]
    return answer
