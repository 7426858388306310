"""HTTP with a limit on every wait: look-up, connection, answer and transfer.

httpx does the talking, so proxies work as everywhere (``http_proxy``, ``https_proxy``, ``no_proxy``). What it has no
limit for (the system's name look-up, an answer that drips in byte by byte) is cut here.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from mizzle._version import __version__
from mizzle.archive.names import shown
from mizzle.errors import InputError, SettingsError
from mizzle.settings import ArchiveSettings

if TYPE_CHECKING:
    import httpx

MEGABYTE = 1 << 20
#: More redirects than this are a circle.
MOST_REDIRECTS = 5


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


class HttpAnswer:
    """An answer whose headers are read and whose body is still to come.

    Parameters
    ----------
    response : httpx.Response
        Opened for streaming.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        announced = response.headers.get("Content-Length", "")
        #: Bytes of the body as announced, or None.
        self.length: int | None = int(announced) if announced.isdigit() else None

    def parts(self) -> Iterator[bytes]:
        """Yield the body as it comes; it ends early where the connection does and `length` is known.

        Raises
        ------
        TimeoutError
            Nothing came for as long as the patience allows.
        ConnectionError
            The connection broke, and without an announced length nobody else can tell.
        """
        import httpx

        try:
            yield from self._response.iter_raw()
        except httpx.TimeoutException:
            raise TimeoutError("silent") from None
        except httpx.RemoteProtocolError as problem:
            if self.length is None:
                raise ConnectionError(str(problem)) from None
        except (httpx.HTTPError, httpx.StreamError) as problem:
            raise ConnectionError(str(problem)) from None


