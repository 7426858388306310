"""How far aligned frames are from the true ones of a simulated visit."""

from __future__ import annotations

import numpy as np

from mizzle.model import project

POINTS = np.array([[200.0, 400.0, 600.0, 400.0, 400.0], [400.0, 200.0, 400.0, 600.0, 400.0]])


def frame_errors(visit, alignment, roots=None):
    """Compare aligned pixel positions with the true ones on one tangent plane.

    Returns
    -------
    error : (exposures, points, 2) array
        Aligned less true [mas], absolute.
    place : (exposures, points, 2) array
        True positions [arcsec].
    """
    error, place = [], []
    center = None
    for exposure in visit.exposures:
        if roots is not None and exposure.root not in roots:
            continue
        pointing = visit.truth.exposures[exposure.root].pointing
        mine, where = [], []
        for name in exposure.chips:
            ra, dec = pointing.true[name].pixel_to_sky(*POINTS)
            center = center or (float(ra[0]), float(dec[0]))
            true = np.array(project(ra, dec, center))
            found = np.array(project(*alignment.frame(exposure, name).pixel_to_sky(*POINTS), center))
            mine.append((found - true).T * 3.6e6)
            where.append(true.T * 3600)
        error.append(np.concatenate(mine))
        place.append(np.concatenate(where))
    return np.array(error), np.array(place)


def relative_rms(visit, alignment, roots=None):
    """Return the rms per axis [mas] of frame-to-frame errors by exposure.

    Without a catalog the frame as a whole is free: a shift, roll and scale common to all exposures are fitted and
    taken out.
    """
    error, place = frame_errors(visit, alignment, roots)
    x, y = place[..., 0].ravel(), place[..., 1].ravel()
    one, zero = np.ones(x.size), np.zeros(x.size)
    design = np.concatenate([np.stack([one, zero, y, x], axis=1), np.stack([zero, one, -x, y], axis=1)])
    target = np.concatenate([error[..., 0].ravel(), error[..., 1].ravel()])
    rest = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    rest = rest.reshape(2, len(error), -1)
    return np.sqrt((rest**2).mean(axis=(0, 2)))
