"""Starts LocalSpec and opens it in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import webbrowser

from localspec import config


def main() -> int:
    """Serve the page, then load the model beside it; Ctrl-C ends both."""
    parser = argparse.ArgumentParser(description="LocalSpec: chat with a local model and your documents.")
    parser.add_argument("--port", type=int, default=0, help="port to serve at (default: 7860, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--model", default="", help="name of a model, or path of a GGUF file")
    arguments = parser.parse_args()
    config.go_offline()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())

    # These take seconds to import: not before --help and wrong arguments are dealt with, nor before go_offline.
    from localspec.errors import LocalSpecError
    from localspec.ui import environment

    environment.keep_to_this_computer()
    from localspec.ui import app, texts
    from localspec.ui.state import Application

    application = Application()
    try:
        port = app.free_port(arguments.port or app.DEFAULT_PORT)
        page = app.serve(application, port, arguments.model)
    except LocalSpecError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    address = f"http://{app.ADDRESS}:{port}"
    sys.stdout.write(f"{texts.RUNNING.format(port=port)}\n{texts.STOP_HINT}\n")
    sys.stdout.flush()
    application.models.load(arguments.model)
    if config.tunes_by_itself():
        application.tuner.begin_by_itself()
    if not arguments.no_browser and has_display():
        webbrowser.open(address)
    # A wait with a limit, because without one Windows delivers no Ctrl-C.
    while not stopped.wait(0.5):
        pass
    page.close(verbose=False)
    application.close()
    return 0


def has_display() -> bool:
    """True when a browser window can open: always on macOS and Windows, elsewhere with a display."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main())