class _Sending(threading.Thread):
    """A request on its way, on a thread that can be left behind."""

    def __init__(self, client: httpx.Client, request: httpx.Request) -> None:
        super().__init__(daemon=True, name="mizzle-http")
        self._client, self._request = client, request
        request.extensions["trace"] = self._trace
        self._stream: Any = None
        self._given_up = False
        self.connected, self.finished = threading.Event(), threading.Event()
        self.response: httpx.Response | None = None
        self.problem: Exception | None = None

    def run(self) -> None:
        """Send the request and keep what comes of it."""
        import httpx

        try:
            self.response = self._client.send(self._request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, ServiceError, OSError, ValueError) as problem:
            self.problem = problem
        finally:
            self.connected.set()
            self.finished.set()
        if self._given_up and self.response is not None:
            self.response.close()

    def _trace(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._stream = facts["return_value"]
            if self._given_up:
                self._stream.close()
                raise TimeoutError("given up")
        elif event.endswith("send_request_headers.started"):
            self.connected.set()

    def give_up(self) -> None:
        """Cut the connection, where there is one; the thread ends by itself."""
        self._given_up = True
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _httpx() -> Any:
    """Return the httpx module.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        import httpx
    except ImportError as problem:
        raise SettingsError(
            'the archive needs httpx: pip install "mizzle[archive]"', missing=str(problem.name)
        ) from None
    return httpx


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the system's certificates; loading them costs 20 ms."""
    return ssl.create_default_context()


def _check_redirect(response: httpx.Response) -> None:
    """Let a redirect lead to the web only, and never from an encrypted address to a plain one."""
    if not response.has_redirect_location:
        return
    where, target = str(response.url), response.url.join(response.headers["Location"])
    if target.scheme not in {"http", "https"} or (target.scheme == "http" and response.url.scheme == "https"):
        raise ServiceError(
            f"{shown(where)}: redirects to {shown(str(target))}, which is not as safe; nothing was fetched",
            url=where,
            status=response.status_code,
        )


def _client(url: str, patience: Patience) -> httpx.Client:
    library = _httpx()
    # Redirects from plain to encrypted addresses are common, so only loopback addresses do without certificates.
    local = urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
    client: httpx.Client = library.Client(
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if local else _certificates(),
        timeout=library.Timeout(patience.answer, connect=patience.connect, pool=patience.connect),
        follow_redirects=True,
        max_redirects=MOST_REDIRECTS,
        event_hooks={"response": [_check_redirect]},
        headers={"User-Agent": f"mizzle/{__version__}", "Accept-Encoding": "identity"},
    )
    return client


@contextlib.contextmanager
def opened(
    url: str, patience: Patience, *, data: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[HttpAnswer]:
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
    SettingsError
        httpx is not installed.
    """
    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(_client(url, patience))
            request = client.build_request("GET" if data is None else "POST", url, content=data, headers=headers)
        except (_httpx().InvalidURL, ValueError) as problem:
            raise ServiceError(f"{shown(url)}: not an address: {shown(problem)}", url=url) from None
        response = _response(client, request, url, patience=patience)
        stack.callback(response.close)
        if response.status_code >= 400:
            raise _refused(url, response)
        try:
            yield HttpAnswer(response)
        except OSError as problem:
            _explain(url, problem, patience)


def _response(client: httpx.Client, request: httpx.Request, url: str, *, patience: Patience) -> httpx.Response:
    """Return the response to a request, headers read; every wait ends in time."""
    sending = _Sending(client, request)
    sending.start()
    if not sending.connected.wait(patience.connect):
        sending.give_up()
        raise _late_connection(url, patience)
    if not sending.finished.wait(patience.answer):
        sending.give_up()
        raise ServiceError(f"{shown(url)}: no answer within {patience.answer:g} s (archive.timeout)", url=url)
    if sending.response is None:
        _explain(url, sending.problem or RuntimeError("no answer"), patience)
    return sending.response


def _late_connection(url: str, patience: Patience) -> UnreachableError:
    return UnreachableError(
        f"{shown(url)}: no connection within {patience.connect:g} s (archive.connect_timeout); offline?", url=url
    )


def _refused(url: str, response: httpx.Response) -> ServiceError:
    """Turn an HTTP error status into a message."""
    code, reason = response.status_code, shown(response.reason_phrase)
    if code == 404:
        what = "not there (HTTP 404)"
    elif code == 416:
        what = "the range asked for is not there (HTTP 416)"
    elif code >= 500:
        what = f"the server failed (HTTP {code} {reason}); try again later"
    else:
        what = f"the server refused (HTTP {code} {reason})"
    return ServiceError(f"{shown(url)}: {what}", url=url, status=code)


def _explain(url: str, problem: Exception, patience: Patience) -> NoReturn:
    """Raise what a failed connection or transfer means."""
    httpx, where = _httpx(), shown(url)
    if isinstance(problem, ServiceError):
        raise problem
    if isinstance(problem, httpx.TooManyRedirects):
        raise ServiceError(f"{where}: redirects in a circle or more than {MOST_REDIRECTS} times", url=url) from None
    tls = _caused_by(problem, ssl.SSLError)
    if tls is not None:
        raise ServiceError(f"{where}: no safe connection: {shown(tls)}; check the date, the proxy", url=url) from None
    if isinstance(problem, httpx.ConnectTimeout | httpx.PoolTimeout):
        raise _late_connection(url, patience) from None
    if isinstance(problem, httpx.TimeoutException | TimeoutError):
        raise ServiceError(f"{where}: no answer within {patience.answer:g} s (archive.timeout)", url=url) from None
    if isinstance(problem, httpx.ConnectError | httpx.ProxyError):
        raise UnreachableError(f"{where}: cannot be reached: {shown(problem)}; offline?", url=url) from None
    what = shown(problem) or type(problem).__name__
    raise ServiceError(f"{where}: the connection broke or the answer is not HTTP: {what}", url=url) from None


def _caused_by(problem: BaseException | None, kind: type[ssl.SSLError]) -> ssl.SSLError | None:
    """Return the first of `kind` among what led to a problem."""
    while problem is not None:
        if isinstance(problem, kind):
            return problem
        problem = problem.__cause__ or problem.__context__
    return None


def read_body(answer: HttpAnswer, patience: Patience, *, limit: int, url: str) -> bytes:
    """Read a small answer whole.

    Raises
    ------
    ServiceError
        More than `limit` bytes, fewer than announced, or not complete within ``patience.answer``.
    """
    deadline = time.monotonic() + patience.answer
    parts: list[bytes] = []
    total = 0
    for part in answer.parts():
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
    if answer.length is not None and total != answer.length:
        raise ServiceError(f"{shown(url)}: truncated, {total} of {answer.length} bytes came; try again", url=url)
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
    with opened(url, patience, data=data, headers=headers) as answer:
        return read_body(answer, patience, limit=limit, url=url)


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
