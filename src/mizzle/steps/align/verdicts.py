"""What makes an exposure's alignment a PASS, a WARN or a FAIL, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mizzle.model import Verdict
from mizzle.settings.align import AlignSettings
from mizzle.steps.align.match import Vote
from mizzle.steps.align.network import REACH
from mizzle.steps.align.sources import SourceList

#: How the note of an exposure begins that lies too far away to be matched.
ANOTHER_FIELD = "another field"


def judge_alignment(
    n_matched: int, rms_mas: float, error_mas: float, *, chance: float, settings: AlignSettings
) -> tuple[Verdict, str]:
    """Hold one exposure's numbers against the limits of the settings.

    Parameters
    ----------
    n_matched : int
        Stars in the fit.
    rms_mas : float
        Residual rms per axis [mas].
    error_mas : float
        Larger 1-sigma error of the shift [mas].
    chance : float
        Chance of a false match.
    settings : AlignSettings
        The limits.
    """
    limits = (
        (n_matched < settings.min_matches, n_matched < settings.warn_matches, f"{n_matched} stars matched"),
        (
            not rms_mas <= settings.max_rms,
            not rms_mas <= settings.warn_rms,
            f"residual rms {rms_mas:.1f} mas",
        ),
        (
            not error_mas <= settings.max_error,
            not error_mas <= settings.warn_error,
            f"error of the shift {error_mas:.1f} mas",
        ),
        (
            chance > settings.max_false_match,
            chance > settings.max_false_match,
            f"chance of a false match {chance:.1e}",
        ),
    )
    failed = [text for fail, _, text in limits if fail]
    warned = [text for _, warn, text in limits if warn]
    if failed:
        return Verdict.FAIL, "; ".join(failed)
    if warned:
        return Verdict.WARN, "; ".join(warned)
    return Verdict.PASS, ""


def explain_failure(
    index: int,
    lists: Sequence[SourceList],
    others: Sequence[int],
    *,
    votes: dict[tuple[int, int], Vote],
    settings: AlignSettings,
) -> str:
    """Say why an exposure found no place among the others."""
    sources = lists[index]
    if not len(sources):
        return "no source found; a blank field, or align.threshold too high"
    if not others:
        return "no other exposure to match"
    distances = [float(np.hypot(*(sources.center - lists[o].center))) for o in others]
    nearest = min(distances)
    if nearest > REACH + settings.search_radius:
        return (
            f"{ANOTHER_FIELD}: its pointing is {nearest / 60.0:.1f} arcmin from the nearest of the others;"
            f" leave it out, or run it alone"
        )
    tried = [votes[p] for o in others if (p := (min(index, o), max(index, o))) in votes]
    best = min(tried, key=lambda v: (v.chance, -v.n), default=None)
    most = "none" if best is None else f"at best {best.n}"
    return f"of {len(sources)} sources {most} agree with another exposure"
