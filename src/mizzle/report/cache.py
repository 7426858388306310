"""What was worked out from a product's pixels before the rest of the report was there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def cached(plane: Mapping[str, Any], name: str, make: Callable[[], Answer]) -> Answer:
    """Return what `make` gives; kept under `name` where the plane has a ``cache``.

    Parameters
    ----------
    plane : mapping
        A filter's entry of a drawing's ``planes``. The worker gives planes that were sent early a ``cache``, a dict;
        those of others stay as they are.
    name : str
        What it is.
    make : callable
        Gives the same answer whenever it is asked about this plane, with the options of this run.
    """
    cache: dict[str, Answer] | None = plane.get("cache")
    if cache is None:
        return make()
    if name not in cache:
        cache[name] = make()
    return cache[name]
