"""``HSTWCS``: an `astropy.wcs.WCS` of one chip that knows more of the camera."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS, FITSFixedWarning

from mizzle.errors import InputError
from mizzle.instrument.tables import embedded_tables
from mizzle.instrument.wfpc2 import chip_name
from mizzle.io.rewriting import opened
from mizzle.model import Grid

__all__ = ["HSTWCS"]


class HSTWCS(WCS):  # type: ignore[misc]  # astropy has no types
    """The WCS of one chip: astropy's, with SIP polynomial and row term, and what HST's scripts ask beside.

    Parameters
    ----------
    fobj : str, Path, HDUList or None
        A file, its name with the extension in brackets (``name.fits[sci,3]``), or an open file; an empty WCS without.
    ext : int or (str, int), optional
        Extension: its number, or name and version; by default the first one, or PRIMARY where the first has no WCS (a
        drizzled image in PRIMARY).
    minerr : float
        Smallest correction of a lookup table that is applied [pixel].
    wcskey : str
        Letter of the WCS; ``" "`` is the primary one.

    Attributes
    ----------
    idcscale : float or None
        Pixel side of the distortion table [arcsec]: IDCSCALE of the header, else of mizzle's table.
    pscale, orientat : float
        Pixel side [arcsec], position angle of y [deg].
    linear_terms : dict
        ``OCX10 OCX11 OCY10 OCY11`` of the distortion table [arcsec], where the header has them.
    filename, extname : str
        Where it was read.
    place : int or (str, int)
        The extension, as `ext`.
    idctab, offtab, dgeofile : str
        Tables of the distortion that the header names; empty where it names none.
    instrument, chip, binned, parity, ltv1, ltv2, pav3, vafactor, date_obs, filter1, filter2, naxis1, naxis2
        Of the headers.

    Raises
    ------
    InputError
        No such extension.
    """

    def __init__(self, fobj: Any = None, ext: Any = None, minerr: float = 0.0, wcskey: str = " ") -> None:
        self.filename, self.extname = "", ""
        self.place: Any = None
        self.idcscale: float | None = None
        self.idcmodel = None
        self.linear_terms: dict[str, float] = {}
        if fobj is None:
            super().__init__(naxis=2)
            self.pscale, self.orientat = float("nan"), float("nan")
            return
        if isinstance(fobj, str | Path):
            name, _, inside = str(fobj).partition("[")
            with opened(name) as hdus:
                self._read(hdus, _extension(inside.rstrip("]")) if inside else ext, minerr, wcskey, name)
        else:
            self._read(fobj, ext, minerr, wcskey, str(fobj.filename() or ""))

    def _read(self, hdus: Any, ext: Any, minerr: float, wcskey: str, name: str) -> None:
        where = ext if ext is not None else int(len(hdus) > 1 and "CRVAL1" in hdus[1].header)
        try:
            header, primary = hdus[where].header, hdus[0].header
        except (KeyError, IndexError):
            raise InputError(f"{name}: no extension {where!r}; it has {len(hdus) - 1}", file=name, ext=where) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)  # MJD-OBS follows from DATE-OBS
            super().__init__(header, fobj=hdus, minerr=minerr, key=wcskey)
        self.filename, self.extname, self.place = name, f"{name}[{where}]", where
        self._describe(header, primary)

    def _describe(self, header: Mapping[str, Any], primary: Mapping[str, Any]) -> None:
        """Keep what scripts ask of the headers."""
        self.instrument = str(primary.get("INSTRUME", header.get("INSTRUME", "")))
        self.date_obs = str(primary.get("DATE-OBS", ""))
        self.filter1, self.filter2 = (str(primary.get(f"FILTNAM{i}", "")) for i in (1, 2))
        detector = str(header.get("DETECTOR", header.get("CCDCHIP", 1))).strip()  # MULTIPLE in a drizzled image
        self.chip = int(detector) if self.instrument == "WFPC2" and detector.isdigit() else None
        tables = ("IDCTAB", "OFFTAB", "DGEOFILE")
        self.idctab, self.offtab, self.dgeofile = (str(primary.get(key, header.get(key, ""))) for key in tables)
        self.binned = 2 if str(primary.get("MODE", "")).strip() == "AREA" else 1
        self.parity = [[-1.0, 0.0], [0.0, 1.0]]
        self.ltv1, self.ltv2 = (float(header.get(f"LTV{i}", 0.0)) for i in (1, 2))
        self.pav3 = primary.get("PA_V3")
        self.vafactor = float(header.get("VAFACTOR", 1.0))
        shape: tuple[int, int] = self.pixel_shape or (0, 0)
        self.naxis1, self.naxis2 = shape
        self.setPscale()
        self.setOrient()
        self.linear_terms = {key: header[key] for key in ("OCX10", "OCX11", "OCY10", "OCY11") if key in header}
        self.idcscale = header.get("IDCSCALE") or _table_scale(header, primary)

    @classmethod
    def of_grid(cls, grid: Grid) -> HSTWCS:
        """Return the WCS of a frame without distortion, which is in no file."""
        made = cls()
        made.wcs.ctype, made.wcs.cunit = ["RA---TAN", "DEC--TAN"], ["deg", "deg"]
        made.wcs.crval, made.wcs.crpix, made.wcs.cd = grid.crval, grid.crpix, grid.cd
        made.wcs.radesys = grid.radesys
        made.wcs.set()
        ny, nx = grid.shape
        made.pixel_shape, made.naxis1, made.naxis2 = (nx, ny), nx, ny
        made.setPscale()
        made.setOrient()
        return made

    def setPscale(self) -> None:  # noqa: N802  (the incumbent's name)
        """Work out `pscale` [arcsec] from the CD matrix."""
        cd = self.pixel_scale_matrix
        self.pscale = float(np.hypot(cd[0, 0], cd[1, 0]) * 3600.0)

    def setOrient(self) -> None:  # noqa: N802  (the incumbent's name)
        """Work out `orientat` [deg] from the CD matrix."""
        cd = self.pixel_scale_matrix
        self.orientat = float(np.rad2deg(np.arctan2(cd[0, 1], cd[1, 1])))

    def updatePscale(self, scale: float) -> None:  # noqa: N802  (the incumbent's name)
        """Give the pixels another side [arcsec], their center and direction kept."""
        self.wcs.cd = self.wcs.cd / self.pscale * scale
        self.setPscale()

    def readModel(self, update: bool = False, header: Any = None) -> None:  # noqa: N802  (the incumbent's name)
        """Do nothing: `idcscale` is known already."""

    def wcs2header(self, sip2hdr: bool = False, **_: Any) -> Any:
        """Return the WCS as a header with a CD matrix, the SIP polynomial too where asked."""
        header = self.to_header(relax=sip2hdr)
        for i, row in enumerate(self.pixel_scale_matrix, 1):
            for j, value in enumerate(row, 1):
                header[f"CD{i}_{j}"] = float(value)
                header.remove(f"PC{i}_{j}", ignore_missing=True)
            header.remove(f"CDELT{i}", ignore_missing=True)
        if not sip2hdr:
            for i in (1, 2):
                header[f"CTYPE{i}"] = str(header[f"CTYPE{i}"]).removesuffix("-SIP")
        header["ORIENTAT"] = self.orientat
        return header


def _extension(text: str) -> int | tuple[str, int]:
    """Return the extension of ``sci,3`` or ``3``."""
    name, _, version = text.partition(",")
    return int(name) if name.strip().isdigit() else (name.strip().upper(), int(version or 1))


def _table_scale(header: Mapping[str, Any], primary: Mapping[str, Any]) -> float | None:
    """Return the pixel side of mizzle's own distortion table, before ``updatewcs`` has written it."""
    from mizzle.instrument.wfpc2.distortion import chip_model, select_filter

    name = chip_name(str(header.get("DETECTOR", "")))
    if name is None or str(primary.get("INSTRUME", "")).strip() != "WFPC2":
        return None
    tables = embedded_tables()
    try:
        chosen, _ = select_filter(tables, (primary.get("FILTNAM1"), primary.get("FILTNAM2")))
        return float(chip_model(tables, name, chosen, date=primary.get("DATE-OBS")).scale)
    except InputError:
        return None
