"""The CRDS server of HST, asked through its JSON service: which reference files fit, how large, which checksum."""

from __future__ import annotations

import base64
import binascii
import datetime
import gzip
import html
import io
import itertools
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from mizzle.archive.download import Wanted
from mizzle.archive.names import is_safe, safe_name, shown
from mizzle.archive.web import MEGABYTE, Patience, ServiceError, get_json
from mizzle.errors import InputError
from mizzle.settings import ArchiveSettings

#: The three types that mizzle uses; CRDS has ten for WFPC2.
TYPES = ("IDCTAB", "OFFTAB", "DGEOFILE")

_CONTEXT = re.compile(r"hst(_[0-9a-z-]+)?\.pmap")
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
_LARGEST_ANSWER = 64 * MEGABYTE


class CrdsServer:
    """Asks a CRDS server.

    Parameters
    ----------
    settings : ArchiveSettings
        Address and limits.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self.url = settings.crds_url.rstrip("/")
        self._patience = Patience.of(settings)
        self._numbers = itertools.count(1)

    def context(self) -> str:
        """Return the context in use now, as ``hst_1234.pmap``."""
        try:
            name = self._call("get_default_context", ["hst", None])
        except ServiceError as problem:
            if "error" not in problem.facts:
                raise
            name = self._call("get_default_context", ["hst"])  # servers before 13.0 know no second argument
        if not isinstance(name, str) or not _CONTEXT.fullmatch(name):
            raise ServiceError(f"{self.url}: '{shown(name)}' is no CRDS context of HST", url=self.url)
        return name

    def best(self, context: str, header: Mapping[str, str]) -> dict[str, str]:
        """Return the best reference file by type; types for which there is none are left out.

        Raises
        ------
        ServiceError
            The server fails, or says that it cannot choose.
        InputError
            A name that is no file's.
        """
        types = [name.lower() for name in TYPES]
        answer = self._call("get_best_references", [context, dict(header), types])
        if not isinstance(answer, dict):
            raise ServiceError(f"{self.url}: malformed answer: {shown(answer)}", url=self.url)
        chosen: dict[str, str] = {}
        for kind, name in answer.items():
            if str(kind).upper() not in TYPES or str(name).upper() in {"N/A", "NOT FOUND N/A", "UNDEFINED"}:
                continue
            if str(name).upper().startswith("NOT FOUND"):
                raise ServiceError(f"{self.url}: no {shown(kind)} for the exposure: {shown(name)}", url=self.url)
            chosen[str(kind).upper()] = safe_name(name, self.url)
        return chosen

    def wanted(self, names: Sequence[str]) -> list[Wanted]:
        """Return what is needed to fetch these files: addresses, sizes and checksums.

        Raises
        ------
        ServiceError
            The server does not know one of them, or answers nonsense.
        """
        answer = self._call("get_file_info_map", ["hst", sorted(names), ["sha1sum", "size"]])
        return [self._one(name, answer.get(name) if isinstance(answer, dict) else None) for name in sorted(names)]

    def _one(self, name: str, facts: Any) -> Wanted:
        safe_name(name, self.url)
        size = str(facts.get("size", "")) if isinstance(facts, dict) else ""
        sha1 = str(facts.get("sha1sum", "")) if isinstance(facts, dict) else ""
        if not (size.isdigit() and 0 < int(size) < 1 << 31 and _SHA1.fullmatch(sha1)):
            raise ServiceError(
                f"{self.url}: no usable size and checksum for {name}: {shown(facts)}", url=self.url, file=name
            )
        return Wanted(f"{self.url}/unchecked_get/references/hst/{quote(name)}", name, int(size), sha1.lower())

    def _call(self, method: str, parameters: Sequence[Any]) -> Any:
        """Make one call of the JSON service."""
        number = f"mizzle-{next(self._numbers):08x}"
        url = f"{self.url}/json/{method}/{number}/"
        request = {"jsonrpc": "1.0", "method": method, "params": list(parameters), "id": number}
        body = json.dumps(request).encode()
        answer = get_json(url, self._patience, data=body, headers={"Content-Type": "application/json"})
        if not isinstance(answer, dict) or ("result" not in answer and not answer.get("error")):
            raise ServiceError(f"{self.url}: malformed answer to {method}: {shown(answer)}", url=self.url)
        error = answer.get("error")
        if error:
            reason = html.unescape(str(error.get("message", error) if isinstance(error, dict) else error))
            raise ServiceError(f"{self.url}: {method} failed: {shown(reason)}", url=self.url, error=reason)
        return _decoded(answer["result"], self.url)


def _decoded(result: Any, url: str) -> Any:
    """Unpack a result that came compressed (``crds_encoded``)."""
    if not (isinstance(result, dict) and "crds_encoded" in result):
        return result
    try:
        packed = base64.b64decode(str(result["crds_payload"]), validate=True)
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            text = stream.read(_LARGEST_ANSWER + 1)
        if len(text) > _LARGEST_ANSWER:
            raise ValueError("too large")
        return json.loads(text)
    except (KeyError, ValueError, OSError, EOFError, zlib.error, binascii.Error, RecursionError) as problem:
        raise ServiceError(f"{url}: the packed answer is damaged: {shown(problem)}", url=url) from None


def matching_header(header: Mapping[str, Any], where: str = "header") -> dict[str, str]:
    """Return the keywords of a primary header that choose WFPC2's distortion files, as text.

    Raises
    ------
    InputError
        Not WFPC2, or no date.
    """
    instrument = str(header.get("INSTRUME", "")).strip().upper()
    if instrument != "WFPC2":
        raise InputError(f"{where}: INSTRUME is '{shown(instrument)}', needed WFPC2", file=where)
    if "DATE-OBS" not in header:
        raise InputError(f"{where}: DATE-OBS is missing; without it no reference file can be chosen", file=where)
    date, time = _moment(f"{header['DATE-OBS']} {header.get('TIME-OBS', '')}").split(" ")
    chosen = {"INSTRUME": instrument, "DATE-OBS": date, "TIME-OBS": time}
    chosen["MODE"] = str(header.get("MODE", "FULL")).strip().upper() or "FULL"
    for name in ("FILTNAM1", "FILTNAM2", "ATODGAIN", "IMAGETYP"):
        if name in header:
            chosen[name] = str(header[name]).strip()
    return chosen


def _moment(text: str) -> str:
    """Return a date and time as ``YYYY-MM-DD HH:MM:SS``; FITS's old ``dd/mm/yy`` is understood.

    Raises
    ------
    InputError
        No such moment.

    Examples
    --------
    >>> _moment("13/06/97 11:30:14")
    '1997-06-13 11:30:14'
    """
    date, _, clock = text.strip().replace("T", " ").partition(" ")
    try:
        if date[2:3] == "/":
            day, month, year = date.split("/")
            date = f"{1900 + int(year)}-{month}-{day}"
        return str(datetime.datetime.fromisoformat(f"{date} {clock.strip() or '00:00:00'}").replace(microsecond=0))
    except ValueError:
        raise InputError(
            f"'{shown(text)}' is no date and time; needed DATE-OBS as 1997-06-13, TIME-OBS as 11:30:14"
        ) from None


def is_reference(name: object) -> bool:
    """Tell whether `name` can be a file of the cache: a reference table or image."""
    return is_safe(name) and str(name).lower().endswith((".fits", ".fits.gz"))
