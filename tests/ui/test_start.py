"""Starting and stopping the application."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localspec.errors import SettingsError
from localspec.ui import app
from tests.ui.conftest import REPOSITORY, RunningApp


def test_page_is_up_soon_and_says_where_and_ctrl_c_ends_it(running: RunningApp, tmp_path: Path) -> None:
    # `running` has started before, so that this start is a warm one.
    started = RunningApp(tmp_path)
    try:
        seconds = started.wait_until_served()
        print(f"the page answered {seconds:.2f} s after a warm start")  # noqa: T201
        assert seconds < 15  # 5 on an idle machine; the machines that run tests are busy
        # The server answers a moment before the address is printed.
        said = f"LocalSpec is running at {started.address}\n"
        limit = time.perf_counter() + 60
        while said not in started.log.read_text() and time.perf_counter() < limit:
            time.sleep(0.1)
        assert said in started.log.read_text()
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(60) == 0
        assert "Traceback" not in started.log.read_text()
    finally:
        started.close()


def test_nothing_heavy_is_imported_before_the_page_is_served() -> None:
    script = "import sys, localspec.ui.app; print([name for name in ('torch', 'transformers') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_taken_port_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < app.free_port(port) < port + app.PORTS_TRIED


def test_no_free_port_is_said() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(SettingsError, match="No free port"):
            app.free_port(65535)
