"""The HST astrometry database: which WCS solutions exist for an exposure, choose one, bring its headerlet here.

Service: ``GET <address>/observation/read/<rootname>`` answers with XML (``solution`` elements with ``solutionID`` and
``wcsName``, and ``bestSolutionID``), 404 for an exposure it does not know; ``?wcsname=<name>`` answers with the
headerlet, a FITS file with one ``SIPWCS`` extension per chip.
"""

from __future__ import annotations

import hashlib
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from mizzle.archive.names import is_safe, shown
from mizzle.archive.web import MEGABYTE, Patience, ServiceError, get_bytes
from mizzle.errors import InputError, SettingsError
from mizzle.io.atomic import prepare_folder, write_bytes
from mizzle.io.structure import check_fits
from mizzle.settings import ArchiveSettings

Say = Callable[[str], None]

_ROOT = re.compile(r"[a-z][0-9a-z]{8}")
#: Nobody waits for this service: it only improves what is there already.
_LONGEST_WAIT = 5.0


@dataclass(frozen=True)
class Solutions:
    """What the database holds for one exposure.

    Parameters
    ----------
    names : tuple of str
        WCSNAME of each solution.
    best : str
        The one it prefers; empty where it prefers none.
    """

    names: tuple[str, ...]
    best: str = ""

    def choose(self, wanted: str, idctab: str = "") -> str:
        """Return the solution to use; empty for none.

        Parameters
        ----------
        wanted : str
            A WCSNAME, or ``best``.
        idctab : str
            Root of the distortion table in use, as ``ta81040lu``. With ``best``, where the preferred solution rests on
            another table, one that rests on this table is taken instead: the newest kind of name, ``IDC_<table>-...``,
            or nothing.

        Raises
        ------
        SettingsError
            The solution asked for by name is not there.
        """
        if wanted != "best":
            if wanted in self.names:
                return wanted
            known = ", ".join(self.names) or "none"
            raise SettingsError(
                f"archive.astrometry_solution: no solution '{shown(wanted)}'; there are: {shown(known)}",
                wanted=wanted,
                known=self.names,
            )
        if self.best and (not idctab or idctab in self.best):
            return self.best
        same = [name for name in self.names if idctab and idctab in name and "-" in name]
        return max(same, key=_rank) if same else ""


def _rank(name: str) -> tuple[int, str]:
    """Order solutions: fitted to Gaia, fitted to another catalog, from guide stars; then by name."""
    upper = name.upper()
    return (2 if "GAIA" in upper else 1 if "FIT" in upper else 0, name)


def find_solutions(root: str, settings: ArchiveSettings) -> Solutions:
    """Ask which solutions there are.

    Parameters
    ----------
    root : str
        Rootname of the exposure.
    settings : ArchiveSettings
        Address and limits.

    Raises
    ------
    InputError
        No rootname.
    ServiceError
        Unreachable, failing, or an answer that cannot be read.
    """
    url = _address(root, settings)
    try:
        body = get_bytes(url, _patience(settings), headers={"Accept": "text/xml"}, limit=4 * MEGABYTE)
    except ServiceError as problem:
        if problem.status == 404:
            return Solutions(())
        raise
    # Entities have no place here, and are how XML is made to explode.
    if b"<!DOCTYPE" in body.upper() or b"<!ENTITY" in body.upper():
        raise ServiceError(f"{url}: refused XML with declarations", url=url)
    try:
        tree = ElementTree.fromstring(body)
    except ElementTree.ParseError as problem:
        raise ServiceError(f"{url}: the answer is not XML: {shown(problem)}", url=url) from None
    if tree.tag.lower().endswith("html"):
        raise ServiceError(f"{url}: a web page came instead of an answer; is a log-in needed?", url=url)
    names: dict[str, str] = {}
    for solution in tree.iter("solution"):
        number, name = (solution.findtext(tag, "").strip() for tag in ("solutionID", "wcsName"))
        if number and name:
            names[number] = name
    best = next((node.text or "" for node in tree.iter("bestSolutionID")), "").strip()
    # The best one is named by its number, or already by its name.
    return Solutions(tuple(names.values()), names.get(best, best if best in names.values() else ""))


