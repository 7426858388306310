"""Reading what the user brings to the alignment: catalogs, an image, source lists, shifts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mizzle.arrays import FloatArray
from mizzle.errors import InputError
from mizzle.instrument.cameras import chip_named
from mizzle.io.opened import opened_image, read_table
from mizzle.io.regions import read_regions
from mizzle.model.astropy_frame import WcsPixelToSky
from mizzle.model.references import AlignmentImage, AlignReferences, KnownShift, SkyCatalog
from mizzle.model.sky import julian_year
from mizzle.model.user_tables import SkyRegion
from mizzle.settings.align import AlignSettings

#: Column names understood, lower case, in order of preference.
NAMES: dict[str, tuple[str, ...]] = {
    "ra": ("ra", "raj2000", "_raj2000", "ra_icrs", "ra_deg", "alpha_j2000", "radeg"),
    "dec": (
        "dec",
        "dej2000",
        "_dej2000",
        "decj2000",
        "de_icrs",
        "dec_icrs",
        "dec_deg",
        "delta_j2000",
        "decdeg",
    ),
    "pm_ra": ("pmra", "pm_ra", "pmra_cosdec", "pm_ra_cosdec", "pmrac"),
    "pm_dec": ("pmdec", "pm_dec", "pmde", "pmdc"),
    "epoch": ("ref_epoch", "epoch"),
    "error": ("error", "pos_error", "ra_error", "e_ra_icrs", "e_raj2000"),
    "mag": ("mag", "phot_g_mean_mag", "gmag", "mag_ab", "mag_st", "mag_auto", "vmag", "imag"),
}
#: What numbers without a unit are in.
UNITS = {"ra": "deg", "dec": "deg", "pm_ra": "mas / yr", "pm_dec": "mas / yr", "error": "mas"}


def read_align_references(settings: AlignSettings, *, catalog: SkyCatalog | None = None) -> AlignReferences:
    """Read every file that the settings of the alignment name.

    Parameters
    ----------
    settings : AlignSettings
        `catalog`, `image`, `regions`, `sources`, `shifts`; empty text names nothing.
    catalog : SkyCatalog, optional
        A catalog already in hand (from an archive), in place of `settings.catalog`.

    Raises
    ------
    InputError
        A file is missing or not what it should be.
    """
    if catalog is None and settings.catalog and settings.catalog.lower() != "gaia":
        catalog = read_sky_catalog(settings.catalog)
    return AlignReferences(
        catalog=catalog,
        image=read_reference_image(settings.image) if settings.image else None,
        regions=read_source_regions(settings.regions),
        sources=read_sources(settings.sources) if settings.sources else {},
        shifts=read_shifts(settings.shifts) if settings.shifts else {},
    )


def read_source_regions(name: str) -> tuple[SkyRegion, ...]:
    """Read regions; a leading ``-`` in the name turns every included region into an excluded one."""
    if not name:
        return ()
    if not name.startswith("-"):
        return read_regions(name)
    from dataclasses import replace

    return tuple(replace(region, include=False) for region in read_regions(name[1:]))


def _find(table: Any, what: str) -> str | None:
    """Return the table's own name of a column, or None."""
    own = {str(name).strip().lower(): str(name) for name in table.colnames}
    return next((own[name] for name in NAMES[what] if name in own), None)


def _values(table: Any, name: str, unit: str, *, source: str) -> FloatArray:
    """Return a column as numbers in `unit`; what is masked is NaN."""
    column = table[name]
    try:
        values = np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan)
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        message = f"{source}: column {name!r} is not numeric; numbers (positions in degrees) are needed"
        raise InputError(message, column=name) from problem
    own = getattr(column, "unit", None)
    if unit and own is not None and str(own):
        from astropy.units import Unit, UnitConversionError

        try:
            values = values * float(Unit(str(own)).to(Unit(unit)))
        except (UnitConversionError, ValueError) as problem:
            message = f"{source}: column {name!r} is in {own}; something that converts to {unit} is needed"
            raise InputError(message, column=name, unit=str(own)) from problem
    if values.ndim != 1:
        raise InputError(f"{source}: column {name!r} holds arrays; one number per row is needed", column=name)
    return values


