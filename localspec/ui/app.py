"""The web application on this computer: builds the page and serves it, to nobody but its own windows."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from localspec import texts
from localspec.access.bind_address import LOOPBACK, BindAddress
from localspec.access.guard import Guard
from localspec.access.route_allowlist import RouteAllowlist
from localspec.access.session_auth import SessionAuth
from localspec.access.sign_in import SignInPage
from localspec.access.uploads import Uploads, clear
from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.desktop import menu
from localspec.errors import SettingsError
from localspec.ui import change_events
from localspec.ui.environment import uploads_folder
from localspec.ui.exports import Exports
from localspec.ui.first_page import FirstPage
from localspec.ui.page import Page

DEFAULT_PORT = 7860
PORTS_TRIED = 100
SCRIPTS = (
    *(
        "look",
        "calm",
        "growing",
        "changes",
        "page",
        "views",
        "entry",
        "quit",
        "copy",
        "menus",
        "focus",
        "announcing",
        "keys",
    ),
    *("libraries", "citing", "copying", "picker", "radios", "attachments", "reading"),
)
"""In this order, all of them before Gradio's; the first before anything is painted"""
STYLES = (
    *("base", "layout", "chat", "answers", "chats", "panel", "figures", "documents", "attachments", "models", "picker"),
    *("settings", "look", "dialogs", "menus", "narrow"),
)
"""In this order, for later ones override"""
LARGEST_UPLOAD = "512mb"
_STARTS_TRIED = 4
_QUEUE_SECONDS = 1.0
_HERE = Path(__file__).parent


def free_port(first: int = DEFAULT_PORT, host: str = LOOPBACK) -> int:
    """The first port of `host` from `first` on that nothing listens on. Raises SettingsError when there is none."""
    last = min(first + PORTS_TRIED - 1, 65535)
    for port in range(first, last + 1):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as candidate:
            if os.name != "nt":  # as the server does, so that a port in TIME_WAIT counts as free; Windows means else
                candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((host, port))
            except OSError:
                continue
            return port
    raise SettingsError(texts.NO_PORT.format(first=first, last=last))


def build(application: Application, choice: Choice | None = None) -> tuple[gr.Blocks, Page]:
    """The page with its events, as Gradio has it and as its parts."""
    with gr.Blocks(
        title=texts.TITLE, analytics_enabled=False, fill_height=True, fill_width=True, delete_cache=(3600, 3600)
    ) as made:
        blocks: gr.Blocks = made
        page = Page(application)
        page.build(choice)
        page.connect(blocks)
    blocks.queue(max_size=64)
    # No handler goes by the queue (`part.QUICK`): it need not look a thousand times a second whether one does.
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = _QUEUE_SECONDS
    return blocks, page


def _theme() -> gr.themes.Base:
    # Gradio's half-bold file of this font holds only a few characters, so bold stands in for it.
    own_font = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))
    return gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", radius_size="md",
        font=[own_font, "ui-sans-serif", "system-ui", "sans-serif"],
    ).set(
        block_info_text_size="14px", block_label_text_size="14px", button_small_text_size="14px",
        checkbox_label_text_size="14px", input_text_size="15px",
    )  # fmt: skip


def serve(
    application: Application,
    first_port: int,
    choice: Choice | None = None,
    routes: Sequence[BaseRoute] = (),
    *,
    auth: SessionAuth,
    bind: BindAddress = BindAddress(),  # noqa: B008 - frozen
) -> tuple[gr.Blocks, str]:
    """Serve the page, and `routes` beside it, at the first free port from `first_port` on, in background threads.

    Returns when it answers, with the page, whose `close()` ends it, and its address. Raises SettingsError when there
    is no free port.
    """
    clear(uploads_folder())
    port = first_port
    for _ in range(_STARTS_TRIED):
        port = free_port(port, bind.host)
        try:
            blocks = _launch(application, port, choice, routes, auth, bind)
        except OSError:
            if free_port(port, bind.host) == port:
                raise
            port += 1  # another program took it a moment ago; another LocalSpec, for example
        else:
            auth.is_served = True
            application.endpoint.address = bind.address(port)
            return blocks, application.endpoint.address
    raise SettingsError(texts.PORT_TAKEN.format(first=first_port))


def _launch(
    application: Application,
    port: int,
    choice: Choice | None,
    routes: Sequence[BaseRoute],
    auth: SessionAuth,
    bind: BindAddress,
) -> gr.Blocks:
    blocks, page = build(application, choice)
    script = "\n".join((_HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    blocks.launch(
        server_name=f"[{bind.host}]" if ":" in bind.host else bind.host,
        server_port=port,
        share=False,
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size=LARGEST_UPLOAD,
        allowed_paths=[],
        app_kwargs={
            # The first stands before the others.
            "middleware": [
                Middleware(Guard, bind=bind),
                Middleware(SignInPage, auth=auth),
                Middleware(RouteAllowlist, uploads=uploads_folder()),
                Middleware(Uploads, folder=uploads_folder()),
                Middleware(Exports, application=application),
                Middleware(FirstPage, page=page, blocks=blocks, script=script),
            ],
            "routes": [*routes, *change_events.routes(application, page.check), *application.endpoint.routes()],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        theme=_theme(),
        css_paths=[_HERE / "styles" / f"{name}.css" for name in STYLES],
        favicon_path=menu.ICON,
    )
    return blocks
