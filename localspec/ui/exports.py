"""Exports as downloads: the browser asks for `/export/12.md`, `/export/all.json` and the like, and gets a file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from localspec import texts
from localspec.access.guard import Application as Asgi
from localspec.access.guard import Receive, Scope, Send
from localspec.application.state import Application
from localspec.chat.transfer import as_json, as_markdown
from localspec.errors import LocalSpecError
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import StoredConversation

_PATH = re.compile(r"/export/(all|\d{1,18})\.(md|json)|/export/(presets|prompts)\.(json)")
_KINDS = {"md": "text/markdown; charset=utf-8", "json": "application/json"}
_NAME_CHARACTERS = 60


class Exports:
    """ASGI middleware that answers these addresses. It stands behind the guard, which lets only our own page ask."""

    def __init__(self, app: Asgi, application: Application) -> None:
        self.app = app
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        wanted = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if wanted is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        which, kind = wanted.group(1) or wanted.group(3), wanted.group(2) or wanted.group(4)
        response = await run_in_threadpool(self._respond, which, kind)
        await response(scope, receive, send)

    def _respond(self, which: str, kind: str) -> Response:
        if which == "presets":
            return _file([self._application.presets.exported()], texts.MY_PRESETS, kind)
        if which == "prompts":
            return _file([self._application.prompts.exported()], texts.MY_PROMPTS, kind)
        try:
            store = self._application.history.store
            if which == "all":
                name, conversations = texts.ALL_CHATS, _all(store)
            else:
                kept = store.load(int(which))
                name, conversations = kept.title, iter([kept])
        except LocalSpecError as error:
            return PlainTextResponse(str(error), status_code=404)
        return _file(as_json(conversations) if kind == "json" else as_markdown(conversations), name, kind)


def _file(pieces: Iterable[str], name: str, kind: str) -> Response:
    """A download of these pieces."""
    file = file_name(name, kind)
    plain = unicodedata.normalize("NFKD", file).encode("ascii", "ignore").decode()
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file)}"
    encoded = (piece.encode("utf-8", "replace") for piece in pieces)
    return StreamingResponse(
        encoded, media_type=_KINDS[kind], headers={"content-disposition": disposition, "cache-control": "no-store"}
    )


def file_name(title: str, kind: str) -> str:
    """What the file of a chat is called: letters and digits of its title."""
    words = re.findall(r"\w+", title)
    return f"{'-'.join(words)[:_NAME_CHARACTERS].strip('-_') or 'chat'}.{kind}"


def _all(store: Conversations) -> Iterator[StoredConversation]:
    """All conversations, one in memory at a time; those that go meanwhile, or are damaged, are left out."""
    for info in store.newest():
        try:
            yield store.load(info.id)
        except LocalSpecError:
            continue
