"""A headless Chromium, driven over its debugging pipe: no driver, no web socket, no network."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--no-default-browser-check", "--hide-scrollbars", "--mute-audio",
    "--remote-debugging-pipe",
)  # fmt: skip


def find_chromium() -> str | None:
    """Path of a Chromium, or None."""
    return next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)


class Browser:
    """One browser with an empty profile; `page` opens a tab."""

    def __init__(self, program: str, profile: Path) -> None:
        child_in, self._out = os.pipe()
        self._in, child_out = os.pipe()
        # The browser reads commands on descriptor 3 and answers on 4; either may be taken by the other pipe's end.
        launch = (
            "import os, sys; a, b = (os.dup(os.dup(int(v))) for v in sys.argv[1:3]); c, d = os.dup(a), os.dup(b);"
            "os.dup2(c, 3); os.dup2(d, 4); os.execv(sys.argv[3], sys.argv[3:])"
        )
        words = [sys.executable, "-S", "-c", launch, str(child_in), str(child_out)]
        self._process = subprocess.Popen(
            [*words, program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(child_in, child_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(profile)},
        )  # fmt: skip
        os.close(child_in)
        os.close(child_out)
        self._buffer = b""
        self._next = 0
        self.events: list[dict[str, Any]] = []

    def close(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self.call("Browser.close")
        for end in (self._in, self._out):
            os.close(end)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise EOFError("the browser is gone")
            self._buffer += piece
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._next += 1
        message = {"id": self._next, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + 180
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == self._next:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def page(self, **view: Any) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, session, **view)


class Page:
    """A tab that remembers its console messages and its requests."""

    def __init__(
        self, browser: Browser, session: str, *, width: int = 1200, height: int = 900, dark: bool = False,
        mobile: bool = False, ratio: float = 1.0,
    ) -> None:  # fmt: skip
        self._browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=mobile
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def _events(self, method: str) -> list[dict[str, Any]]:
        return [e["params"] for e in self._browser.events
                if e["method"] == method and e.get("sessionId") == self._session]  # fmt: skip

    def open(self, path: Path) -> None:
        """Load a file and wait until its script says that the image is shown."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.until("document.readyState === 'complete' && document.body?.dataset.loaded === 'yes'")

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def until(self, expression: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never true: {expression}; {self.complaints()}")
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait for two frames: what was asked for is drawn."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def complaints(self) -> list[str]:
        """Everything the console was told: messages, exceptions, policy violations."""
        said = [str(e) for e in self._events("Runtime.consoleAPICalled")]
        said += [str(e) for e in self._events("Runtime.exceptionThrown")]
        return said + [str(e["entry"]) for e in self._events("Log.entryAdded")]

    def requests(self) -> list[str]:
        """Addresses asked for, data inside the page aside."""
        asked = [e["request"]["url"] for e in self._events("Network.requestWillBeSent")]
        return [url for url in asked if not url.startswith(("data:", "about:", "blob:"))]

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1, buttons=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Put fingers down, move them, or lift them all."""
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def close(self) -> None:
        self.call("Page.close")

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self, path: Path) -> None:
        data = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
        path.write_bytes(base64.b64decode(data))
