"""A server on the loopback address that speaks as MAST, CRDS, the astrometry database and Gaia's TAP service do."""

from __future__ import annotations

import base64
import fnmatch
import gzip
import hashlib
import io
import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
from astropy.io import fits

from mizzle.settings import ArchiveSettings

Fault = Callable[["Handler"], None]

#: How long a hanging server hangs, unless the test ends before [s]: far beyond the stalls of a busy machine.
LONGEST_HANG = 120.0


def make_exposure(root: str, *, quality: bool = False, date: str = "2007-10-04", mode: str = "FULL") -> bytes:
    """Return a small c0m or c1m."""
    primary = fits.PrimaryHDU()
    facts = {"INSTRUME": "WFPC2", "ROOTNAME": root, "DATE-OBS": date, "TIME-OBS": "11:30:14", "MODE": mode}
    for keyword, value in {**facts, "FILTNAM1": "F814W", "FILTNAM2": ""}.items():
        primary.header[keyword] = value
    rng = np.random.default_rng(int.from_bytes(root.encode()[-4:], "big"))
    units: list[Any] = [primary]
    for chip in range(1, 5):
        image = rng.integers(0, 9, (64, 64)).astype(np.int16 if quality else np.float32)
        unit = fits.ImageHDU(image, name="SCI", ver=chip)
        unit.header["DETECTOR"] = chip
        unit.add_datasum()
        units.append(unit)
    stream = io.BytesIO()
    fits.HDUList(units).writeto(stream)
    return stream.getvalue()


def make_table(name: str) -> bytes:
    """Return a small FITS table that stands for a reference file."""
    column = fits.Column(name="SCALE", format="D", array=np.arange(400.0) + len(name))
    primary = fits.PrimaryHDU()
    primary.header["FILENAME"] = name
    stream = io.BytesIO()
    fits.HDUList([primary, fits.BinTableHDU.from_columns([column])]).writeto(stream)
    return stream.getvalue()


def make_headerlet(root: str, wcsname: str, *, crval: float = 323.3) -> bytes:
    """Return a headerlet as the astrometry database sends it."""
    primary = fits.PrimaryHDU()
    primary.header["DESTIM"] = root
    primary.header["HDRNAME"] = f"{root}_hlet"
    primary.header["WCSNAME"] = wcsname
    units: list[Any] = [primary]
    for chip in range(1, 5):
        unit = fits.ImageHDU(name="SIPWCS", ver=chip)
        values = {"CRPIX1": 425.0, "CRPIX2": 425.0, "CRVAL1": crval + chip / 1e3, "CRVAL2": -0.8}
        values |= {"CD1_1": 2.7e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2.7e-5}
        for keyword, value in values.items():
            unit.header[keyword] = value
        unit.header["TG_ENAME"], unit.header["TG_EVER"] = "SCI", chip
        units.append(unit)
    stream = io.BytesIO()
    fits.HDUList(units).writeto(stream)
    return stream.getvalue()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    service: Service
    body = b""

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.service.requests.append((self.command, self.path, dict(self.headers), self.body))
        url = urlsplit(self.path)
        try:
            for pattern, fault in list(self.service.faults.items()):
                if fnmatch.fnmatchcase(url.path, pattern):
                    fault(self)
                    return
            self._route(url.path, parse_qs(url.query))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path: str, query: dict[str, list[str]]) -> None:
        service, name = self.service, path.rsplit("/", 1)[-1]
        form = parse_qs(self.body.decode(errors="replace"))
        routes: dict[str, Callable[[], Any]] = {
            "/api/v0/invoke": lambda: service.mast(json.loads(form["request"][0])),
            "/portal/Mashup/Mashup.asmx/columnsconfig": lambda: service.columns,
            "/api/v0.1/Download/file": lambda: service.files.get(query["uri"][0].rsplit("/", 1)[-1]),
            "/api/v0/": lambda: b"MAST",
            "/hst/public/*": lambda: service.cloud.get(path),
            "/json/*": lambda: service.crds(json.loads(self.body)),
            "/unchecked_get/*": lambda: service.references.get(name),
            "/availability": lambda: b"<available/>",
            "/observation/read/*": lambda: service.astrometry(name, query.get("wcsname", [""])[0]),
            "/tap/sync": lambda: service.gaia(form),
        }
        for pattern, answer in routes.items():
            if fnmatch.fnmatchcase(path, pattern):
                found = answer()
                self.send_json(found) if isinstance(found, dict) else self.send_file(found)
                return
        self.send_file(None)

    def send_json(self, content: Any) -> None:
        self.send_file(json.dumps(content).encode())

    def send_file(self, content: bytes | None, status: int = 200) -> None:
        """Send bytes with ETag, honoring Range and If-Range; 404 for None."""
        if content is None:
            self.send_file(b"not here", 404)
            return
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and status == 200 and self.headers.get("If-Range", tag) == tag else 0
        if start >= len(content) > 0 and start:
            self.send_file(b"", 416)
            return
        self.send_response(206 if start else status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.service.tags:
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])


