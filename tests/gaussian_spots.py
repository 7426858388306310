"""Gaussian stars added to an image, each on the pixels near it: whole frames for each star take long."""

from __future__ import annotations

import math

import numpy as np

#: Beyond so many sigma a Gaussian is less than 1e-11 of its peak.
REACH = 7.2


def add_spots(image, x, y, peak, sigma):
    """Add Gaussians at 0-based places (arrays), of some peaks and one width [pixel], to an image in place."""
    half = math.ceil(REACH * sigma)
    for column, row, height in zip(x, y, peak, strict=True):
        left, low = max(0, round(column) - half), max(0, round(row) - half)
        part = image[low : round(row) + half + 1, left : round(column) + half + 1]
        v, u = np.ogrid[low : low + part.shape[0], left : left + part.shape[1]]
        part += height * np.exp(-0.5 * ((u - column) ** 2 + (v - row) ** 2) / sigma**2)
