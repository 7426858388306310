"""Exposures from MAST: what a query means, which files it takes, and bringing them here."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mizzle.archive.download import Fetched, Progress, Wanted, download, silent
from mizzle.archive.names import safe_name, shown
from mizzle.archive.portal import Portal, Row, open_portal
from mizzle.archive.web import ServiceError
from mizzle.errors import DataError, InputError, MizzleError, SettingsError
from mizzle.io.atomic import prepare_folder
from mizzle.settings import ArchiveSettings

Say = Callable[[str], None]

#: Science pixels and their data quality; both are needed.
KINDS = ("C0M", "C1M")

_ROOT = re.compile(r"[Uu][0-9a-zA-Z]{8}")
_ROOT_PATTERN = re.compile(r"[Uu][0-9a-zA-Z]{0,8}\*[0-9a-zA-Z]{0,8}")
_FILE = re.compile(r"(?P<root>u[0-9a-z]{8})_(?P<kind>c0m|c1m)\.fits(\.gz)?", re.IGNORECASE)
_FILTER = re.compile(r"[A-Za-z0-9]{1,12}\*?")


@dataclass(frozen=True)
class Query:
    """One thing asked for.

    Parameters
    ----------
    column : str
        Column of MAST's table of observations.
    value : str
        Value wanted; ``*`` stands for anything.
    """

    column: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read a rootname (``ua060502m``, ``ua0605*``), a proposal number, or a target name.

        ``root:``, ``proposal:`` or ``target:`` in front says it outright.

        Raises
        ------
        SettingsError
            Empty, or not any of these.

        Examples
        --------
        >>> Query.parse("ua0605*").column, Query.parse("11100").column, Query.parse("NGC-7089").column
        ('obs_id', 'proposal_id', 'target_name')
        """
        kind, colon, rest = text.partition(":")
        word = (rest if colon else text).strip()
        columns = {"root": "obs_id", "proposal": "proposal_id", "target": "target_name"}
        if colon and kind not in columns:
            raise SettingsError(
                f"{shown(text)}: '{shown(kind)}:' is unknown; use root:, proposal: or target:", query=text
            )
        if not word or not word.isprintable() or word.count("*") > 1 or not word.strip("*%"):
            raise SettingsError(
                f"'{shown(text)}': needed a rootname (ua060502m, ua0605*), a proposal number or a target name,"
                " with one * at most",
                query=text,
            )
        if colon:
            return cls(columns[kind], word.lower() if kind == "root" else word)
        if _ROOT.fullmatch(word) or _ROOT_PATTERN.fullmatch(word):
            return cls("obs_id", word.lower())
        return cls("proposal_id" if word.isdigit() else "target_name", word)

    def accepts(self, root: str) -> bool:
        """Tell whether an exposure can be meant by this query, going by its rootname."""
        return self.column != "obs_id" or fnmatch.fnmatchcase(root.lower(), self.value)


@dataclass(frozen=True)
class Product:
    """A file that MAST holds."""

    root: str
    kind: str
    name: str
    uri: str
    size: int | None
    filters: str = ""


def find_products(
    queries: Sequence[str], filters: Iterable[str], settings: ArchiveSettings, portal: Portal | None = None
) -> list[Product]:
    """Ask MAST for the c0m and c1m files of WFPC2 exposures.

    Parameters
    ----------
    queries : sequence of str
        Rootnames, proposals, targets; see `Query.parse`.
    filters : iterable of str
        Filters wanted, as ``F814W``; none means all.
    settings : ArchiveSettings
        Addresses and limits.
    portal : Portal, optional
        Whom to ask; by default whom the settings say.

    Returns
    -------
    products : list of Product
        Sorted by name: both files of each exposure.

    Raises
    ------
    SettingsError
        A query or filter that means nothing, or `astroquery` is missing.
    DataError
        MAST holds no such exposure.
    InputError
        An exposure lacks one of its files, or MAST's answer is malformed or names a file no archive would.
    ServiceError
        MAST cannot be reached or refuses.
    """
    asked = [Query.parse(text) for text in queries]
    if not asked:
        raise SettingsError("nothing to fetch: give a rootname (ua060502m, ua0605*), a proposal or a target")
    wanted = [_filter_name(name) for name in filters]
    portal = portal or open_portal(settings)
    found: dict[str, Product] = {}
    for query in asked:
        for product in _answer(query, wanted, portal, settings):
            found[product.name.lower()] = product
    products = sorted(found.values(), key=lambda product: product.name)
    _complete(products)
    return products


def _filter_name(text: str) -> str:
    word = text.strip().upper()
    if not _FILTER.fullmatch(word):
        raise SettingsError(f"--filter {shown(text)}: needed a filter name, as F814W", filter=text)
    return word


def _answer(query: Query, filters: Sequence[str], portal: Portal, settings: ArchiveSettings) -> list[Product]:
    """Return the products that answer one query."""
    criteria: dict[str, Sequence[str]] = {
        "obs_collection": ["HST"],
        "instrument_name": ["WFPC2*"],
        query.column: [query.value],
    }
    rows = portal.observations(criteria)
    chosen = {str(row.get("obsid")): row for row in rows if _suits(row, filters)}
    if not chosen:
        names = sorted({str(row.get("filters")) for row in rows})
        hint = f"; there are {len(rows)} in {shown(', '.join(names))}" if names else "; check the name, or use * in it"
        what = " in " + ", ".join(filters) if filters else ""
        raise DataError(f"'{shown(query.value)}': MAST holds no such WFPC2 exposure{what}{hint}", query=query.value)
    # Related observations come along in a list of products: only what was asked for is taken.
    roots = {str(row.get("obs_id", "")).lower() for row in chosen.values()}
    products = [_product(row, settings.mast_url) for row in portal.products(sorted(chosen)) if _is_kind(row)]
    return [item for item in products if item.root in roots and query.accepts(item.root)]