class Service:
    """What the server holds, and how it is to misbehave."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.faults: dict[str, Fault] = {}
        self.files: dict[str, bytes] = {}
        self.cloud: dict[str, bytes] = {}
        self.tags = True
        self.encoded = False
        self.executing = 0
        #: Whatever hangs goes on hanging until this is set, at the end of a test.
        self.released = threading.Event()
        #: Requests that hung for `LONGEST_HANG`: somebody waited for them.
        self.outlasted: list[str] = []
        self.observation_rows: list[dict[str, Any]] = []
        self.product_rows: list[dict[str, Any]] = []
        self.context = "hst_0250.pmap"
        self.references: dict[str, bytes] = {}
        for name in (
            "ta81040lu_idc",
            "s9518396u_off",
            "s8f1222cu_dxy",
            "sbh1653tu_dxy",
            "ta81040ku_idc",
            "s9m1329lu_off",
        ):
            self.references[f"{name}.fits"] = make_table(name)
        self.solutions: dict[str, dict[str, bytes]] = {}
        self.best_solution = "2"
        self.stars = ""
        text = {"vot.datatype": "char"}
        names = ("obs_id", "obs_collection", "instrument_name", "proposal_id", "target_name", "filters", "obsid")
        self.columns = {name: dict(text) for name in names}

    # MAST -----------------------------------------------------------------------------------------------------------

    def add(
        self,
        root: str,
        *,
        proposal: str = "11100",
        target: str = "NGC-7089",
        filters: str = "F814W",
        instrument: str = "WFPC2/PC",
        kinds: Sequence[str] = ("c0m", "c1m", "d0m"),
        **facts: Any,
    ) -> None:
        """Add an exposure: its observation, its products and its files."""
        obsid = str(2003738726 + len(self.observation_rows))
        row = {"obsid": obsid, "obs_id": root, "obs_collection": "HST", "instrument_name": instrument}
        self.observation_rows.append(row | {"proposal_id": proposal, "target_name": target, "filters": filters})
        for kind in kinds:
            name = f"{root}_{kind}.fits"
            self.files[name] = make_exposure(root, quality=kind != "c0m", **facts)
            self.cloud[f"/hst/public/{root[:4]}/{root}/{name}"] = self.files[name]
            self.product_rows.append(
                {
                    "obsID": obsid,
                    "obs_id": root,
                    "productFilename": name,
                    "dataURI": f"mast:HST/product/{name}",
                    "productSubGroupDescription": kind.upper(),
                    "size": len(self.files[name]),
                    "filters": filters,
                    "project": "CALWFPC2",
                }
            )

    def mast(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.executing:
            self.executing -= 1
            return {"status": "EXECUTING", "msg": "", "fields": [], "data": []}
        parameters = request["params"]
        if request["service"] == "Mast.Caom.Filtered":
            rows = [row for row in self.observation_rows if _meets(row, parameters["filters"])]
            template = self.observation_rows
        else:
            obsids = parameters["obsid"].split(",")
            rows = [row for row in self.product_rows if str(row["obsID"]) in obsids]
            template = self.product_rows
        fields = [
            {"name": n, "type": "int" if n == "size" else "string"} for n in (template[0] if template else {"obsid": 0})
        ]
        size, page = request["pagesize"], request["page"]
        size = min(size, 4) if request.get("service") == "Mast.Caom.Products" and size else size
        pages = max(1, -(-len(rows) // size))
        part = rows[(page - 1) * size : page * size]
        paging = {"page": page, "pageSize": size, "pagesFiltered": pages, "rows": len(part), "rowsTotal": len(rows)}
        return {"status": "COMPLETE", "msg": "", "fields": fields, "data": part, "paging": paging}

    # CRDS -----------------------------------------------------------------------------------------------------------

    def crds(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = {"jsonrpc": "1.0", "id": request["id"], "error": None, "result": None}
        try:
            result = getattr(self, "crds_" + request["method"])(*request["params"])
        except (AttributeError, TypeError, LookupError) as problem:
            return answer | {"error": {"message": f"{type(problem).__name__}: &lt;{problem}&gt;", "code": 500}}
        if self.encoded:
            packed = base64.b64encode(gzip.compress(json.dumps(result).encode())).decode()
            result = {"crds_encoded": "1.0", "crds_payload": packed}
        return answer | {"result": result}

    def crds_get_default_context(self, observatory: str, state: str | None = None) -> str:
        return self.context

    def crds_get_best_references(self, context: str, header: dict[str, str], types: list[str]) -> dict[str, str]:
        late = header["DATE-OBS"] >= "1994-01-01"
        area = header["MODE"] == "AREA"
        best = {
            "idctab": "ta81040lu_idc.fits" if late else "ta81040ku_idc.fits",
            "offtab": "s9518396u_off.fits" if late else "s9m1329lu_off.fits",
            "dgeofile": "sbh1653tu_dxy.fits" if area else "s8f1222cu_dxy.fits",
        }
        return {kind: best[kind] for kind in types}

    def crds_get_file_info_map(self, observatory: str, files: list[str], fields: list[str]) -> dict[str, Any]:
        known = {name: self.references[name] for name in files if name in self.references}
        facts = {n: {"size": str(len(c)), "sha1sum": hashlib.sha1(c).hexdigest()} for n, c in known.items()}
        return {name: facts.get(name, "NOT FOUND unknown") for name in files}

    # astrometry database, Gaia --------------------------------------------------------------------------------------

    def add_solutions(self, root: str, names: list[str], **facts: Any) -> None:
        """Add WCS solutions of an exposure."""
        self.solutions[root] = {name: make_headerlet(root, name, **facts) for name in names}

    def astrometry(self, root: str, wcsname: str) -> bytes | None:
        known = self.solutions.get(root)
        if known is None:
            return None
        if wcsname:
            return known.get(unquote(wcsname))
        items = "".join(
            f"<solution><solutionID>{i + 1}</solutionID><wcsName>{name}</wcsName></solution>"
            for i, name in enumerate(known)
        )
        best = f"<bestSolutionID>{self.best_solution}</bestSolutionID>"
        return f"<?xml version='1.0'?><observation><name>{root}</name>{best}{items}</observation>".encode()

    def gaia(self, form: dict[str, list[str]]) -> bytes:
        assert form["REQUEST"] == ["doQuery"]
        assert form["LANG"] == ["ADQL"]
        assert form["FORMAT"] == ["csv"]
        return self.stars.encode()


def _meets(row: dict[str, Any], filters: list[dict[str, Any]]) -> bool:
    for entry in filters:
        value = str(row[entry["paramName"]]).lower()
        exact = [str(item).lower() for item in entry["values"]]
        wild = entry.get("freeText", "").replace("%", "*").lower()
        if value not in exact and not (wild and fnmatch.fnmatchcase(value, wild)):
            return False
    return True


# Ways to misbehave ----------------------------------------------------------------------------------------------------


def status(code: int) -> Fault:
    return lambda handler: handler.send_file(b"<html>no</html>", code)


def content(body: bytes) -> Fault:
    return lambda handler: handler.send_file(body)


def silence(handler: Handler) -> None:
    handler.close_connection = True
    if not handler.service.released.wait(LONGEST_HANG):
        handler.service.outlasted.append(handler.path)


def _drip(handler: Handler, content: bytes) -> None:
    """Send a byte now and then, until the client hangs up or the test ends."""
    for byte in content:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        if handler.service.released.wait(0.05):
            return
    handler.service.outlasted.append(handler.path)


def drip_header(handler: Handler) -> None:
    handler.close_connection = True
    _drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * int(LONGEST_HANG / 0.05))


def drip_body(handler: Handler) -> None:
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    _drip(handler, b"S" * int(LONGEST_HANG / 0.05))


def truncated(handler: Handler) -> None:
    """Announce more than is sent."""
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"SIMPLE  =")


def redirect_loop(handler: Handler) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def not_http(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"220 ftp ready\r\n")


FAULTS = {
    "404": status(404),
    "500": status(500),
    "silence": silence,
    "dripping header": drip_header,
    "dripping body": drip_body,
    "truncated": truncated,
    "redirect loop": redirect_loop,
    "not HTTP": not_http,
    "web page": content(b"<html>Please log in</html>"),
}
#: Those that only a limit of the client's ends; all others answer by themselves.
HANGING = {"silence", "dripping header", "dripping body"}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Server(ThreadingHTTPServer):
    """A server whose threads say nothing of clients that hang up, as a server's standard error is the test's own."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def service() -> Iterator[Service]:
    server = Server(("127.0.0.1", 0), Handler)
    state = Service(f"http://127.0.0.1:{server.server_address[1]}")
    server.RequestHandlerClass = type("Bound", (Handler,), {"service": state})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    outlasted = list(state.outlasted)
    state.released.set()
    server.shutdown()
    server.server_close()
    thread.join()
    assert not outlasted, "a hanging server was waited for"