def read_sky_catalog(path: str | Path) -> SkyCatalog:
    """Read a reference catalog.

    Parameters
    ----------
    path : str or Path
        ECSV, CSV, FITS table or VOTable with right ascension and declination [deg], and where known proper motions
        [mas/yr, with cos(dec)], their epoch [Julian year], errors [mas], a magnitude.

    Raises
    ------
    InputError
        Unreadable, no position columns, no usable row, or proper motions without an epoch.
    """
    table, source = read_table(path), str(path)
    names = {what: _find(table, what) for what in NAMES}
    for what in ("ra", "dec"):
        if names[what] is None:
            raise InputError(
                f"{source}: no column of {what}; found {', '.join(map(str, table.colnames))[:200]};"
                f" name it one of {', '.join(NAMES[what])}",
                columns=list(table.colnames),
            )
    columns = {
        what: _values(table, name, UNITS.get(what, ""), source=source)
        for what, name in names.items()
        if name is not None
    }
    good = np.isfinite(columns["ra"]) & np.isfinite(columns["dec"]) & (np.abs(columns["dec"]) <= 90.0)
    if not good.any():
        raise InputError(f"{source}: no row with a valid position", path=source)
    columns = {what: values[good] for what, values in columns.items()}
    motion: dict[str, FloatArray] = {key: np.nan_to_num(columns[key]) for key in ("pm_ra", "pm_dec") if key in columns}
    epoch = _epoch(columns, table, names["ra"] or "")
    if not np.isfinite(epoch) and any(values.any() for values in motion.values()):
        raise InputError(
            f"{source}: proper motions without an epoch; add a column ref_epoch (Julian year) or meta 'epoch'",
            path=source,
        )
    if "epoch" in columns:
        columns = _to_epoch(columns, motion, epoch)
    return SkyCatalog(
        name=Path(source).name,
        ra=columns["ra"],
        dec=columns["dec"],
        epoch=epoch,
        error=np.nan_to_num(columns["error"]) if "error" in columns else np.zeros(0),
        mag=columns.get("mag", np.zeros(0)),
        **motion,
    )


def _epoch(columns: dict[str, FloatArray], table: Any, ra_name: str) -> float:
    """Return the epoch of the positions [Julian year]; NaN when nothing says it."""
    if "epoch" in columns and np.isfinite(columns["epoch"]).any():
        return float(np.nanmedian(columns["epoch"]))
    for key in ("epoch", "EPOCH", "ref_epoch", "REF_EPOCH"):
        try:
            return float(str(table.meta.get(key, "")).lstrip("Jj"))
        except ValueError:
            continue
    return float("nan") if "2000" not in ra_name else 2000.0


def _to_epoch(columns: dict[str, FloatArray], motion: dict[str, FloatArray], epoch: float) -> dict[str, FloatArray]:
    """Bring rows of different epochs to one."""
    years = np.nan_to_num(epoch - columns["epoch"])
    zero = np.zeros(years.size)
    dec = columns["dec"] + motion.get("pm_dec", zero) * years / 3.6e6
    ra = columns["ra"] + motion.get("pm_ra", zero) * years / 3.6e6 / np.cos(np.deg2rad(columns["dec"]))
    return {**columns, "ra": ra, "dec": dec}


def _column(table: Any, choices: Iterable[str], source: str) -> Any:
    """Return a needed column of a user's table."""
    own = {str(name).strip().lower(): name for name in table.colnames}
    for name in choices:
        if name in own:
            return table[own[name]]
    raise InputError(
        f"{source}: no column {' or '.join(choices)}; found {', '.join(map(str, table.colnames))[:200]}",
        columns=list(table.colnames),
    )


def _root(word: object) -> str:
    """Return the rootname in a root or file name."""
    return re.split(r"[_.]", Path(str(word).strip()).name.lower())[0]


def _numbers(column: Any, name: str, source: str) -> FloatArray:
    """Return finite numbers of a user's column."""
    try:
        values = np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan), dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise InputError(f"{source}: column {name!r} is not numeric", column=name) from problem
    if not np.isfinite(values).all():
        raise InputError(f"{source}: column {name!r} has entries that are no numbers", column=name)
    return values


def read_shifts(path: str | Path) -> dict[str, KnownShift]:
    """Read known corrections: columns root, east, north [arcsec], and where wanted roll [deg] and scale.

    Raises
    ------
    InputError
        A column is missing (TweakReg's shifts are in pixels of a frame of its own: convert them), a number is
        not one, a rootname comes twice, or a scale is absurd.
    """
    table, source = read_table(path), str(path)
    roots = [_root(word) for word in _column(table, ("root", "rootname", "file"), source)]
    parts = {
        name: _numbers(_column(table, (name,), source), name, source)
        for name in ("east", "north", "roll", "scale")
        if name in ("east", "north") or name in {str(c).lower() for c in table.colnames}
    }
    if len(set(roots)) != len(roots):
        raise InputError(f"{source}: a rootname comes twice", path=source)
    scale = parts.get("scale", np.ones(len(roots)))
    if not ((scale > 0.9) & (scale < 1.1)).all():
        raise InputError(f"{source}: scale must lie between 0.9 and 1.1", path=source)
    roll = parts.get("roll", np.zeros(len(roots)))
    return {
        root: KnownShift(float(parts["east"][k]), float(parts["north"][k]), float(roll[k]), float(scale[k]))
        for k, root in enumerate(roots)
    }


