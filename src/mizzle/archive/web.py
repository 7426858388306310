"""HTTP with a limit on every wait: look-up, connection, answer and transfer.

The standard library does the talking, so proxies work as everywhere (``http_proxy``, ``https_proxy``, ``no_proxy``).
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, cast
from urllib.parse import urljoin, urlsplit

from mizzle._version import __version__
from mizzle.archive.names import shown
from mizzle.errors import InputError
from mizzle.settings import ArchiveSettings

CHUNK = 1 << 16
MEGABYTE = 1 << 20


class ServiceError(InputError):
    """A service answered with something that cannot be used; `status` is the HTTP status where there is one."""

    @property
    def status(self) -> int:
        """HTTP status, or 0."""
        value = self.facts.get("status", 0)
        return value if isinstance(value, int) else 0


class UnreachableError(ServiceError):
    """No connection: offline, a wrong address, or a service that is down."""


@dataclass(frozen=True)
class Patience:
    """How long to wait.

    Parameters
    ----------
    connect : float
        For a connection, name look-up and TLS included [s].
    answer : float
        For an answer, and for the next byte of a transfer [s].
    """

    connect: float
    answer: float

    @classmethod
    def of(cls, settings: ArchiveSettings) -> Patience:
        """Return what the settings allow."""
        return cls(settings.connect_timeout, settings.timeout)


def _look_up(host: str, port: int, seconds: float) -> list[Any]:
    """Return the addresses of `host`; the system's look-up knows no time limit, so it runs on a thread left behind."""
    answer: list[Any] = []
    trouble: list[OSError] = []

    def ask() -> None:
        try:
            answer.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except OSError as problem:
            trouble.append(problem)

    thread = threading.Thread(target=ask, daemon=True, name="mizzle-look-up")
    thread.start()
    thread.join(seconds)
    if trouble:
        raise trouble[0]
    if not answer:
        raise TimeoutError("name look-up timed out")
    return answer


def _connect(address: tuple[str, int], *_: Any, seconds: float, **__: Any) -> socket.socket:
    """Open a socket within `seconds` altogether, whatever the number of addresses of the host."""
    deadline = time.monotonic() + seconds
    problem: OSError = TimeoutError("connection timed out")
    for family, kind, protocol, _name, where in _look_up(*address, seconds):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(where)
        except OSError as failure:
            connection.close()
            problem = failure
        else:
            return connection
    raise problem


class _Patient(http.client.HTTPConnection):
    """A connection that gives up in time; mixed into the plain and the encrypted one."""

    patience: Patience

    def connect(self) -> None:
        cast(Any, self)._create_connection = functools.partial(_connect, seconds=self.patience.connect)
        super().connect()
        self.sock.settimeout(self.patience.answer)

    def getresponse(self) -> http.client.HTTPResponse:
        late = threading.Event()

        def cut(connection: socket.socket = self.sock) -> None:
            late.set()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        # A server that drips one header byte a second never trips the socket's own limit.
        guard = threading.Timer(self.patience.answer, cut)
        guard.daemon = True
        guard.start()
        try:
            response = super().getresponse()
        except (OSError, http.client.HTTPException):
            if late.is_set():
                raise TimeoutError("no complete answer in time") from None
            raise
        finally:
            guard.cancel()
        if late.is_set():
            response.close()
            raise TimeoutError("no complete answer in time")
        return response


class _Plain(_Patient):
    def __init__(self, host: str, *, patience: Patience, **options: Any) -> None:
        super().__init__(host, **options)
        self.patience = patience


class _Encrypted(_Patient, http.client.HTTPSConnection):
    def __init__(self, host: str, *, patience: Patience, **options: Any) -> None:
        super().__init__(host, **options)
        self.patience = patience


class _PlainHandler(urllib.request.HTTPHandler):
    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self._make: Any = functools.partial(_Plain, patience=patience)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, req)