@pytest.fixture
def settings(service: Service, monkeypatch: pytest.MonkeyPatch) -> ArchiveSettings:
    """Settings that know only the local server, with waits that no stall of a busy machine outlasts."""
    monkeypatch.setattr("mizzle.archive.astrometry._LONGEST_WAIT", 300.0)
    return ArchiveSettings(
        mast_url=service.url,
        cloud_url=service.url,
        crds_url=service.url,
        astrometry_url=service.url,
        gaia_url=service.url + "/tap",
        connect_timeout=30.0,
        timeout=300.0,
        retries=1,
    )


@pytest.fixture
def hasty(settings: ArchiveSettings) -> ArchiveSettings:
    """The same, for a server that hangs."""
    return settings.model_copy(update={"timeout": 0.4})


@pytest.fixture
def limits(settings: ArchiveSettings, hasty: ArchiveSettings, fault: tuple[str, Fault]) -> ArchiveSettings:
    """Settings for `fault`: hasty where it hangs."""
    return hasty if fault[0] in HANGING else settings


@pytest.fixture
def closed() -> Iterator[str]:
    """An address where nobody listens, nor can begin to: the port is taken, and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(params=sorted(FAULTS))
def fault(request: pytest.FixtureRequest) -> tuple[str, Fault]:
    """Every way to misbehave in turn."""
    return request.param, FAULTS[request.param]


@pytest.fixture
def faults() -> dict[str, Fault]:
    """All ways to misbehave, by name."""
    return FAULTS
