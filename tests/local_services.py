"""Stand-ins on the loopback address: MAST's files, CRDS's choice, and an astrometry database that knows nothing."""

from __future__ import annotations

import contextlib
import fnmatch
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

#: What the ``crds`` command does in this folder: writes the names of the tables into the headers.
CRDS_COMMAND = """
import glob, os, sys, urllib.request
from astropy.io import fits
assert sys.argv[1] == "bestrefs" and "--update-bestrefs" in sys.argv
folder = os.path.join(os.environ["CRDS_PATH"], "references", "hst", "wfpc2")
os.makedirs(folder, exist_ok=True)
best = dict(line.split() for line in
            urllib.request.urlopen(os.environ["CRDS_SERVER_URL"] + "/bestrefs").read().decode().splitlines())
for pattern in sys.argv[sys.argv.index("--files") + 1:]:
    if pattern.startswith("--"):
        break
    for name in glob.glob(pattern):
        with fits.open(name, mode="update") as hdus:
            for key, value in best.items():
                hdus[0].header[key] = "uref$" + value
"""


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def log_message(self, *_):
        return

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        if self.path == "/bestrefs":
            self._send(b"IDCTAB sad1946fu_idc.fits\nOFFTAB s9518396u_off.fits\nDGEOFILE s8f1222cu_dxy.fits\n")
        elif self.path == "/list":
            self._send("\n".join(sorted(p.name for p in self.folder.glob("*.fits"))).encode())
        elif self.path.startswith("/files/") and (self.folder / name).is_file():
            self._send((self.folder / name).read_bytes())
        else:  # an exposure the astrometry database does not know
            self._send(b"not here", 404)

    def _send(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def serve(folder):
    """Serve a folder of exposures; yield the address."""
    handler = type("Handler", (_Handler,), {"folder": Path(folder)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Observations:
    """The three calls of ``astroquery.mast.Observations`` that the notebook makes."""

    def __init__(self, url):
        self.url = url

    def _get(self, path):
        with urllib.request.urlopen(f"{self.url}/{path}") as answer:
            return answer.read()

    def query_criteria(self, *, obs_id, filters, obstype):
        names = self._get("list").decode().split()
        return sorted({n[:9] for n in names if fnmatch.fnmatchcase(n[:9], obs_id)}) if filters == "F814W" else []

    def get_product_list(self, table):
        return [name for name in self._get("list").decode().split() if name[:9] in table]

    def download_products(self, products, *, mrp_only, productSubGroupDescription, extension):
        for name in products:
            if name[10:13].upper() in productSubGroupDescription and name.endswith(extension):
                target = Path("mastDownload/HST") / name[:9] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self._get(f"files/{name}"))
