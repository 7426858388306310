"""Work on many files of which some may never answer: a disk that hangs keeps nobody else from being read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

#: How often the one who waits looks at the clock [s].
_GLANCE = 0.2


class _Round(Generic[Item, Answer]):
    """Items, who works on which since when, and what came of them."""

    def __init__(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> None:
        self.work, self.items = work, items
        self.answers: dict[int, Answer | None] = {}
        self.problem: BaseException | None = None
        self.began: dict[int, float] = {}
        self.next = 0
        self.changed = threading.Condition()

    def toil(self) -> None:
        """Take one item after the other; an answer that comes too late is not heard."""
        while True:
            with self.changed:
                number = self.next
                if number >= len(self.items) or self.problem is not None:
                    return
                self.next += 1
                self.began[number] = time.monotonic()
            try:
                answer, problem = self.work(self.items[number]), None
            except BaseException as failure:  # noqa: BLE001  # raised again by the one who waits
                answer, problem = None, failure
            with self.changed:
                late = self.began.pop(number, None) is None
                if not late:
                    self.answers[number] = answer
                    self.problem = self.problem or problem
                    self.changed.notify_all()
            if late:
                return  # another took this one's place

    def overdue(self, limit: float) -> list[int]:
        """Give up what takes too long; return the numbers."""
        now = time.monotonic()
        late = [number for number, began in self.began.items() if now - began > limit]
        for number in late:
            del self.began[number]
            self.answers[number] = None
        return late


def in_time(
    work: Callable[[Item], Answer], items: Sequence[Item], *, limit: float, threads: int
) -> list[Answer | None]:
    """Return what `work` makes of each item; None for one that it does not end with in time.

    Parameters
    ----------
    work : callable
        Done on threads that do not keep the process from ending.
    items : sequence
        What to work on.
    limit : float
        Longest time for one item [s].
    threads : int
        At a time; one that is given up is replaced.
    """
    todo = _Round(work, items)

    def start(number: int) -> None:
        for _ in range(number):
            threading.Thread(target=todo.toil, daemon=True).start()

    start(min(threads, len(items)))
    with todo.changed:
        while len(todo.answers) < len(items) and todo.problem is None:
            todo.changed.wait(_GLANCE)
            start(len(todo.overdue(limit)))
    if todo.problem is not None:
        raise todo.problem
    return [todo.answers[number] for number in range(len(items))]
