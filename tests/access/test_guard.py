"""The real server answers its own page and nobody else's."""

from __future__ import annotations

import base64
import os
import socket

import pytest

from localspec.access.guard import script_hashes
from tests.running import RunningApp


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_own_names_pass(running: RunningApp, name: str) -> None:
    own = f"{name}:{running.port}"
    assert running.request("GET", "/", {"Host": own}).status == 200
    assert running.request("GET", "/config", {"Host": own, "Origin": f"http://{own}"}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}"]
)
def test_foreign_host_is_refused(running: RunningApp, host: str) -> None:
    foreign = host.format(port=running.port)
    answer = running.request("GET", "/", {"Host": foreign, "Origin": f"http://{foreign}"})
    assert answer.status == 403
    assert b"gradio" not in answer.read()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
def test_foreign_origin_is_refused(running: RunningApp, origin: str) -> None:
    answer = running.request("GET", "/config", {"Origin": origin.format(port=running.port)})
    assert answer.status == 403


def test_cross_site_upload_leaves_nothing_on_disk(running: RunningApp) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="from-elsewhere.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nplanted\r\n--x--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = running.request("POST", "/gradio_api/upload", {**kind, "Origin": "http://evil.example"}, body)
    assert refused.status == 403
    assert not list(running.home.rglob("from-elsewhere.txt"))
    # The same upload from the page itself works, so the test above tests the guard.
    passed = running.request("POST", "/gradio_api/upload", {**kind, "Origin": running.address}, body)
    assert passed.status == 200
    assert list(running.home.rglob("from-elsewhere.txt"))


def test_foreign_websocket_is_refused(running: RunningApp) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        lines = (
            "GET /gradio_api/queue/join HTTP/1.1", f"Host: 127.0.0.1:{running.port}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            "Origin: http://evil.example", "", "",
        )  # fmt: skip
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 403")


def test_policy_allows_nothing_from_elsewhere(running: RunningApp) -> None:
    answer = running.request("GET", "/")
    policy = answer.getheader("Content-Security-Policy") or ""
    assert "img-src 'self' data: blob:;" in policy
    assert "connect-src 'self';" in policy
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'sha256-" in scripts
    assert "unsafe" not in scripts
    assert "http:" not in policy
    assert "https:" not in policy
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Referrer-Policy") == "same-origin"


def test_other_answers_carry_the_policy_too(running: RunningApp) -> None:
    for path in ("/config", "/theme.css", "/gradio_api/file=missing", "/localspec/instance"):
        policy = running.request("GET", path).getheader("Content-Security-Policy") or ""
        assert policy.startswith("default-src 'none'; script-src 'self'"), path


@pytest.mark.parametrize("path", ["app.py", "localspec/config.py", "requirements.txt"])
def test_files_of_this_computer_are_not_served(running: RunningApp, path: str) -> None:
    assert running.request("GET", f"/gradio_api/file={path}").status in (403, 404)
    assert running.request("GET", f"/gradio_api/file=/etc/../{path}").status in (403, 404)


def test_listens_on_the_loopback_address_only(running: RunningApp) -> None:
    others = {str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        if address.startswith("127."):
            continue
        with socket.socket() as connection:
            connection.settimeout(3)
            assert connection.connect_ex((address, running.port)) != 0


def test_script_hashes_leave_scripts_with_a_source_out() -> None:
    page = b'<script>let a = 1;</script><script type="module" src="./x.js"></script><SCRIPT defer>b()</SCRIPT >'
    assert len(script_hashes(page)) == 2
    assert script_hashes(b"<script>\r\na</script>") == script_hashes(b"<script>\na</script>")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", f"/gradio_api/{path}") for path in ("queue/join", "cancel", "reset", "call/x", "stream/x")),
        *(("GET", f"/gradio_api/{path}") for path in ("queue/data?session_hash=x", "heartbeat/x", "queue/status")),
    ],
)
def test_what_the_page_does_not_need_is_not_there(running: RunningApp, method: str, path: str) -> None:
    kind = {"Content-Type": "application/json", "Origin": running.address}
    assert running.request(method, path, kind, b"{}" if method == "POST" else b"").status == 404
