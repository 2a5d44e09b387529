"""The real application in a process of its own, with folders of its own, and a browser."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Error as BrowserError

from localspec.access.session_auth import cookie, with_token
from localspec.models.files.catalogue import SHIPPED_DRAFT, resolve_draft
from localspec.models.files.header import read_arrays
from localspec.models.pairing import TOKENS
from tests.measurements import measurements

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURES = REPOSITORY / "docs" / "pictures" / "tests"
"""Where every browser test leaves what was to be seen when it ended: not in the repository, for whoever runs them."""
BROWSER_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP *.example 127.0.0.1"),
)


Result = TypeVar("Result")


_open: set[RunningApp] = set()
"""Those that were not closed yet"""


class RunningApp:
    """`app.py` as people start it, with its output in a file."""

    def __init__(
        self,
        home: Path,
        *arguments: str,
        tunes: bool = False,
        port: int = 0,
        log: str = "app.log",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """`tunes`: it may try weight formats by itself, which takes the processor from everything else. `port`: the
        first it may take. `extra`: environment variables; with one of them a window may open."""
        self.home = measurements.lend(home)
        self.log = home / log
        self.port = port or free_port()
        # A machine's own settings must not decide what is tested.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GRADIO_")}
        environment |= {"LOCALSPEC_HOME": str(home), "GRADIO_SHARE": "True", "HF_HUB_OFFLINE": "1"}
        environment["LOCALSPEC_TUNE"] = "on" if tunes else "off"
        environment |= extra or {}
        quiet = [] if extra else ["--no-browser"]
        self.started = time.perf_counter()
        _open.add(self)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "app.py"), *quiet, "--port", str(self.port), *arguments],
                env=environment,
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """What lets browsers in; "" before it is served."""
        try:
            return str(json.loads((self.home / "stores" / ".cache" / "instance.json").read_text())["token"])
        except FileNotFoundError:
            return ""

    @property
    def sign_in_address(self) -> str:
        """The address by which a browser comes in: what it prints."""
        return with_token(self.address, self.token)

    def wait_until_served(self, limit: float = 120.0) -> float:
        """Seconds from the start until the page answers."""
        while time.perf_counter() - self.started < limit:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            try:
                if self.token and self.request("GET", "/").status == 200:
                    return time.perf_counter() - self.started
            except OSError:
                pass  # it listens to nothing yet
            time.sleep(0.05)
        raise AssertionError(f"No answer within {limit} s:\n{self.log.read_text(errors='replace')}")

    def said(self, text: str, limit: float = 120.0) -> bool:
        """Wait until it has printed `text`, or is over; whether it has."""
        end = time.perf_counter() + limit
        while time.perf_counter() < end:
            over = self.process.poll() is not None  # looked at first, so that nothing is printed in between
            if text in self.log.read_text(errors="replace"):
                return True
            if over:
                return False
            time.sleep(0.05)
        return False

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"", *, is_in: bool = True
    ) -> http.client.HTTPResponse:
        """One request, with the cookie of a browser that `is_in`; `headers` may replace Host and Cookie, which urllib
        would not let a test do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body))}
        given |= {"Cookie": cookie(self.token, self.port)} if is_in else {}
        given |= headers or {}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse()

    def forget_choices(self) -> None:
        """What was chosen on the page is the usual again in tabs that are opened from now on."""
        (self.home / "stores" / "preferences.json").unlink(missing_ok=True)

    def close(self) -> None:
        _open.discard(self)
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def finished(work: Coroutine[Any, Any, Result]) -> Result:
    """What this comes to, in a thread of its own: the browser's loop may run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def foreign_draft(path: Path) -> Path:
    """The shipped draft model with another text for one of its tokens: a sound file that fits no target here. What it
    says instead is what a hostile file would."""
    shipped = resolve_draft(SHIPPED_DRAFT).path
    longest = max((text for text in read_arrays(shipped, (TOKENS,))[TOKENS] if isinstance(text, bytes)), key=len)
    hostile = b"<b>![x](//evil.example/q)".ljust(len(longest), b"$")
    written = len(longest).to_bytes(8, "little")
    data = shipped.read_bytes()
    assert len(hostile) == len(longest)
    assert data.count(written + longest) == 1
    path.write_bytes(data.replace(written + longest, written + hostile))
    return path


@pytest.fixture(autouse=True)
def usual_choices() -> None:
    """What one test chooses on the page is nothing that the next one finds."""
    for app in _open:
        app.forget_choices()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """One application for all tests of this folder that do not need their own."""
    app = RunningApp(tmp_path_factory.mktemp("home"))
    try:
        app.wait_until_served()
        yield app
    finally:
        app.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: CHROMIUM names another one than the usual."""
    usual = Path("/usr/bin/chromium")
    found = str(usual) if usual.exists() else shutil.which("chromium") or shutil.which("chrome")
    given = os.environ.get("CHROMIUM") or found
    assert given, "The browser tests need Chromium: install it, or set CHROMIUM to the path of its executable."
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=given, args=list(BROWSER_FLAGS))
        yield launched
        launched.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, object, object]:
    """Keep a picture of every page that is open when a browser test ends, passed or failed."""
    try:
        return (yield)
    finally:
        launched = getattr(item, "funcargs", {}).get("browser")
        pages = [page for context in launched.contexts for page in context.pages] if launched is not None else []
        for number, page in enumerate(pages):
            name = re.sub(r"[^A-Za-z0-9]+", "-", f"{Path(item.nodeid.split('::')[0]).stem} {item.name} {number}")
            try:
                page.screenshot(path=PICTURES / f"{name.removesuffix('-0')}.png", timeout=5000)
            except BrowserError as error:  # such as one that the test closed or left without a server
                item.add_report_section("call", "picture", str(error))
