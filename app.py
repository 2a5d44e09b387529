"""Starts LocalSpec and opens its window."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from localspec import config, texts
from localspec.access import session_auth
from localspec.access.bind_address import BindAddress, decide
from localspec.desktop import window
from localspec.desktop.instance import Instance, Note, claim
from localspec.errors import LocalSpecError


def main() -> int:
    """Serve the page, then load the model beside it, until the person quits; or open a window at the LocalSpec that
    runs already for this folder."""
    parser = argparse.ArgumentParser(description="LocalSpec: chat with a local model and your documents.")
    parser.add_argument("--port", type=int, default=0, help="port to serve at (default: 7860, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--model", help="name of a model, or path of a GGUF file (default: the one chosen last)")
    parser.add_argument("--draft", help="draft model beside it: a name, a path, auto, or none")
    parser.add_argument("--context", type=int, help="tokens of context; 0 chooses")
    parser.add_argument("--gpu-layers", type=int, help="layers on the GPU; -1 chooses")
    parser.add_argument("--threads", type=int, help="processor threads; 0 = every core")
    parser.add_argument("--endpoint", action="store_true", help="let other programs ask, by OpenAI's protocol")
    parser.add_argument(
        "--host", default="", help="let other computers in, with a password, at this address; 0.0.0.0: at all"
    )
    parser.add_argument("--name", action="append", default=[], help="with --host: a name by which browsers may call it")
    parser.add_argument("--password-file", type=Path, help="file with the password (else LOCALSPEC_PASSWORD)")
    arguments = parser.parse_args()
    config.go_offline()
    stopped = threading.Event()
    _end_by_signals(stopped)
    try:
        bind = decide(arguments.host, arguments.name, arguments.password_file)
        found = claim(stopped.is_set, lambda: _say(texts.STARTING_ALREADY))
        if found is None:
            return 0
        if isinstance(found, Note):
            _hand_over(found, arguments)
            return 0
        try:
            _run(arguments, found, stopped, bind)
        finally:
            found.close()
    except LocalSpecError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _run(arguments: argparse.Namespace, instance: Instance, stopped: threading.Event, bind: BindAddress) -> None:
    # These take seconds to import: not before wrong arguments and a second start are dealt with, nor before go_offline.
    from localspec.ui import environment

    environment.keep_to_this_computer([bind.host])
    from localspec.application.starting import Start
    from localspec.application.state import Application
    from localspec.desktop.instance_routes import routes
    from localspec.ui import app

    application = Application()
    start = Start(arguments.model, arguments.draft, arguments.context, arguments.gpu_layers, arguments.threads)
    page, address = app.serve(
        application,
        arguments.port or app.DEFAULT_PORT,
        start.choice,
        routes(instance.identity, stopped.set),
        auth=session_auth.SessionAuth(instance.token, bind.password),
        bind=bind,
    )
    instance.publish(address)
    _say(texts.RUNNING.format(address=_shown(address, instance.token, arguments)), texts.STOP_HINT)
    if others := bind.others(urlsplit(address).port or 80):
        _say(texts.REACHED_AT.format(addresses=", ".join(others)), texts.REACHED_MEANS)
    if arguments.endpoint:
        application.endpoint.switch(True)
        _say(texts.ENDPOINT_STARTED.format(url=application.endpoint.base_url, token=application.endpoint.token))
    start.load(application.models)
    if config.tunes_by_itself():
        application.tuner.begin_by_itself()
    if not arguments.no_browser:
        _open(address, instance.token)
    # A wait with a limit, because without one Windows delivers no Ctrl-C.
    while not stopped.wait(0.5):
        pass
    instance.withdraw()
    # While the page is still served, so that it shows how they ended.
    application.end_replies()
    application.changes.close()
    page.close(verbose=False)
    application.close()


def _hand_over(running: Note, arguments: argparse.Namespace) -> None:
    """A second start: what the person wanted is there already."""
    said = [texts.RUNNING_ALREADY.format(address=_shown(running.address, running.token, arguments))]
    if not arguments.no_browser and _open(running.address, running.token):
        said.append(texts.WINDOW_OPENED)
    if arguments.model:
        said.append(texts.MODEL_LATER)
    if arguments.endpoint:
        said.append(texts.ENDPOINT_LATER.format(part=texts.ENDPOINT))
    if arguments.host:
        said.append(texts.HOST_LATER)
    _say(" ".join(said))


def _shown(address: str, token: str, arguments: argparse.Namespace) -> str:
    """The address as it is printed: with the token where a person reads along or nothing else would let them in, and
    not into the log of a desktop that opens a window itself."""
    is_read = arguments.no_browser or sys.stdout.isatty() or not window.Computer().has_display
    return session_auth.with_token(address, token) if is_read else address


def _open(address: str, token: str) -> bool:
    computer = window.Computer()
    # Everybody on the computer sees what a browser is started with: a ticket is good for one window only.
    opened = window.show(session_auth.with_ticket(address, token), computer)
    if not opened and computer.has_display:
        _say(texts.OPEN_YOURSELF.format(address=session_auth.with_token(address, token)))
    return opened


def _end_by_signals(stopped: threading.Event) -> None:
    # The last two: the terminal it was started in was closed. Where nohup has that ignored, it stays so.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            signal.signal(number, lambda *_: stopped.set())


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