def fetch_headerlets(
    roots: Sequence[str],
    idctab: str,
    folder: str | Path,
    *,
    settings: ArchiveSettings,
    say: Say = lambda message: None,
) -> dict[str, Path]:
    """Bring the headerlet of the chosen solution of each exposure here.

    That the service cannot be reached, fails, or has nothing is said in one line, and the WCS of the model serves. It
    is asked no more after its first failure, and then no exposure gets a solution: a visit is treated alike.

    Parameters
    ----------
    roots : sequence of str
        Rootnames.
    idctab : str
        Root of the distortion table in use, or empty.
    folder : path
        Where headerlets are kept.
    settings : ArchiveSettings
        Address, solution wanted, limits.
    say : callable
        Told what was chosen, or why nothing was.

    Returns
    -------
    headerlets : dict
        Path by rootname; exposures without a fitting solution are left out.

    Raises
    ------
    SettingsError
        A solution asked for by name is not there.
    InputError
        What came is not a headerlet of the exposure.
    """
    headerlets: dict[str, Path] = {}
    for root in roots:
        try:
            path = fetch_headerlet(root, idctab, folder, settings=settings, say=say)
        except ServiceError as problem:
            say(f"astrometry database: {problem}; the WCS of the model serves")
            return {}
        if path is not None:
            headerlets[root] = path
    return headerlets


def fetch_headerlet(
    root: str, idctab: str, folder: str | Path, *, settings: ArchiveSettings, say: Say = lambda message: None
) -> Path | None:
    """Bring the headerlet of the chosen solution of one exposure here; None where there is none that fits.

    Raises
    ------
    ServiceError
        Unreachable or failing, within 5 s.
    SettingsError, InputError
        See `fetch_headerlets`.
    """
    solutions = find_solutions(root, settings)
    name = solutions.choose(settings.astrometry_solution, idctab)
    if not name:
        known = f"; it holds {shown(', '.join(solutions.names))}" if solutions.names else ""
        say(f"{root}: the astrometry database has no solution that fits{known}; the WCS of the model serves")
        return None
    url = f"{_address(root, settings)}?wcsname={quote(name, safe='')}"
    content = get_bytes(url, _patience(settings), headers={"Accept": "application/fits"}, limit=16 * MEGABYTE)
    check_headerlet(content, root, f"headerlet {shown(name)} of {root}")
    path = prepare_folder(folder) / _file_name(root, name)
    write_bytes(path, content)
    say(f"{root}: WCS {shown(name)} from the astrometry database")
    return path


def _address(root: str, settings: ArchiveSettings) -> str:
    if not _ROOT.fullmatch(root.lower()):
        raise InputError(f"'{shown(root)}' is no rootname; the astrometry database needs one, as ua060502m", root=root)
    return f"{settings.astrometry_url.rstrip('/')}/observation/read/{root.lower()}"


def _patience(settings: ArchiveSettings) -> Patience:
    limit = min(settings.timeout, _LONGEST_WAIT)
    return Patience(min(settings.connect_timeout, limit), limit)


def _file_name(root: str, wcsname: str) -> str:
    """Return the name a headerlet is kept under; the digest tells apart names that look alike when cleaned."""
    clean = re.sub(r"[^A-Za-z0-9_-]+", "-", wcsname)[:40].strip("-")
    name = f"{root.lower()}_{clean}_{hashlib.sha1(wcsname.encode()).hexdigest()[:6]}_hlet.fits"
    if not is_safe(name):
        raise InputError(f"'{shown(wcsname)}' cannot name a file", name=wcsname)
    return name


def check_headerlet(content: bytes, root: str, where: str) -> None:
    """Make sure that `content` is a whole FITS file and a headerlet for this exposure.

    Raises
    ------
    InputError
        It is not: the message says what was found.
    """
    header = check_fits(content, where)
    destination = str(header.get("DESTIM", "")).strip().lower()
    if destination.split("_")[0] != root.lower():
        raise InputError(
            f"{where}: it is for '{shown(destination) or 'nothing'}' (DESTIM), needed {root}",
            destination=destination,
        )
    from astropy.io import fits

    with fits.open(io.BytesIO(content), memmap=False) as units:
        chips = [unit.header for unit in units if unit.name == "SIPWCS"]
    if not chips:
        raise InputError(f"{where}: no SIPWCS extension; not a headerlet", file=where)
    for chip in chips:
        lacking = [key for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "CD1_1", "CD2_2") if key not in chip]
        if lacking:
            raise InputError(f"{where}: a SIPWCS extension lacks {', '.join(lacking)}", lacking=lacking)