def read_sources(path: str | Path) -> dict[str, dict[str, FloatArray]]:
    """Read a user's sources: columns root, chip, x, y (1-based pixels) and, where known, flux [DN].

    Returns
    -------
    sources : dict
        ``sources[root][chip]``: ``(n, 3)`` array of x, y (0-based) and flux (1 where not given), brightest first.
    """
    table, source = read_table(path), str(path)
    roots = np.array([_root(word) for word in _column(table, ("root", "rootname", "file"), source)])
    words = [str(word) for word in _column(table, ("chip", "detector", "extver"), source)]
    chips = [chip_named(word) for word in words]
    if None in chips:
        wrong = words[chips.index(None)]
        raise InputError(f"{source}: {wrong!r} is no chip; use the names that mizzle inspect shows", chip=wrong)
    x = _numbers(_column(table, ("x", "xcentroid", "x_image"), source), "x", source) - 1.0
    y = _numbers(_column(table, ("y", "ycentroid", "y_image"), source), "y", source) - 1.0
    own = {str(name).lower() for name in table.colnames}
    flux = _numbers(_column(table, ("flux",), source), "flux", source) if "flux" in own else np.ones(x.size)
    points = np.stack([x, y, flux], axis=1)
    points, order = points[np.argsort(-flux, kind="stable")], np.argsort(-flux, kind="stable")
    roots, names = roots[order], np.array([str(chip) for chip in chips])[order]
    return {
        str(root): {str(chip): points[(roots == root) & (names == chip)] for chip in np.unique(names[roots == root])}
        for root in np.unique(roots)
    }


def read_reference_image(path: str | Path) -> AlignmentImage:
    """Read an image to align to: the first two-dimensional image with a celestial WCS, SIP included.

    Raises
    ------
    InputError
        Unreadable, or without such an image.
    """
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    with opened_image(path, "FITS image") as hdus:
        for hdu in hdus:
            if getattr(hdu, "data", None) is None or not hdu.is_image or hdu.data.ndim != 2:
                continue
            wcs = WCS(hdu.header, fobj=hdus)
            if not wcs.has_celestial:
                continue
            sci = np.array(hdu.data, dtype=np.float32)
            epoch = _image_epoch(hdus[0].header, hdu.header)
            scale = 3600.0 * float(np.mean(proj_plane_pixel_scales(wcs)))
            break
        else:
            raise InputError(f"{path}: no two-dimensional image with a celestial WCS", path=str(path))

    # A diffraction core of 0.09 arcsec, widened by about a pixel of drizzling.
    fwhm = float(np.clip(np.hypot(0.09 / scale, 1.0), 1.0, 6.0))
    return AlignmentImage(name=Path(path).name, sci=sci, pixel_to_sky=WcsPixelToSky(wcs), epoch=epoch, fwhm=fwhm)


def _image_epoch(*headers: Any) -> float:
    """Return the Julian year of an image from EXPSTART, MJD-OBS or DATE-OBS; NaN when none is there."""
    for header in headers:
        for key in ("EXPSTART", "MJD-OBS"):
            value = header.get(key)
            if isinstance(value, int | float) and 20000 < value < 100000:
                return julian_year(float(value))
        match = re.match(r"^(\d{4})-(\d{2})-(\d{2})", str(header.get("DATE-OBS", "")))
        if match:
            return int(match[1]) + (int(match[2]) - 1) / 12.0 + (int(match[3]) - 1) / 365.25
    return float("nan")


def catalog_from_columns(name: str, columns: Mapping[str, FloatArray], epoch: float) -> SkyCatalog:
    """Make a catalog of columns that an archive returned.

    Parameters
    ----------
    name : str
        What it is called in the report.
    columns : mapping
        ``ra dec`` [deg, at `epoch`], and where there ``pmra pmdec`` [mas/yr], ``ra_error dec_error`` [mas], ``mag``.
    epoch : float
        Julian year of the positions.
    """
    error = np.zeros(0)
    if "ra_error" in columns and "dec_error" in columns:
        error = np.nan_to_num(np.sqrt(0.5 * (columns["ra_error"] ** 2 + columns["dec_error"] ** 2)))
    return SkyCatalog(
        name=name,
        ra=columns["ra"],
        dec=columns["dec"],
        pm_ra=np.nan_to_num(columns.get("pmra", np.zeros(0))),
        pm_dec=np.nan_to_num(columns.get("pmdec", np.zeros(0))),
        epoch=epoch,
        error=error,
        mag=columns.get("mag", np.zeros(0)),
    )
