"""Progress: seconds add up by step, and every listener hears everything, in order."""

from __future__ import annotations

import pytest

from mizzle.progress import Listener, Progress


class Ear(Listener):
    def __init__(self):
        self.heard = []

    def begins(self, step):
        self.heard.append(("begins", step))

    def warns(self, sentence):
        self.heard.append(("warns", sentence))

    def gridded(self, grid):
        self.heard.append(("gridded", grid))

    def drizzled(self, mosaic, exposures, name):
        self.heard.append(("drizzled", mosaic, tuple(exposures), name))


def test_listeners_hear_in_order_also_one_that_joins_later():
    first, second = Ear(), Ear()
    progress = Progress(first)
    with progress.step("read"):
        progress.warns("odd")
    progress.listen(second)
    progress.gridded("grid")
    progress.drizzled("image", ["a", "b"], "m2")
    assert first.heard == [
        ("begins", "read"),
        ("warns", "odd"),
        ("gridded", "grid"),
        ("drizzled", "image", ("a", "b"), "m2"),
    ]
    assert second.heard == first.heard[2:]


def test_blocks_of_one_name_add_up_and_a_failed_one_counts():
    progress = Progress(Listener())
    with progress.step("sky"):
        pass
    before = progress.seconds["sky"]
    with pytest.raises(ValueError, match="broken"), progress.step("sky"):
        raise ValueError("broken")
    assert progress.seconds["sky"] > before > 0
    assert progress.total >= progress.seconds["sky"]
