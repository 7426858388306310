"""How WFPC2's throughput and temperature changed in ways that PHOTFLAM does not know."""

from __future__ import annotations

import re
from typing import NamedTuple

#: The CCDs were cooled from -76 to -88 C on 23 April 1994 [MJD]; before, 10 to 15 % of a star's charge was lost on the
#: way from the top of a chip, and hot pixels were many (Holtzman et al. 1995, PASP 107, 156; ISR WFPC2 2000-03).
COOLED = 49465.0
#: Contaminants settle on the cold CCD windows until the monthly decontamination; PHOTFLAM of the archive leaves them
#: out (ISR WFPC2 96-02). Below the first wavelength [nm] a tenth to four tenths are lost within a month, on the PC less
#: than on the WF chips, below the second some hundredths (ISR WFPC2 96-04; half of it by 2002, ISR WFPC2 2002-07).
STRONG, WEAK = 280, 350
#: F343N lost half of its throughput, linearly, between these dates [MJD] (ISR WFPC2 2009-02).
FADING, FADED, LEFT = 49450.0, 54710.0, 0.5


class ThroughputLoss(NamedTuple):
    """What a filter loses of its light and PHOTFLAM does not know.

    Parameters
    ----------
    sentence : str
        In words.
    serious : bool
        More than photometry may ignore.
    """

    sentence: str
    serious: bool


def throughput_loss(band: str, mjd: float) -> ThroughputLoss | None:
    """Return what contamination, or the filter's own decay, takes of the light; None for most filters.

    Parameters
    ----------
    band : str
        Filter, or filters joined by ``+``, as ``F255W``.
    mjd : float
        Modified Julian date of the exposure.
    """
    if "F343N" in band.split("+"):
        elapsed = min(max((mjd - FADING) / (FADED - FADING), 0.0), 1.0)
        return ThroughputLoss(
            f"F343N lost half of its throughput between 1994 and 2008, about {100 * (1 - LEFT) * elapsed:.0f} % by this"
            " date (ISR WFPC2 2009-02): PHOTFLAM may not know it",
            serious=True,
        )
    waves = [int(wave) for wave in re.findall(r"F(\d{3})(?!\d|LP)", band)]
    if not waves or min(waves) >= WEAK:
        return None
    serious = min(waves) < STRONG
    loss = "a tenth to four tenths of the light, on the PC less than on the WF chips," if serious else "some per cent"
    return ThroughputLoss(
        f"in {band} contamination takes {loss} within a month, until the windows are warmed; PHOTFLAM does not know"
        " it: correct magnitudes by the days since decontamination (ISR WFPC2 2002-07)",
        serious,
    )
