"""Every wait ends in time, every failure is one clear error."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from archive.conftest import HANGING, LONGEST_HANG
from mizzle.archive import web
from mizzle.archive.web import Patience, ServiceError, UnreachableError, get_bytes, get_json
from mizzle.errors import InputError

#: Of a client whose server answers: no stall of a busy machine lasts as long.
PATIENCE = Patience(60.0, 300.0)
#: Of one whose server hangs.
HASTY = Patience(60.0, 0.3)


def test_every_failure_is_one_error_in_time(service, fault):
    """The server hangs until the test ends; had it been waited for, the server would say so."""
    name, misbehave = fault
    service.faults["/observation/*"] = misbehave
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1") as caught:
        get_json(service.url + "/observation/read/x", HASTY if name in HANGING else PATIENCE)
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, UnreachableError)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("404", "not there"),
        ("500", "server failed"),
        ("silence", "archive.timeout"),
        ("dripping header", "archive.timeout"),
        ("dripping body", "archive.timeout"),
        ("truncated", "truncated, 9 of 100000 bytes"),
        ("redirect loop", "circle"),
        ("web page", "not JSON"),
    ],
)
def test_the_error_says_what_happened(service, faults, name, words):
    service.faults["*"] = faults[name]
    with pytest.raises(ServiceError, match=words):
        get_json(service.url + "/x", HASTY if name in HANGING else PATIENCE)


def test_a_closed_port_is_unreachable_at_once(closed):
    with pytest.raises(UnreachableError, match=r"cannot be reached: .*offline"):  # not: no connection within
        get_bytes(closed, PATIENCE)


def test_a_server_that_never_accepts_is_given_up():
    """Left to itself, the system would go on trying for minutes; the error says which limit ended it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # fill the queue: further connections hang
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        with pytest.raises(ServiceError, match=r"within 0\.\d s \(archive\."):
            get_bytes(f"http://127.0.0.1:{full.getsockname()[1]}/", Patience(0.5, 0.3))
        for client in waiting:
            client.close()


def test_a_stalling_name_look_up_is_given_up(monkeypatch):
    release, outlasted = threading.Event(), []

    def stall(*_, **__):
        if not release.wait(LONGEST_HANG):
            outlasted.append("look-up")
        raise OSError("late")

    monkeypatch.setattr(web.socket, "getaddrinfo", stall)
    with pytest.raises(UnreachableError, match=r"archive\.connect_timeout"):
        get_bytes("http://mast.invalid/", Patience(0.5, 300.0))
    assert not outlasted
    release.set()


def test_many_dead_addresses_share_one_limit(monkeypatch):
    """Were each given the whole limit, they would take minutes."""
    dead = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))] * 1000
    release, tried = threading.Event(), []

    class Hanging(socket.socket):
        def connect(self, address):
            tried.append(address)
            release.wait(self.gettimeout() / 4)
            raise TimeoutError("timed out")

    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_, **__: dead)
    monkeypatch.setattr(web.socket, "socket", Hanging)
    with pytest.raises(UnreachableError):
        get_bytes("http://mast.invalid/", Patience(0.5, 300.0))
    assert len(tried) < len(dead)
    release.set()


def test_an_endless_answer_is_cut(service, faults):
    service.files["big_c0m.fits"] = b"x" * 3_000_000
    with pytest.raises(ServiceError, match="1 MB"):
        get_bytes(service.url + "/api/v0.1/Download/file?uri=big_c0m.fits", Patience(1, 5), limit=1 << 20)


def test_redirects_to_another_scheme_are_refused(service):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "file:///etc/passwd")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    service.faults["*"] = elsewhere
    with pytest.raises(ServiceError):
        get_bytes(service.url + "/x", PATIENCE)


def test_one_redirect_is_followed(service):
    def moved(handler):
        handler.send_response(302)
        handler.send_header("Location", "/api/v0/")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    service.faults["/old"] = moved
    assert get_bytes(service.url + "/old", PATIENCE) == b"MAST"


def test_control_characters_of_a_server_never_reach_the_terminal(service, faults):
    def hostile(handler):
        handler.send_response(500, "\x1b[31mred")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    service.faults["*"] = hostile
    with pytest.raises(ServiceError) as caught:
        get_bytes(service.url + "/x", PATIENCE)
    assert str(caught.value).isprintable()


def test_proxies_are_respected(service, monkeypatch):
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"proxy")

        def log_message(self, *_):
            return

    proxy = HTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        assert get_bytes("http://archive.invalid/file", PATIENCE) == b"proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert get_bytes(service.url + "/api/v0/", PATIENCE) == b"MAST"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
    assert asked == ["http://archive.invalid/file"]


def test_errors_are_input_errors_with_facts(service):
    with pytest.raises(InputError) as caught:
        get_bytes(service.url + "/nowhere", PATIENCE)
    assert caught.value.exit_code == 3
    assert caught.value.facts["status"] == 404
