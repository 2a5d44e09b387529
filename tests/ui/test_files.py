"""Which files of this computer can be reached through the server, and what may be put on it."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from localspec import texts
from localspec.access import uploads
from localspec.access.session_auth import cookie
from localspec.access.uploads import LARGEST_REQUEST, Uploads
from tests.access.evil import Evil
from tests.running import RunningApp, finished
from tests.ui.watched import attacker

__all__ = ["attacker"]


def upload(app: RunningApp, *names: str, content: bytes = b"text") -> list[str]:
    """Where files of these names lie after the page has uploaded them."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode() + content + b"\r\n"
        for name in names
    ]
    kind = {"Content-Type": "multipart/form-data; boundary=x", "Origin": app.address}
    answer = app.request("POST", "/gradio_api/upload", kind, b"".join([*parts, b"--x--\r\n"]))
    assert answer.status == 200
    listed: list[str] = json.loads(answer.read())
    return listed


def test_no_file_but_an_upload_is_served(running: RunningApp, attacker: Evil, tmp_path: Path) -> None:
    (kept,) = upload(running, "kept.txt", content=b"kept")
    assert running.request("GET", f"/gradio_api/file={kept}").read() == b"kept"
    place = running.home / "stores" / ".cache" / "uploads"
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    link, folder = place / "link.txt", place / "folder"
    link.symlink_to(secret)
    folder.symlink_to(tmp_path)
    inside = Path(kept).parent / "link.txt"
    inside.symlink_to(secret)
    try:
        wanted = [
            secret, link, inside, folder / "secret.txt", f"{kept}/../../../instance.json", f"/{secret}", f"{place}/",
            f"{place}/../instance.json", f"{place}/%2e%2e/instance.json", f"{place}/..%2finstance.json", place,
            f"{place}/%252e%252e/instance.json", f"..%2f..%2f..{secret}", "app.py", "./app.py", "C:/Windows/win.ini",
            running.home / "stores" / "conversations.db", "/proc/self/environ", "/dev/null", f"file://{secret}",
            f"{kept}%00", f"{attacker.address}/fetched", f"{attacker.address.replace(':', '%3A')}/fetched", "//evil/x",
        ]  # fmt: skip
        for path in wanted:
            for route in (f"/gradio_api/file={path}", f"/gradio_api/file/{path}", f"/file={path}", f"/static/{path}"):
                answer = running.request("GET", route)
                said = answer.read()
                assert answer.status in (400, 403, 404, 405), route
                assert b"secret" not in said, route
                assert b"identity" not in said, route
        for route in (
            f"/gradio_api/proxy={attacker.address}/x", "/assets/../../../routes.py", "/assets/..%2f..%2froutes.py",
            f"/export/..%2f{secret}", "/gradio_api/deep_link", "/gradio_api/openapi.json", "/monitoring",
        ):  # fmt: skip
            assert running.request("GET", route).status in (400, 403, 404, 405), route
    finally:
        for made in (link, folder, inside):
            made.unlink()
    assert attacker.heard == []


def test_an_upload_is_kept_as_a_file_and_shown_as_nothing(running: RunningApp) -> None:
    for name in ("page.html", "script.js", "drawing.svg", "style.css"):
        (kept,) = upload(running, name, content=b"<script>alert(1)</script>")
        answer = running.request("GET", f"/gradio_api/file={kept}")
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "application/octet-stream"
        assert (answer.getheader("Content-Security-Policy") or "").startswith("default-src 'none'; sandbox")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(
    "name", ["../planted.txt", "..\\planted.txt", "/tmp/planted.txt", "%2e%2e%2fplanted.txt", "planted.txt\0"]
)
def test_an_uploads_name_leads_nowhere_else(running: RunningApp, name: str) -> None:
    place = running.home / "stores" / ".cache" / "uploads"
    with suppress(AssertionError):  # refused is as good
        for kept in upload(running, name):
            assert Path(kept).resolve().is_relative_to(place)
    assert not (place.parent / "planted.txt").exists()
    assert not Path("/tmp/planted.txt").exists()


def handled(app: RunningApp, part: str, event: str, data: object) -> bool:
    """Whether the handler of a component's event takes this as its first input, asked without the page."""
    config = json.loads(app.request("GET", "/config").read())
    components = {one["id"]: one["props"] for one in config["components"]}
    (wanted,) = (one for one in components if components[one].get("elem_id") == part)
    (handler,) = (one for one in config["dependencies"] if [wanted, event] in [list(pair) for pair in one["targets"]])
    values = [data, *(components[one].get("value") for one in handler["inputs"][1:])]
    body = {"data": values, "fn_index": handler["id"], "session_hash": "probe", "event_data": None}
    kind = {"Content-Type": "application/json", "Origin": app.address}
    answer = app.request("POST", "/gradio_api/run/predict", kind, json.dumps(body).encode())
    said = json.loads(answer.read())
    assert answer.status == (500 if "error" in said else 200), said
    return answer.status == 200


