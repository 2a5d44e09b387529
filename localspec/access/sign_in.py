"""Refuses every request of a browser that has not come in, with a plain page that says how to."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import parse_qs, parse_qsl, urlencode

from localspec import texts
from localspec.access.guard import Application, Receive, Scope, Send
from localspec.access.session_auth import SessionAuth, cookie, is_another_user
from localspec.access.throttle import Throttle

ENTER = "/localspec/enter"
"""Takes what a person typed into the page below."""
ENDPOINT = "/v1"
"""It has a token of its own."""
REFUSED_HEADER = b"x-localspec-refused"
_GRADIO_ASKS_ITSELF = "/gradio_api/startup-events"
_BODY_BYTES = 8192
_TOKEN = re.compile(r"[?&]token=([A-Za-z0-9_-]+)")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_STYLE = """
:root { color-scheme: light dark; --ink: #0f172a; --quiet: #475569; --line: #cbd5e1; --ground: #f8fafc; --card: #fff;
  --button: #0f766e; --warm: #9f1239; }
@media (prefers-color-scheme: dark) { :root { --ink: #e2e8f0; --quiet: #94a3b8; --line: #334155; --ground: #0b1120;
  --card: #0f172a; --warm: #fda4af; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink);
  font: 15px/1.55 "Source Sans Pro", ui-sans-serif, system-ui, sans-serif; }
main { max-width: 460px; margin: 16px; padding: 24px 28px; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; }
h1 { margin: 0 0 8px; font-size: 19px; }
p, ul { margin: 0 0 14px; } ul { padding-left: 20px; } li { margin-bottom: 6px; }
.quiet { color: var(--quiet); } .problem { color: var(--warm); font-weight: 600; }
label { display: block; margin-bottom: 4px; font-size: 14px; }
form div { display: flex; gap: 8px; }
input { flex: 1; min-width: 0; padding: 8px 10px; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 8px; }
button { padding: 8px 16px; font: inherit; color: #fff; background: var(--button); border: 0; border-radius: 8px; }
"""


class SignInPage:
    """ASGI middleware, behind the guard."""

    def __init__(self, app: Application, auth: SessionAuth) -> None:
        self.app = app
        self._auth = auth
        self._throttle = Throttle()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path, is_in = str(scope["path"]), self._auth.knows(_headers(scope, b"cookie"), scope["server"][1])
        if path == ENDPOINT or path.startswith(f"{ENDPOINT}/"):
            is_in = _is_local(scope)
        if path == _GRADIO_ASKS_ITSELF and not self._auth.is_served:
            is_in = True
        if scope["type"] == "websocket":
            await (self.app(scope, receive, send) if is_in else send({"type": "websocket.close", "code": 1008}))
        elif path == ENTER and scope["method"] == "POST":
            await self._enter(scope, receive, send)
        elif path == "/" and (shown := _shown(scope)) is not None:
            if is_in or self._opens(shown, scope):
                await self._let_in(scope, send)
            else:
                await self._refuse(scope, send, texts.SIGN_IN_STALE)
        elif is_in:
            await self.app(scope, receive, send)
        else:
            await self._refuse(scope, send)

    def _opens(self, shown: dict[str, str], scope: Scope) -> bool:
        """Whether a token or a ticket in the address is good."""
        if "token" in shown:
            return self._auth.is_token(shown["token"])
        return self._auth.takes(shown.get("ticket", ""), lambda: is_another_user(scope.get("client"), scope["server"]))

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The form was sent: with the password, or with the address that the terminal shows."""
        typed = (await _body(receive)).get("secret", "").strip()
        found = _TOKEN.search(typed)
        if self._auth.is_token(found.group(1) if found else typed):
            await self._let_in(scope, send)
            return
        wait: float | None = 0.0
        if self._auth.has_password:
            client = scope.get("client")
            wait = await self._throttle.guess(client[0] if client else "", lambda: self._auth.is_password(typed))
        if wait is None:
            await self._let_in(scope, send)
        elif wait > 0:
            said = texts.SIGN_IN_WAIT.format(time=texts.seconds(wait))
            await self._refuse(scope, send, said, 429, [(b"retry-after", str(int(wait) + 1).encode())])
        else:
            await self._refuse(scope, send, texts.SIGN_IN_WRONG)

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Give the cookie, and go on to the page without the secret in its address."""
        rest = [(key, value) for key, value in _query(scope) if key not in ("token", "ticket")]
        given = f"{cookie(self._auth.token, scope['server'][1])}; Path=/; HttpOnly; SameSite=Strict"
        headers = [
            (b"location", f"/?{urlencode(rest)}".rstrip("?").encode()),
            (b"set-cookie", given.encode()),
            (b"cache-control", b"no-store"),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(
        self, scope: Scope, send: Send, problem: str = "", status: int = 401, more: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """The page for people, a line for programs."""
        is_page = "text/html" in ",".join(_headers(scope, b"accept"))
        if is_page:
            # Another site's link brings no cookie that is SameSite=Strict; the page's own second try does.
            again = not problem and scope["path"] == "/" and _headers(scope, b"sec-fetch-site") in CROSS_SITE
            body, kind = page(self._auth.has_password, problem, again=again).encode(), b"text/html; charset=utf-8"
        else:
            body, kind = f"{problem or texts.SIGN_IN_REFUSED}\n".encode(), b"text/plain; charset=utf-8"
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", _POLICY.encode()),
            (REFUSED_HEADER, b"1"),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


CROSS_SITE = (["cross-site"], ["same-site"])


def page(has_password: bool, problem: str = "", *, again: bool = False) -> str:
    """How to come in. `again` has the browser ask for LocalSpec's page once more by itself."""
    ways = [texts.SIGN_IN_BY_START, texts.SIGN_IN_BY_TERMINAL]
    kind, label = ("password", texts.SIGN_IN_PASSWORD) if has_password else ("text", texts.SIGN_IN_ADDRESS)
    said = f'<p class="problem" role="alert">{html.escape(problem)}</p>' if problem else ""
    listed = "".join(f"<li>{html.escape(way)}</li>" for way in ways)
    at_once = '<meta http-equiv="refresh" content="0; url=/">' if again else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{at_once}<title>{texts.TITLE}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main><h1>{html.escape(texts.SIGN_IN_TITLE)}</h1>"
        f'{said}<p class="quiet">{html.escape(texts.SIGN_IN_WHY)}</p><ul>{listed}</ul>'
        f'<form method="post" action="{ENTER}"><label for="secret">{html.escape(label)}</label>'
        f'<div><input id="secret" name="secret" type="{kind}" autocomplete="current-password" required autofocus>'
        f"<button>{html.escape(texts.SIGN_IN_ENTER)}</button></div></form></main></body></html>"
    )


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=100)


def _shown(scope: Scope) -> dict[str, str] | None:
    """Token and ticket in the address; None where there is neither."""
    if scope["method"] not in ("GET", "HEAD"):
        return None
    try:
        shown = {key: value for key, value in _query(scope) if key in ("token", "ticket")}
    except ValueError:  # more fields than any address of ours has
        return None
    return shown or None


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    try:
        return client is not None and ip_address(client[0]).is_loopback
    except ValueError:
        return False


async def _body(receive: Receive) -> dict[str, str]:
    """The fields of a form; of one that is too long, none."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return {}
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _BODY_BYTES:
            return {}
    try:
        fields = parse_qs(bytes(body).decode("utf-8", errors="replace"), max_num_fields=10)
    except ValueError:
        return {}
    return {key: values[0] for key, values in fields.items()}
