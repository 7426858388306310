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
from mizzle.archive.portal import Portal, Row
from mizzle.archive.web import ServiceError
from mizzle.errors import DataError, InputError, MizzleError, SettingsError
from mizzle.io.atomic import prepare_folder
from mizzle.settings import ArchiveSettings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holding:
    """What MAST holds of an instrument's exposures.

    Parameters
    ----------
    instrument : str
        INSTRUME of the files, and how MAST's ``instrument_name`` begins.
    letter : str
        First letter of its rootnames.
    kinds : tuple of tuple of str
        Sets of files that make an exposure, the one to prefer first.
    """

    instrument: str
    letter: str
    kinds: tuple[tuple[str, ...], ...]

    def best(self, available: Iterable[str]) -> tuple[str, ...]:
        """Return the set of files to take among the kinds available; empty where none is whole."""
        there = set(available)
        return next((kinds for kinds in self.kinds if there.issuperset(kinds)), ())


#: WFPC2's science pixels and data quality come as extensions (c0m, c1m) or in the older, waivered form (c0f, c1f); flc
#: is corrected for charge-transfer loss, and exists for ACS/WFC and WFC3/UVIS.
HOLDINGS = (
    Holding("WFPC2", "u", (("C0M", "C1M"), ("C0F", "C1F"))),
    Holding("ACS", "j", (("FLC",), ("FLT",))),
    Holding("WFC3", "i", (("FLC",), ("FLT",))),
)

