"""With no network at all: start, drop a PDF, ask, get a cited answer. Nobody outside this computer is contacted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.access import isolation
from tests.builders import make_pdf
from tests.running import RunningApp
from tests.ui.test_browser import CLEANED, LIGHTHOUSE, Visit

pytestmark = pytest.mark.browser

INSIDE = "LOCALSPEC_TEST_ALONE"
AUDIT = Path(__file__).parent / "audit"
# Documentation's own addresses (RFC 5737): nobody has them.
NOBODY = "http://192.0.2.9:3128"


@pytest.mark.slow
def test_a_dropped_pdf_is_answered_without_any_network(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if INSIDE not in os.environ and isolation.is_possible():
        # The same test, where there is no network but a loopback device.
        this = f"{__file__}::{request.node.name}"
        done = isolation.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", this, **{INSIDE: "1"})
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout
        return
    # Elsewhere the hook in every Python program, which stops what leads away, has to do.
    browser: Browser = request.getfixturevalue("browser")
    log = tmp_path / "contacts"
    watched = {"PYTHONPATH": str(AUDIT), "LOCALSPEC_TEST_AUDIT": str(log)}
    _check_the_hook(watched, log)
    # Nothing may be asked of a hub, nor of a proxy, even where the environment allows both.
    allowed = {"HF_HUB_OFFLINE": "0", "HTTP_PROXY": NOBODY, "HTTPS_PROXY": NOBODY, "ALL_PROXY": NOBODY, "NO_PROXY": ""}
    lower = {name.lower(): value for name, value in allowed.items() if "PROXY" in name}
    app = RunningApp(tmp_path, extra={**watched, **allowed, **lower, "DISPLAY": "", "WAYLAND_DISPLAY": ""})
    try:
        app.wait_until_served()
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        visit = Visit(context, app)
        visit.longest(40)
        visit.force(CLEANED)
        visit.drop(make_pdf(tmp_path / "lighthouse.pdf", LIGHTHOUSE, title="Handbook"))
        answer = visit.ask("How should the lamp be cleaned?")
        source = answer.locator("button.citation").first
        expect(source).to_contain_text(re.compile(r"lighthouse\.pdf, page \d"))
        expect(visit.page.locator("#documents .document.ready")).to_have_count(1)
        visit.assert_quiet()
        context.close()
    finally:
        app.close()
    lines = log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("here ")] == []
    programs = {line.rpartition(" ")[2] for line in lines if " subprocess.Popen " in line}
    assert {Path(program).name for program in programs} <= {Path(sys.executable).name}, "others would not be watched"
    assert f"here {app.process.pid} socket.bind 127.0.0.1" in lines, "the hook was there"


def _check_the_hook(watched: dict[str, str], log: Path) -> None:
    """A program that tries, from a child of its own too, is stopped and written down."""
    tries = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    for script in (tries, f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {tries!r}]))"):
        done = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **watched}, capture_output=True, text=True
        )
        assert done.returncode != 0
        assert "stopped by the test" in done.stderr
        assert "elsewhere" in log.read_text()
        log.unlink()