def _suits(row: Row, filters: Sequence[str]) -> bool:
    """Tell whether an observation was made through one of the filters (``F814W`` or ``F439W;F606W`` in MAST)."""
    if row.get("obsid") in {None, ""}:
        return False
    through = {word.strip().upper() for word in re.split(r"[;,/+]", str(row.get("filters") or ""))}
    return not filters or any(fnmatch.filter(through, name) for name in filters)


def _is_kind(row: Row) -> bool:
    return str(row.get("productSubGroupDescription") or "").upper() in KINDS


def _product(row: Row, where: str) -> Product:
    """Read one row of the table of products.

    Raises
    ------
    InputError
        A name that is no WFPC2 file's, an address outside ``mast:HST/``, or no sensible size.
    """
    name = safe_name(row.get("productFilename"), where)
    match = _FILE.fullmatch(name)
    kind = str(row["productSubGroupDescription"]).upper()
    if match is None or match["kind"].upper() != kind:
        raise InputError(
            f"{where}: '{shown(name)}' is listed as {kind}; needed a name as ua060502m_c0m.fits", name=name
        )
    uri = str(row.get("dataURI") or "")
    if not re.fullmatch(r"mast:HST/[A-Za-z0-9_./-]+", uri) or ".." in uri or uri.rsplit("/", 1)[-1] != name:
        raise InputError(f"{where}: {name} has the address '{shown(uri)}'; needed mast:HST/product/{name}", name=name)
    size = row.get("size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or not 0 < size < 1 << 31):
        raise InputError(f"{where}: {name} has the size '{shown(size)}'; malformed table", name=name)
    return Product(match["root"].lower(), kind, name, uri, size, str(row.get("filters") or ""))


def _complete(products: Sequence[Product]) -> None:
    """Make sure that there is something, and that every exposure has both files."""
    kinds: dict[str, set[str]] = {}
    for product in products:
        kinds.setdefault(product.root, set()).add(product.kind)
    if not kinds:
        raise DataError("MAST lists the exposures, but no calibrated files (C0M, C1M) of them")
    lacking = [
        f"{root} ({', '.join(set(KINDS) - have)})" for root, have in sorted(kinds.items()) if len(have) < len(KINDS)
    ]
    if lacking:
        raise InputError(
            f"MAST lists no data-quality or science file for {shown(', '.join(lacking))}; name the others one by one",
            lacking=lacking,
        )


def fetch_exposures(
    products: Sequence[Product],
    folder: str | Path,
    settings: ArchiveSettings,
    *,
    progress: Progress = silent,
    say: Say = lambda message: None,
) -> list[Fetched]:
    """Bring files here, each checked: size, FITS structure, instrument and rootname.

    One bad file does not keep the others away, but no failure is passed over: after the last file all failures are
    raised together.

    Parameters
    ----------
    products : sequence of Product
        From `find_products`.
    folder : path
        Where to.
    settings : ArchiveSettings
        Addresses and limits.
    progress, say : callable
        Told of bytes, and of remarkable events.

    Raises
    ------
    InputError
        Any file could not be had (all are named). Unreachable at the first file ends it at once.
    """
    folder = prepare_folder(folder)
    fetched: list[Fetched] = []
    failures: list[MizzleError] = []
    for product in products:
        try:
            fetched.append(_fetch(product, folder, settings, progress, say))
        except InputError as problem:
            failures.append(problem)
            if isinstance(problem, ServiceError) and not problem.status and not fetched:
                break  # nobody is there: asking for the next one would only take longer
    if failures:
        reasons = "; ".join(str(problem) for problem in failures[:3])
        more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
        raise InputError(
            f"{len(fetched)} of {len(products)} files fetched into {folder}: {reasons}{more}",
            fetched=[str(item.path) for item in fetched],
            failures=[str(problem) for problem in failures],
        )
    return fetched


def _fetch(product: Product, folder: Path, settings: ArchiveSettings, progress: Progress, say: Say) -> Fetched:
    """Fetch one file, from the cloud copy first where that is asked for."""
    if settings.cloud:
        try:
            return download(_wanted(product, cloud_address(product, settings)), folder, settings, progress)
        except ServiceError as problem:
            # S3 says 403 for "not there" where listing is not allowed.
            if problem.status not in {403, 404}:
                raise
            say(f"{product.name}: not in the cloud copy; taken from MAST")
    url = f"{settings.mast_url.rstrip('/')}/api/v0.1/Download/file?uri={quote(product.uri, safe=':/')}"
    return download(_wanted(product, url), folder, settings, progress)


def cloud_address(product: Product, settings: ArchiveSettings) -> str:
    """Return where the public bucket keeps a file: ``hst/public/ua06/ua060502m/ua060502m_c0m.fits``."""
    return f"{settings.cloud_url.rstrip('/')}/hst/public/{product.root[:4]}/{product.root}/{product.name}"


def _wanted(product: Product, url: str) -> Wanted:
    header: Mapping[str, Any] = {"INSTRUME": "WFPC2", "ROOTNAME": product.root}
    return Wanted(url, product.name, product.size, header=header)
