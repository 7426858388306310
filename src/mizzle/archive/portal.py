"""Asking MAST which files there are, through its documented web service.

Two questions, answered with plain rows: which observations meet the criteria, and which products they have.
Service: https://mast.stsci.edu/api/v0/ (``Mast.Caom.Filtered``, ``Mast.Caom.Products``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mizzle.archive.names import shown
from mizzle.archive.web import Patience, ServiceError, get_json
from mizzle.errors import SettingsError
from mizzle.settings import ArchiveSettings

Row = Mapping[str, Any]

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/plain"}
_PAGE = 50_000
_POLL_SECONDS = 0.2


class Portal:
    """Speaks MAST's web service.

    Parameters
    ----------
    settings : ArchiveSettings
        Address and limits.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.mast_url.rstrip("/") + "/api/v0/invoke"
        self._patience = Patience.of(settings)

    def observations(self, criteria: Mapping[str, Sequence[str]]) -> list[Row]:
        """Return the observations (``obsid``, ``obs_id``, ``filters`` and more) that meet all criteria.

        One value of a criterion may hold the wildcard ``*``.
        """
        filters = [_filter(name, values) for name, values in criteria.items()]
        return self._ask("Mast.Caom.Filtered", {"columns": "*", "filters": filters})

    def products(self, obsids: Sequence[str]) -> list[Row]:
        """Return the files (``productFilename``, ``dataURI``, ``size`` and more) of these observations."""
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