def test_a_handler_takes_no_file_that_was_not_uploaded(running: RunningApp, attacker: Evil, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("The heron is the password.")
    (program,) = upload(running, "program.exe", content=b"MZ\x90\0")
    (text,) = upload(running, "text.txt")
    (chats,) = upload(running, "chats.json", content=b"[]")
    meta = {"_type": "gradio.FileData"}
    for path in (str(secret), f"{attacker.address}/fetched.md", "/etc/hostname", "../app.py", program):
        for url in (None, f"{attacker.address}/fetched.md"):
            file = {"path": path, "url": url, "orig_name": "x.md", "meta": meta}
            assert not handled(running, "entry", "submit", {"text": "", "files": [file]}), path
    for path in (str(secret), text, program):
        assert not handled(running, "import-chats", "upload", {"path": path, "meta": meta}), path
    # What was uploaded is taken, so the above tests what it should.
    assert handled(running, "entry", "submit", {"text": "", "files": [{"path": text, "meta": meta}]})
    assert handled(running, "import-chats", "upload", {"path": chats, "meta": meta})
    # Gradio leaves an empty file behind for each of these; the next upload clears it away.
    upload(running, "next.txt")
    wait_until_none_is_unfinished(running)
    assert attacker.heard == []
    assert not list(running.home.rglob("*secret*"))
    assert "heron" not in running.log.read_text()


# -- what may be put on it ------------------------------------------------------------------------------------------


def unfinished(app: RunningApp) -> list[Path]:
    """Files of uploads that are under way, or were broken off."""
    return [file for file in (app.home / "stores" / ".cache" / "uploads").glob("*") if file.is_file()]


def wait_until_none_is_unfinished(app: RunningApp) -> None:
    """They go after the answer to whoever uploads."""
    limit = time.monotonic() + 30
    while unfinished(app):
        assert time.monotonic() < limit
        time.sleep(0.02)


def said(app: RunningApp, body: bytes, **headers: str) -> tuple[int, str]:
    """What an upload is answered."""
    kind = {"Content-Type": "multipart/form-data; boundary=x", "Origin": app.address}
    kind |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = app.request("POST", "/gradio_api/upload", kind, body)
    return answer.status, answer.read().decode().strip()


def test_too_much_at_once_is_refused_before_it_is_read(running: RunningApp) -> None:
    status, why = said(running, b"", Content_Length=str(LARGEST_REQUEST + 1))
    assert (status, why) == (413, texts.UPLOAD_LARGE.format(limit=2))
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        lines = (
            "POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{running.port}", "Transfer-Encoding: chunked",
            f"Cookie: {cookie(running.token, running.port)}", "Content-Type: multipart/form-data; boundary=x", "", "",
        )  # fmt: skip
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 411")
    # Nor is anything else that has no end.
    long = {"Content-Length": str(20 * 2**20), "Content-Type": "application/json"}
    assert running.request("POST", "/gradio_api/run/predict", long).status == 413
    assert not unfinished(running)


def test_too_many_files_leave_none(running: RunningApp) -> None:
    before = {file for file in (running.home / "stores" / ".cache" / "uploads").rglob("*") if file.is_file()}
    part = b'--x\r\nContent-Disposition: form-data; name="files"; filename="many%d.txt"\r\n\r\ntext\r\n'
    body = b"".join(part % number for number in range(1001)) + b"--x--\r\n"
    status, why = said(running, body)
    assert status == 400
    assert "Too many files" in why
    assert {file for file in (running.home / "stores" / ".cache" / "uploads").rglob("*") if file.is_file()} == before


def test_an_upload_that_is_broken_off_leaves_nothing(running: RunningApp) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        lines = (
            "POST /gradio_api/upload HTTP/1.1", f"Host: 127.0.0.1:{running.port}", "Content-Length: 1000000",
            f"Cookie: {cookie(running.token, running.port)}", "Content-Type: multipart/form-data; boundary=x", "",
            '--x\r\nContent-Disposition: form-data; name="files"; filename="half.txt"\r\n\r\n' + "half of it " * 9000,
        )  # fmt: skip
        connection.sendall("\r\n".join(lines).encode())
        limit = time.monotonic() + 30
        while not unfinished(running):
            assert time.monotonic() < limit, "it was never begun"
            time.sleep(0.02)
    wait_until_none_is_unfinished(running)


def test_full_folders_and_full_disks_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answered(length: int) -> tuple[int, str, bool]:
        """Status and text, and whether it went on to whoever takes uploads."""
        sent: list[Any] = []
        reached: list[bool] = []

        async def taker(_scope: Any, _receive: Any, _send: Any) -> None:
            reached.append(True)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload",
                 "headers": [(b"content-length", str(length).encode())]}  # fmt: skip
        finished(Uploads(taker, tmp_path / "uploads")(scope, send, send))  # type: ignore[arg-type]
        return (sent[0]["status"], sent[1]["body"].decode().strip(), bool(reached)) if sent else (0, "", bool(reached))

    folder = tmp_path / "uploads"
    assert answered(1000) == (0, "", True), "the folder need not be there"
    (folder / "0123").mkdir(parents=True)
    (folder / "0123" / "whole.txt").write_text("whole")
    (folder / "tmphalf").write_text("half")
    assert answered(1000) == (0, "", True)
    assert [file.name for file in folder.rglob("*") if file.is_file()] == ["whole.txt"]
    monkeypatch.setattr(uploads, "LARGEST_TOTAL", 1004)
    assert answered(1000) == (507, texts.UPLOAD_WAITING, False)
    assert answered(999) == (0, "", True)
    monkeypatch.setattr(uploads, "LEAST_FREE", 2**62)
    assert answered(10) == (507, texts.UPLOAD_DISK.format(folder=folder), False)


def test_what_an_earlier_start_has_left_is_cleared(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "uploads", tmp_path / "elsewhere"
    uploads.clear(folder)  # there is none yet
    for made in (folder / "0123", elsewhere):
        made.mkdir(parents=True)
    (folder / "0123" / "whole.txt").write_text("whole")
    (folder / "tmphalf").write_text("half")
    (elsewhere / "mine.txt").write_text("mine")
    (folder / "link").symlink_to(elsewhere)
    uploads.clear(folder)
    assert list(folder.iterdir()) == []
    assert (elsewhere / "mine.txt").read_text() == "mine"