class _EncryptedHandler(urllib.request.HTTPSHandler):
    def __init__(self, patience: Patience) -> None:
        self._ssl = ssl.create_default_context()
        super().__init__(context=self._ssl)
        self._make: Any = functools.partial(_Encrypted, patience=patience)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._make, req, context=self._ssl)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows five redirects at most, to the web only, and never from an encrypted address to a plain one."""

    max_redirections = 5
    max_repeats = 2

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urlsplit(urljoin(req.full_url, newurl)).scheme
        if scheme not in {"http", "https"} or (scheme == "http" and req.full_url.startswith("https:")):
            fp.close()
            raise ServiceError(
                f"{shown(req.full_url)}: redirects to {shown(newurl)}, which is not as safe; nothing was fetched",
                url=req.full_url,
                status=code,
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(patience: Patience, *, encrypted: bool) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(),
        _PlainHandler(patience),
        _Redirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ]
    if encrypted:  # loading the certificates costs 20 ms
        handlers.append(_EncryptedHandler(patience))
    for handler in handlers:
        opener.add_handler(handler)
    return opener


@contextlib.contextmanager
def opened(
    url: str, patience: Patience, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Ask for `url` and yield the answer, headers read, body not.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    patience : Patience
        Limits.
    data : bytes, optional
        Body of a POST; without it the request is a GET.
    headers : mapping, optional
        Request headers.

    Raises
    ------
    UnreachableError
        No connection.
    ServiceError
        A status of 400 or more, a redirect loop, no answer in time, a broken answer.
    """
    sent = {"User-Agent": f"mizzle/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
    request = urllib.request.Request(url, data=data, headers=sent)
    # Redirects from plain to encrypted addresses are common, so only loopback addresses do without.
    encrypted = urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}
    try:
        response = _opener(patience, encrypted=encrypted).open(request)
    except urllib.error.HTTPError as problem:
        problem.close()
        raise _refused(url, problem) from None
    except urllib.error.URLError as problem:
        _explain(url, problem.reason if isinstance(problem.reason, OSError) else problem, patience, connecting=True)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        _explain(url, problem, patience, connecting=False)
    with response:
        try:
            yield response
        except (OSError, http.client.HTTPException) as problem:
            _explain(url, problem, patience, connecting=False)


def _refused(url: str, problem: urllib.error.HTTPError) -> ServiceError:
    """Turn an HTTP error status into a message."""
    where = shown(url)
    if 300 <= problem.code < 400:
        what = f"redirects in a circle or more than {_Redirects.max_redirections} times (HTTP {problem.code})"
    elif problem.code == 404:
        what = "not there (HTTP 404)"
    elif problem.code == 416:
        what = "the range asked for is not there (HTTP 416)"
    elif problem.code >= 500:
        what = f"the server failed (HTTP {problem.code} {shown(problem.reason)}); try again later"
    else:
        what = f"the server refused (HTTP {problem.code} {shown(problem.reason)})"
    return ServiceError(f"{where}: {what}", url=url, status=problem.code)


def _explain(url: str, problem: Exception, patience: Patience, *, connecting: bool) -> NoReturn:
    """Raise what a failed connection or transfer means."""
    where = shown(url)
    if isinstance(problem, ssl.SSLError) and not isinstance(problem, TimeoutError):
        raise ServiceError(
            f"{where}: no safe connection: {shown(problem)}; check the date, the proxy", url=url
        ) from None
    if isinstance(problem, TimeoutError):
        if connecting:
            raise UnreachableError(
                f"{where}: no connection within {patience.connect:g} s (archive.connect_timeout); offline?",
                url=url,
            ) from None
        raise ServiceError(f"{where}: no answer within {patience.answer:g} s (archive.timeout)", url=url) from None
    if connecting and isinstance(problem, OSError):
        raise UnreachableError(
            f"{where}: cannot be reached: {shown(problem.strerror or problem)}; offline?", url=url
        ) from None
    what = shown(problem) or type(problem).__name__
    raise ServiceError(f"{where}: the connection broke or the answer is not HTTP: {what}", url=url) from None


def read_body(response: http.client.HTTPResponse, patience: Patience, *, limit: int, url: str) -> bytes:
    """Read a small answer whole.

    Raises
    ------
    ServiceError
        More than `limit` bytes, fewer than announced, or not complete within ``patience.answer``.
    """
    deadline = time.monotonic() + patience.answer
    announced = response.length
    parts: list[bytes] = []
    total = 0
    while part := response.read1(CHUNK):
        parts.append(part)
        total += len(part)
        if total > limit:
            raise ServiceError(
                f"{shown(url)}: more than {limit / MEGABYTE:.0f} MB came; not what was asked for", url=url
            )
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{shown(url)}: {total} bytes in {patience.answer:g} s, and not complete (archive.timeout)",
                url=url,
            )
    if announced is not None and total != announced:
        raise ServiceError(f"{shown(url)}: truncated, {total} of {announced} bytes came; try again", url=url)
    return b"".join(parts)


def get_bytes(
    url: str,
    patience: Patience,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    limit: int = 64 * MEGABYTE,
) -> bytes:
    """Return the body of a small answer; raises as `opened` and `read_body`."""
    with opened(url, patience, data=data, headers=headers) as response:
        return read_body(response, patience, limit=limit, url=url)


def get_json(
    url: str, patience: Patience, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Return an answer in JSON.

    Raises
    ------
    ServiceError
        As `get_bytes`, or the answer is not JSON.
    """
    body = get_bytes(url, patience, data=data, headers=headers)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ServiceError(f"{shown(url)}: the answer is not JSON: {shown(body[:60])}", url=url) from None
