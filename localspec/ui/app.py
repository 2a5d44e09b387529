"""The web application on this computer: builds the page, serves it on the loopback address only."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from localspec.errors import SettingsError
from localspec.ui import page, texts
from localspec.ui.events import Events
from localspec.ui.exports import Exports
from localspec.ui.guard import Guard
from localspec.ui.remembered import Choice
from localspec.ui.state import Application

ADDRESS = "127.0.0.1"
DEFAULT_PORT = 7860
PORTS_TRIED = 100
SCRIPTS = ("page.js", "quit.js", "copy.js", "keys.js", "libraries.js", "citing.js", "copying.js")
LARGEST_UPLOAD = "512mb"
_STARTS_TRIED = 4
_HERE = Path(__file__).parent


def free_port(first: int = DEFAULT_PORT) -> int:
    """The first port from `first` on that nothing listens on. Raises SettingsError when there is none."""
    last = min(first + PORTS_TRIED - 1, 65535)
    for port in range(first, last + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
            if os.name != "nt":  # as the server does, so that a port in TIME_WAIT counts as free; Windows means else
                candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((ADDRESS, port))
            except OSError:
                continue
            return port
    raise SettingsError(texts.NO_PORT.format(first=first, last=last))


def build(application: Application, choice: Choice | None = None) -> gr.Blocks:
    """The page with its events."""
    with gr.Blocks(
        title=texts.TITLE, analytics_enabled=False, fill_height=True, fill_width=True, delete_cache=(3600, 3600)
    ) as made:
        blocks: gr.Blocks = made
        events = Events(application)
        made_page = page.build(choice)
        events.connect(made_page)
        events.connect_opening(blocks, made_page)
        blocks.unload(events.leave)
    blocks.queue(max_size=64, default_concurrency_limit=1)
    return blocks


def _theme() -> gr.themes.Default:
    # Gradio's half-bold file of this font holds only a few characters, so bold stands in for it.
    own_font = gr.themes.LocalFont("Source Sans Pro", weights=(400, 700))
    return gr.themes.Default(
        primary_hue="teal", neutral_hue="slate", radius_size="md",
        font=[own_font, "ui-sans-serif", "system-ui", "sans-serif"],
    )  # fmt: skip


def serve(
    application: Application, first_port: int, choice: Choice | None = None, routes: Sequence[BaseRoute] = ()
) -> tuple[gr.Blocks, str]:
    """Serve the page, and `routes` beside it, at the first free port from `first_port` on, in background threads.

    Returns when it answers, with the page, whose `close()` ends it, and its address. Raises SettingsError when there
    is no free port.
    """
    port = first_port
    for _ in range(_STARTS_TRIED):
        port = free_port(port)
        try:
            blocks = _launch(application, port, choice, routes)
        except OSError:
            if free_port(port) == port:
                raise
            port += 1  # another program took it a moment ago; another LocalSpec, for example
        else:
            application.endpoint.address = f"http://{ADDRESS}:{port}"
            return blocks, application.endpoint.address
    raise SettingsError(texts.PORT_TAKEN.format(first=first_port))


def _launch(application: Application, port: int, choice: Choice | None, routes: Sequence[BaseRoute]) -> gr.Blocks:
    blocks = build(application, choice)
    script = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)
    blocks.launch(
        server_name=ADDRESS,
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
            "middleware": [Middleware(Guard, scripts=[script]), Middleware(Exports, application=application)],
            "routes": [*routes, *application.endpoint.routes()],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        theme=_theme(),
        css_paths=[_HERE / "style.css"],
        head=f"<script>{script}</script>",
        favicon_path=_HERE / "icon.svg",
    )
    return blocks
