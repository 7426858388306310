"""Gaia stars around a position, moved to the epoch of the exposures; asked by TAP (IVOA), answered in CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from mizzle.archive.names import shown
from mizzle.archive.web import Patience, ServiceError, get_bytes
from mizzle.errors import DataError, SettingsError
from mizzle.settings import ArchiveSettings

Column = NDArray[np.float64]

#: Column of Gaia's table -> column here.
_COLUMNS = {
    "ra": "ra",
    "dec": "dec",
    "ra_error": "ra_error",
    "dec_error": "dec_error",
    "pmra": "pmra",
    "pmdec": "pmdec",
    "pmra_error": "pmra_error",
    "pmdec_error": "pmdec_error",
    "phot_g_mean_mag": "mag",
    "ref_epoch": "ref_epoch",
}
_LARGEST_RADIUS = 1.0


def gaia_catalog(
    ra: float,
    dec: float,
    radius: float,
    *,
    epoch: float,
    settings: ArchiveSettings,
    say: Callable[[str], None] = lambda message: None,
) -> Mapping[str, Column]:
    """Return the Gaia stars around a position as they stood at `epoch`.

    Stars without a measured proper motion are left out: over the years between WFPC2 and Gaia an unknown motion is an
    unknown position.

    Parameters
    ----------
    ra, dec : float
        Center [deg].
    radius : float
        Radius [deg], 1 at most.
    epoch : float
        Epoch of the positions [Julian year].
    settings : ArchiveSettings
        Address, table, number of stars, limits.
    say : callable
        Told when the limit of stars was reached.

    Returns
    -------
    stars : mapping
        Equal-length arrays, the brightest first: ``ra dec`` [deg, at `epoch`], ``ra_error dec_error`` [mas, at
        `epoch`, ra on the great circle], ``pmra pmdec pmra_error pmdec_error`` [mas / yr], ``mag`` (G), ``ref_epoch``
        [Julian year of the catalog].

    Raises
    ------
    SettingsError
        A position, radius or epoch that makes no sense.
    DataError
        No star.
    ServiceError
        The service cannot be reached, fails, or sends a malformed table.
    """
    if not (0 <= ra <= 360 and -90 <= dec <= 90 and 0 < radius <= _LARGEST_RADIUS and 1900 <= epoch <= 2100):
        raise SettingsError(
            f"Gaia: ra {ra}, dec {dec}, radius {radius} deg, epoch {epoch}: needed 0..360, -90..90,"
            f" 0..{_LARGEST_RADIUS:g}, 1900..2100",
            ra=ra,
            dec=dec,
            radius=radius,
            epoch=epoch,
        )
    url = settings.gaia_url.rstrip("/") + "/sync"
    query = (
        f"SELECT TOP {settings.gaia_rows} {', '.join(_COLUMNS)} FROM {settings.gaia_table}"
        f" WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra:.8f}, {dec:.8f}, {radius:.8f}))"
        " ORDER BY phot_g_mean_mag"
    )
    form = urlencode({"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": query}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/csv"}
    table = _read_csv(get_bytes(url, Patience.of(settings), data=form, headers=headers), url)
    if len(table["ra"]) >= settings.gaia_rows:
        say(f"Gaia: only the {settings.gaia_rows} brightest stars are used (archive.gaia_rows)")
    moving = np.isfinite(table["pmra"]) & np.isfinite(table["pmdec"])
    stars = {name: values[moving] for name, values in table.items()}
    if not len(stars["ra"]):
        raise DataError(
            f"Gaia: no star with a proper motion within {radius:g} deg of {ra:.5f} {dec:+.5f}", ra=ra, dec=dec
        )
    return _moved(stars, epoch)


def _read_csv(body: bytes, url: str) -> dict[str, Column]:
    """Read the answer; empty cells are NaN.

    Raises
    ------
    ServiceError
        Not the table that was asked for.
    """
    text = body.decode("utf-8", errors="replace")
    rows = list(csv.reader(io.StringIO(text)))
    names = [name.strip().lower() for name in rows[0]] if rows else []
    if not set(_COLUMNS) <= set(names):
        raise ServiceError(f"{url}: malformed table, it begins '{shown(text, 60)}'", url=url)
    table: dict[str, Column] = {}
    try:
        for theirs, ours in _COLUMNS.items():
            place = names.index(theirs)
            table[ours] = np.array([float(row[place] or "nan") for row in rows[1:] if row], dtype=np.float64)
    except (ValueError, IndexError) as problem:
        raise ServiceError(f"{url}: malformed table: {shown(problem)}", url=url) from None
    if not all(np.isfinite(table[name]).all() for name in ("ra", "dec", "ref_epoch")):
        raise ServiceError(f"{url}: malformed table: a star without position or epoch", url=url)
    return table


def _moved(stars: Mapping[str, Column], epoch: float) -> dict[str, Column]:
    """Move stars along their proper motion, straight in space, and let the errors grow.

    The motion is along the tangent, as in Hipparcos (ESA SP-1200, vol. 1, section 1.5.5, without parallax and radial
    velocity): good at the poles as everywhere.
    """
    years = epoch - stars["ref_epoch"]
    alpha, delta = np.deg2rad(stars["ra"]), np.deg2rad(stars["dec"])
    mas = math.pi / 180 / 3.6e6
    east, north = stars["pmra"] * years * mas, stars["pmdec"] * years * mas
    x = np.cos(delta) * np.cos(alpha) - east * np.sin(alpha) - north * np.sin(delta) * np.cos(alpha)
    y = np.cos(delta) * np.sin(alpha) + east * np.cos(alpha) - north * np.sin(delta) * np.sin(alpha)
    z = np.sin(delta) + north * np.cos(delta)
    return {
        **stars,
        "ra": np.mod(np.rad2deg(np.arctan2(y, x)), 360.0),
        "dec": np.rad2deg(np.arctan2(z, np.hypot(x, y))),
        "ra_error": np.hypot(stars["ra_error"], np.nan_to_num(stars["pmra_error"]) * years),
        "dec_error": np.hypot(stars["dec_error"], np.nan_to_num(stars["pmdec_error"]) * years),
    }
