"""Asking MAST which files there are: the documented web service, and `astroquery.mast` behind the same face.

A portal answers two questions with plain rows: which observations meet the criteria, and which products they have.
Service: https://mast.stsci.edu/api/v0/ (``Mast.Caom.Filtered``, ``Mast.Caom.Products``).
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from mizzle.archive.names import shown
from mizzle.archive.web import Patience, ServiceError, UnreachableError, get_json, opened
from mizzle.errors import SettingsError
from mizzle.settings import ArchiveSettings

Row = Mapping[str, Any]

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/plain"}
_PAGE = 50_000
_POLL_SECONDS = 0.2


class Portal(Protocol):
    """Whoever knows what MAST holds."""

    def observations(self, criteria: Mapping[str, Sequence[str]]) -> list[Row]:
        """Return the observations (``obsid``, ``obs_id``, ``filters`` and more) that meet all criteria.

        One value of a criterion may hold the wildcard ``*``.
        """

    def products(self, obsids: Sequence[str]) -> list[Row]:
        """Return the files (``productFilename``, ``dataURI``, ``size`` and more) of these observations."""


def open_portal(settings: ArchiveSettings) -> Portal:
    """Return the portal that the settings ask for.

    Raises
    ------
    SettingsError
        `astroquery` is asked for and not installed.
    """
    if settings.client == "direct":
        return DirectPortal(settings)
    return AstroqueryPortal(settings)


class DirectPortal:
    """Speaks MAST's web service itself.

    Parameters
    ----------
    settings : ArchiveSettings
        Address and limits.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.mast_url.rstrip("/") + "/api/v0/invoke"
        self._patience = Patience.of(settings)

    def observations(self, criteria: Mapping[str, Sequence[str]]) -> list[Row]:
        """Return the observations that meet all criteria."""
        filters = [_filter(name, values) for name, values in criteria.items()]
        return self._ask("Mast.Caom.Filtered", {"columns": "*", "filters": filters})

    def products(self, obsids: Sequence[str]) -> list[Row]:
        """Return the files of these observations."""
        return self._ask("Mast.Caom.Products", {"obsid": ",".join(obsids)}) if obsids else []

    def _ask(self, service: str, parameters: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = []
        page = pages = 1
        while page <= pages:
            answer = self._page(service, parameters, page)
            rows += _rows(answer, self._url)
            paging = answer.get("paging")
            pages = paging.get("pagesFiltered", 1) if isinstance(paging, dict) else 1
            if not isinstance(pages, int) or pages > 1000:
                raise ServiceError(f"{self._url}: {shown(pages)} pages of answers; narrow the query", url=self._url)
            page += 1
        return rows

    def _page(self, service: str, parameters: Mapping[str, Any], page: int) -> dict[str, Any]:
        """Ask for one page, again while the service says that it is still working."""
        request = {
            "service": service,
            "params": parameters,
            "format": "json",
            "pagesize": _PAGE,
            "page": page,
            "removenullcolumns": False,
        }
        body = b"request=" + quote(json.dumps(request)).encode()
        deadline = time.monotonic() + self._patience.answer
        while True:
            answer = get_json(self._url, self._patience, data=body, headers=_FORM)
            status = answer.get("status") if isinstance(answer, dict) else None
            if status == "COMPLETE":
                return dict(answer)
            if status != "EXECUTING":
                reason = answer.get("msg", "no reason given") if isinstance(answer, dict) else answer
                raise ServiceError(f"{self._url}: MAST refused the query: {shown(reason)}", url=self._url)
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self._url}: MAST still searches after {self._patience.answer:g} s (archive.timeout);"
                    " narrow the query or try later",
                    url=self._url,
                )
            time.sleep(_POLL_SECONDS)


def _filter(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Write one criterion as the service has it: exact values, and one pattern with ``%`` as free text."""
    wild = [value for value in values if "*" in value]
    if len(wild) > 1:
        raise SettingsError(f"only one wildcard fits one query, found {', '.join(wild)}", values=wild)
    entry: dict[str, Any] = {"paramName": name, "values": [value for value in values if "*" not in value]}
    if wild:
        entry["freeText"] = wild[0].replace("*", "%")
    return entry


def _rows(answer: Mapping[str, Any], url: str) -> list[Row]:
    """Return the rows of an answer, every field present.

    Raises
    ------
    ServiceError
        The table is malformed.
    """
    fields, data = answer.get("fields"), answer.get("data")
    if not isinstance(fields, list) or not isinstance(data, list):
        raise ServiceError(f"{url}: malformed table: no 'fields' and 'data' lists in the answer", url=url)
    names = [field.get("name") for field in fields if isinstance(field, dict)]
    if len(names) != len(fields) or any(not isinstance(row, dict) for row in data):
        raise ServiceError(f"{url}: malformed table: a field without a name, or a row that is no record", url=url)
    return [{str(name): row.get(name) for name in names} for row in data]


class AstroqueryPortal:
    """Asks through `astroquery.mast`.

    Parameters
    ----------
    settings : ArchiveSettings
        Address and limits.

    Raises
    ------
    SettingsError
        `astroquery` is not installed.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        try:
            from astroquery.mast import ObservationsClass
        except ImportError as problem:
            raise SettingsError(
                'this needs astroquery: pip install "mizzle[archive]"; or ask MAST without it:'
                " --set 'archive.client=\"direct\"'",
                missing=str(problem.name),
            ) from None
        self._server = settings.mast_url.rstrip("/")
        self._patience = Patience.of(settings)
        self._observations = ObservationsClass()
        # The library reads its server address once, at import; the object takes another one.
        api = self._observations._portal_api_connection
        api.MAST_REQUEST_URL = self._server + "/api/v0/invoke"
        api.COLUMNS_CONFIG_URL = self._server + "/portal/Mashup/Mashup.asmx/columnsconfig"
        api.TIMEOUT = settings.timeout

    def observations(self, criteria: Mapping[str, Sequence[str]]) -> list[Row]:
        """Return the observations that meet all criteria."""
        return self._ask("query_criteria", **{name: list(values) for name, values in criteria.items()})

    def products(self, obsids: Sequence[str]) -> list[Row]:
        """Return the files of these observations."""
        return self._ask("get_product_list", list(obsids)) if obsids else []

    def _ask(self, question: str, *arguments: Any, **criteria: Any) -> list[Row]:
        from astroquery.exceptions import InvalidQueryError, RemoteServiceError

        self._greet()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "no results" is said by us, with what to do
                table = getattr(self._observations, question)(*arguments, **criteria)
        except (OSError, RemoteServiceError, InvalidQueryError) as problem:  # requests' errors are OSErrors
            raise ServiceError(f"{self._server}: MAST cannot answer: {shown(problem)}", url=self._server) from None
        except (
            KeyError,
            ValueError,
            TypeError,
            AttributeError,
        ) as problem:  # what a malformed answer leads to
            raise ServiceError(f"{self._server}: malformed answer: {shown(problem)}", url=self._server) from None
        return [{name: _plain(row[name]) for name in table.colnames} for row in table]

    def _greet(self) -> None:
        """Find out at once whether there is a server: the library itself waits for minutes."""
        try:
            with opened(self._server + "/api/v0/", self._patience):
                pass
        except UnreachableError:
            raise
        except ServiceError:
            return  # it answers; whatever is wrong, the query will tell


def _plain(value: Any) -> Any:
    """Turn a table cell into a plain value; None where it is masked."""
    if getattr(value, "mask", False) is not False and bool(value.mask):
        return None
    return value.item() if hasattr(value, "item") else value
