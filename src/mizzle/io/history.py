"""What a WFPC2 exposure's date says of its calibration: early temperature, contamination, filters that faded."""

from __future__ import annotations

from collections.abc import Iterator

from mizzle.instrument.wfpc2.throughput import COOLED, throughput_loss
from mizzle.model import Finding, Verdict


def history_findings(mjd: float, *, band: str) -> Iterator[Finding]:
    """Yield what is known of the camera at the date of an exposure and changes its photometry.

    Parameters
    ----------
    mjd : float
        Modified Julian date of the start.
    band : str
        Filter.
    """
    if mjd < COOLED:
        sentence = (
            "taken before 23 April 1994, when the CCDs were at -76 C: stars at the top of a chip lose 10 to 15 % of"
            " their charge, more than the loss that the proof corrects, hot pixels are many, and zeropoints differ"
        )
        yield Finding("calibration", Verdict.WARN, sentence)
    loss = throughput_loss(band, mjd)
    if loss is not None:
        yield Finding("calibration", Verdict.WARN if loss.serious else Verdict.PASS, loss.sentence)
