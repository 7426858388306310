"""Sentences of the verdict read as English for any number of exposures."""

import pytest

from mizzle.report.words import _about_alignment


@pytest.mark.parametrize(
    ("matched", "start", "end"),
    [
        ((191, 191), "Both exposures are aligned", "from 191 matches each."),
        ((180, 191, 185), "All three exposures are aligned", "from 180 to 191 matches each."),
    ],
)
def test_alignment_sentence_counts_as_people_do(matched, start, end):
    entries = {f"root{i}": {"rms_mas": 1.0, "verdict": "PASS", "n_matched": n} for i, n in enumerate(matched)}
    said = _about_alignment({"exposures": entries, "verdict": "PASS", "method": "stars"})
    assert said["text"].startswith(start)
    assert said["text"].endswith(end)
