"""How far aligned frames are from the true ones of a simulated visit."""

from __future__ import annotations

import numpy as np

from mizzle.model import project

POINTS = np.array([[200.0, 400.0, 600.0, 400.0, 400.0], [400.0, 200.0, 400.0, 600.0, 400.0]])


def frame_errors(visit, alignment, roots=None):
    """Return errors [mas], (exposures, points, 2), of aligned pixel positions on the sky, absolute."""
    out = []
    for exposure in visit.exposures:
        if roots is not None and exposure.root not in roots:
            continue
        pointing = visit.truth.exposures[exposure.root].pointing
        mine = []
        for name in exposure.chips:
            true = pointing.true[name]
            ra, dec = true.pixel_to_sky(*POINTS)
            center = (float(ra[0]), float(dec[0]))
            a = np.array(project(*alignment.frame(exposure, name).pixel_to_sky(*POINTS), center))
            mine.append((a - np.array(project(ra, dec, center))).T * 3.6e6)
        out.append(np.concatenate(mine))
    return np.array(out)


def relative_rms(visit, alignment, roots=None):
    """Return the rms per axis [mas] of frame-to-frame errors by exposure: the common shift and roll taken out.

    The frame as a whole is free (the mean header), a common shift, roll and scale are not errors of the alignment
    between frames.
    """
    e = frame_errors(visit, alignment, roots)
    e = e - e.mean(axis=0, keepdims=True)
    return np.sqrt((e**2).mean(axis=(1, 2)))
