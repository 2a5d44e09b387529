"""Who is the application of a folder, told by lock, note and answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from localspec.desktop import instance
from localspec.desktop.instance import Instance, Note, claim
from localspec.errors import InstanceError
from tests.running import free_port


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path / "my home"))
    return tmp_path / "my home"


@contextmanager
def served(answer: bytes) -> Iterator[str]:
    """The address of a server that gives this answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def note_file(home: Path) -> Path:
    return home / "stores" / ".cache" / "instance.json"


def claimed() -> Instance:
    found = claim(limit=5)
    assert isinstance(found, Instance)
    return found


def test_the_first_one_is_it_and_the_next_finds_it(home: Path) -> None:
    first = claimed()
    with served(json.dumps({"instance": first.identity}).encode()) as address:
        first.publish(address)
        assert claim(limit=5) == Note(os.getpid(), address, first.identity, first.token)
    first.close()
    assert not note_file(home).exists()
    claimed().close()


def test_an_answer_of_somebody_else_proves_nothing(home: Path) -> None:
    first = claimed()
    for answer in (b'{"instance": "0123"}', b"<html>another program</html>", b"[1]", b"", b"\xff"):
        with served(answer) as address:
            first.publish(address)
            with pytest.raises(InstanceError, match=f"process {os.getpid()}"):
                claim(limit=0)
    first.close()


def test_what_a_killed_one_has_left_is_no_hindrance(home: Path) -> None:
    note = json.dumps({"pid": 1, "address": f"http://127.0.0.1:{free_port()}", "identity": "0123", "token": "t" * 43})
    for left in (note, note[:20], "", "[]", '{"pid": "x"}', "\0" * 99):
        claimed().close()
        note_file(home).write_text(left)
        second = claimed()
        assert not note_file(home).exists()
        second.close()


@pytest.mark.parametrize(
    "address",
    ["http://example.org:80", "https://127.0.0.1:443", "http://127.0.0.1", "file:///etc/passwd", "http://127.0.0.1:x"],
)
def test_a_note_that_names_another_computer_is_not_followed(
    home: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance, "answers", lambda note: pytest.fail(f"asked {note.address}"))
    first = claimed()
    first.publish(address)
    with pytest.raises(InstanceError):
        claim(limit=0)
    first.close()


def test_one_whose_lock_file_was_deleted_is_still_found(home: Path) -> None:
    first = claimed()
    with served(json.dumps({"instance": first.identity}).encode()) as address:
        first.publish(address)
        (home / "stores" / ".cache" / "instance.lock").unlink()
        assert isinstance(claim(limit=5), Note)
    first.close()


def test_one_that_is_starting_or_ending_is_waited_for(home: Path) -> None:
    first = claimed()
    said: list[bool] = []
    threading.Timer(1.0, first.close).start()
    second = claim(waiting=lambda: said.append(True), limit=30)
    assert isinstance(second, Instance)
    assert said == [True]
    second.close()


def test_waiting_can_be_given_up(home: Path) -> None:
    first = claimed()
    given_up = threading.Event()
    threading.Timer(0.5, given_up.set).start()
    assert claim(given_up.is_set, limit=30) is None
    first.close()


def test_other_folders_are_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = claimed()
    monkeypatch.setenv("LOCALSPEC_HOME", str(home.with_name("another")))
    claimed().close()
    first.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path / "a file"))
    with pytest.raises(InstanceError, match="a file"):
        claim()


def test_a_second_start_is_over_before_anything_heavy_is_imported() -> None:
    script = (
        "import sys, app; "
        "print([name for name in ('gradio', 'numpy', 'llama_cpp', 'torch', 'starlette') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