_ROOT = re.compile(r"[UJIuji][0-9a-zA-Z]{8}")
_ROOT_PATTERN = re.compile(r"[UJIuji][0-9a-zA-Z]{0,8}\*[0-9a-zA-Z]{0,8}")
_FILE = re.compile(r"(?P<root>[uji][0-9a-z]{8})_(?P<kind>c0m|c1m|c0f|c1f|flc|flt)\.fits(\.gz)?", re.IGNORECASE)
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

    @property
    def values(self) -> tuple[str, ...]:
        """What to ask for: MAST has rootnames in upper case (old exposures) and in lower case (others)."""
        if self.column == "obs_id" and "*" not in self.value:
            return (self.value, self.value.upper())
        return (self.value,)

    def holding(self, default: Holding) -> Holding:
        """Return whose exposures are meant: a rootname says it, anything else leaves it at the default."""
        if self.column != "obs_id":
            return default
        return next((holding for holding in HOLDINGS if holding.letter == self.value[0]), default)

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
    queries: Sequence[str],
    filters: Iterable[str],
    settings: ArchiveSettings,
    *,
    instrument: str = "WFPC2",
    portal: Portal | None = None,
) -> list[Product]:
    """Ask MAST for the calibrated files of exposures.

    Parameters
    ----------
    queries : sequence of str
        Rootnames, proposals, targets; see `Query.parse`.
    filters : iterable of str
        Filters wanted, as ``F814W``; none means all.
    settings : ArchiveSettings
        Addresses and limits.
    instrument : str
        Whose exposures of a proposal or target are wanted: WFPC2, ACS or WFC3. A rootname says it by itself.
    portal : Portal, optional
        Whom to ask; by default the one of the settings.

    Returns
    -------
    products : list of Product
        Sorted by name, all files of each exposure: c0m and c1m of WFPC2 (c0f and c1f where there are no others), flc
        or else flt of ACS and WFC3.

    Raises
    ------
    SettingsError
        A query, filter or instrument that means nothing.
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
    chosen = _holding(instrument)
    portal = portal or Portal(settings)
    products: dict[str, Product] = {}
    for query in asked:
        for product in _answer(query, wanted, portal, holding=query.holding(chosen), where=settings.mast_url):
            products[product.name.lower()] = product
    return sorted(products.values(), key=lambda product: product.name)


def _holding(instrument: str) -> Holding:
    for holding in HOLDINGS:
        if holding.instrument == instrument.strip().upper():
            return holding
    known = ", ".join(holding.instrument for holding in HOLDINGS)
    raise SettingsError(f"--instrument {shown(instrument)}: unknown; needed one of {known}", instrument=instrument)


def _filter_name(text: str) -> str:
    word = text.strip().upper()
    if not _FILTER.fullmatch(word):
        raise SettingsError(f"--filter {shown(text)}: needed a filter name, as F814W", filter=text)
    return word


def _answer(query: Query, filters: Sequence[str], portal: Portal, *, holding: Holding, where: str) -> list[Product]:
    """Return the products that answer one query."""
    criteria: dict[str, Sequence[str]] = {
        "obs_collection": ["HST"],
        "instrument_name": [f"{holding.instrument}*"],
        query.column: query.values,
    }
    rows = [row for row in portal.observations(criteria) if _held(row, holding)]
    chosen = {str(row.get("obsid")): row for row in rows if _suits(row, filters)}
    if not chosen:
        names = sorted({str(row.get("filters")) for row in rows})
        hint = f"; there are {len(rows)} in {shown(', '.join(names))}" if names else "; check the name, or use * in it"
        what = " in " + ", ".join(filters) if filters else ""
        raise DataError(
            f"'{shown(query.value)}': MAST holds no such {holding.instrument} exposure{what}{hint}", query=query.value
        )
    # Related observations come along in a list of products: only what was asked for is taken.
    roots = {str(row.get("obs_id", "")).lower() for row in chosen.values()}
    known = {kind for kinds in holding.kinds for kind in kinds}
    products = [_product(row, where) for row in portal.products(sorted(chosen)) if _kind(row) in known]
    return _whole([item for item in products if item.root in roots and query.accepts(item.root)], holding)


def _held(row: Row, holding: Holding) -> bool:
    """Tell whether a row is an exposure of the instrument: the Hubble Legacy Archive lists its own products too."""
    collection, instrument = str(row.get("obs_collection") or ""), str(row.get("instrument_name") or "")
    return collection.upper() == "HST" and instrument.upper().startswith(holding.instrument)


def _suits(row: Row, filters: Sequence[str]) -> bool:
    """Tell whether an observation was made through one of the filters (``F814W`` or ``F439W;F606W`` in MAST)."""
    if row.get("obsid") in {None, ""}:
        return False
    through = {word.strip().upper() for word in re.split(r"[;,/+]", str(row.get("filters") or ""))}
    return not filters or any(fnmatch.filter(through, name) for name in filters)


def _kind(row: Row) -> str:
    return str(row.get("productSubGroupDescription") or "").upper()


def _product(row: Row, where: str) -> Product:
    """Read one row of the table of products.

    Raises
    ------
    InputError
        A name that is no exposure's, an address outside ``mast:HST/``, or no sensible size.
    """
    name = safe_name(row.get("productFilename"), where)
    match = _FILE.fullmatch(name)
    kind = _kind(row)
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


def _whole(products: Sequence[Product], holding: Holding) -> list[Product]:
    """Return the files of the best form of each exposure.

    Raises
    ------
    DataError
        There is none.
    InputError
        An exposure lacks a file.
    """
    kinds: dict[str, set[str]] = {}
    for product in products:
        kinds.setdefault(product.root, set()).add(product.kind)
    forms = " or ".join(", ".join(form) for form in holding.kinds)
    if not kinds:
        raise DataError(f"MAST lists the exposures, but no calibrated files ({forms}) of them")
    best = {root: holding.best(there) for root, there in kinds.items()}
    lacking = [
        f"{root} (has {', '.join(sorted(kinds[root]))}, lacks {', '.join(sorted({*holding.kinds[0]} - kinds[root]))})"
        for root, form in sorted(best.items())
        if not form
    ]
    if lacking:
        raise InputError(
            f"MAST lists no whole exposure for {shown(', '.join(lacking))}; needed {forms}; name the others one by one",
            lacking=lacking,
        )
    return [product for product in products if product.kind in best[product.root]]


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
            fetched.append(_fetch(product, folder, settings, progress=progress, say=say))
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


def _fetch(product: Product, folder: Path, settings: ArchiveSettings, *, progress: Progress, say: Say) -> Fetched:
    """Fetch one file, from the cloud copy first where that is asked for."""
    if settings.cloud:
        try:
            return download(_wanted(product, cloud_address(product, settings)), folder, settings, progress=progress)
        except ServiceError as problem:
            # S3 says 403 for "not there" where listing is not allowed.
            if problem.status not in {403, 404}:
                raise
            say(f"{product.name}: not in the cloud copy; taken from MAST")
    url = f"{settings.mast_url.rstrip('/')}/api/v0.1/Download/file?uri={quote(product.uri, safe=':/')}"
    return download(_wanted(product, url), folder, settings, progress=progress)


def cloud_address(product: Product, settings: ArchiveSettings) -> str:
    """Return where the public bucket keeps a file: ``hst/public/ua06/ua060502m/ua060502m_c0m.fits``."""
    return f"{settings.cloud_url.rstrip('/')}/hst/public/{product.root[:4]}/{product.root}/{product.name}"


def _wanted(product: Product, url: str) -> Wanted:
    holding = next(holding for holding in HOLDINGS if holding.letter == product.root[0])
    header: Mapping[str, Any] = {"INSTRUME": holding.instrument, "ROOTNAME": product.root}
    return Wanted(url, product.name, product.size, header=header)
