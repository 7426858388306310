"""Every wait ends in time, every failure is one clear error."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mizzle.archive import web
from mizzle.archive.web import Patience, ServiceError, UnreachableError, get_bytes, get_json
from mizzle.errors import InputError

PATIENCE = Patience(0.5, 0.3)


def test_every_failure_is_one_error_in_time(service, fault):
    name, misbehave = fault
    service.faults["/observation/*"] = misbehave
    begin = time.perf_counter()
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1") as caught:
        get_json(service.url + "/observation/read/x", PATIENCE)
    assert time.perf_counter() - begin < 2.0, name
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
        get_json(service.url + "/x", PATIENCE)


def test_a_closed_port_is_unreachable_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        begin = time.perf_counter()
        with pytest.raises(UnreachableError, match="offline"):
            get_bytes(f"http://127.0.0.1:{taken.getsockname()[1]}/", PATIENCE)
    assert time.perf_counter() - begin < 1.0


def test_a_server_that_never_accepts_is_given_up_in_time():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # fill the queue: further connections hang
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        begin = time.perf_counter()
        with pytest.raises(ServiceError):
            get_bytes(f"http://127.0.0.1:{full.getsockname()[1]}/", PATIENCE)
        assert time.perf_counter() - begin < 2.0
        for client in waiting:
            client.close()


def test_a_stalling_name_look_up_is_given_up(monkeypatch):
    release = threading.Event()

    def stall(*_, **__):
        release.wait(5)
        raise OSError("late")

    monkeypatch.setattr(web.socket, "getaddrinfo", stall)
    begin = time.perf_counter()
    with pytest.raises(UnreachableError, match=r"archive\.connect_timeout"):
        get_bytes("http://mast.invalid/", PATIENCE)
    assert time.perf_counter() - begin < 1.5
    release.set()


def test_many_dead_addresses_share_one_limit(monkeypatch):
    dead = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))] * 20

    class Hanging(socket.socket):
        def connect(self, address):
            time.sleep(self.gettimeout() / 4)
            raise TimeoutError("timed out")

    monkeypatch.setattr(web.socket, "getaddrinfo", lambda *_, **__: dead)
    monkeypatch.setattr(web.socket, "socket", Hanging)
    begin = time.perf_counter()
    with pytest.raises(UnreachableError):
        get_bytes("http://mast.invalid/", PATIENCE)
    assert time.perf_counter() - begin < 1.5


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
