"""What a step needs to know of where it runs: an ordered map, and work begun beside the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Runner(Protocol):
    """Applies a function to items, in parallel or not; the answers come in the order of the items."""

    workers: int

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Return ``[function(item) for item in items]``; the first exception, in item order, is raised."""

    def begin(self, function: Callable[[Item], Answer], item: Item) -> Callable[[], Answer]:
        """Start ``function(item)``; the call of what is returned waits for its answer, or raises what it raised."""


class Serial:
    """One after the other, here."""

    workers = 1

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Return ``[function(item) for item in items]``."""
        return [function(item) for item in items]

    def begin(self, function: Callable[[Item], Answer], item: Item) -> Callable[[], Answer]:
        """Do ``function(item)`` now."""
        answer = function(item)
        return lambda: answer
