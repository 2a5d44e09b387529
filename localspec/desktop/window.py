"""The window that LocalSpec opens: one without tabs and address bar where a browser here has such, else a browser tab.

It is a plain `--app` window in the person's own profile. A profile of our own would start a second browser (some
200 MB that the model may need), would be out of reach for browsers in a snap or flatpak, and would open the links of
answers in a browser that the person has never set up. So no other flags are given either: the first window decides
for the whole browser, and what it may contact is the person's choice. LocalSpec's page has it contact nothing.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from localspec import texts

_REFUSAL_SECONDS = 2.0
"""A browser that cannot start (as root, or a stub that asks to be installed) has said so by then."""


class _Kind(NamedTuple):
    """A browser of Chromium's family, and what it is called on every system."""

    name: str
    programs: tuple[str, ...]  # on PATH: as packages and snaps call it, and as flatpak does
    windows: str  # below the folders that programs are installed in


# What a person has installed comes before what came with the system.
_FAMILY = (
    _Kind(
        "Google Chrome",
        ("google-chrome", "google-chrome-stable", "chrome", "com.google.Chrome"),
        r"Google\Chrome\Application\chrome.exe",
    ),
    _Kind("Chromium", ("chromium", "chromium-browser", "org.chromium.Chromium"), r"Chromium\Application\chrome.exe"),
    _Kind(
        "Brave Browser",
        ("brave-browser", "brave-browser-stable", "brave", "com.brave.Browser"),
        r"BraveSoftware\Brave-Browser\Application\brave.exe",
    ),
    _Kind(
        "Microsoft Edge",
        ("microsoft-edge", "microsoft-edge-stable", "com.microsoft.Edge"),
        r"Microsoft\Edge\Application\msedge.exe",
    ),
)
# PATH lacks some of these where a desktop entry is started.
_LINUX_FOLDERS = (
    *("/usr/local/bin", "/usr/bin", "/snap/bin", "/var/lib/flatpak/exports/bin"),
    "{home}/.local/share/flatpak/exports/bin",
)
_MAC_FOLDERS = ("/Applications", "{home}/Applications")
_WINDOWS_FOLDERS = ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA")


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and (path.endswith(".app") or Path(path).is_file())


@dataclass(frozen=True, slots=True)
class Computer:
    """What decides which window can be opened."""

    platform: str = sys.platform
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    is_program: Callable[[str], bool] = _is_program  # Whether a file, or a folder of macOS, can be started

    @property
    def has_display(self) -> bool:
        """True when a window can open: always on macOS and Windows, elsewhere with a display."""
        if self.platform in ("darwin", "win32"):
            return True
        return bool(self.environment.get("DISPLAY") or self.environment.get("WAYLAND_DISPLAY"))


class Browser(NamedTuple):
    """A browser that opens windows without tabs."""

    name: str
    program: str
    command: tuple[str, ...]  # what it is started with; its own arguments follow


def browsers(computer: Computer) -> list[Browser]:
    """The browsers here that open windows without tabs, best first. None where the person has chosen one by the
    variable `BROWSER`, which the usual way of opening a page follows."""
    if not computer.has_display or computer.environment.get("BROWSER"):
        return []
    found = {}
    for name, program in _candidates(computer):
        if name not in found and computer.is_program(program):
            # macOS starts programs by their folder, and knows that one is running already.
            opens = ("/usr/bin/open", "-n", "-a", program, "--args")
            found[name] = Browser(name, program, opens if computer.platform == "darwin" else (program,))
    return list(found.values())


def description(computer: Computer) -> str:
    """In words, what `show` would open."""
    if not computer.has_display:
        return texts.WINDOW_NONE
    found = browsers(computer)
    return texts.WINDOW_OWN.format(name=found[0].name, program=found[0].program) if found else texts.WINDOW_TAB


def show(address: str, computer: Computer, open_tab: Callable[[str], bool] = webbrowser.open) -> bool:
    """Open a window at `address`: of the first browser that starts, else a tab of the default one. False when none
    opened. Takes up to 2 s per browser."""
    if not computer.has_display:
        return False
    return any(_starts([*browser.command, f"--app={address}"]) for browser in browsers(computer)) or open_tab(address)


def _candidates(computer: Computer) -> Iterator[tuple[str, str]]:
    """Names of browsers, and where their programs may be."""
    environment = computer.environment
    is_windows = computer.platform == "win32"
    at_home = environment.get("HOME") or str(Path.home())
    on_path = [place for place in environment.get("PATH", "").split(";" if is_windows else ":") if place]
    linux_places = [*on_path, *(place.format(home=at_home) for place in _LINUX_FOLDERS)]
    for kind in _FAMILY:
        if is_windows:
            for variable in _WINDOWS_FOLDERS:
                if environment.get(variable):
                    yield kind.name, ntpath.join(environment[variable], kind.windows)
            for place in on_path:
                yield kind.name, ntpath.join(place, ntpath.basename(kind.windows))
        elif computer.platform == "darwin":
            for place in _MAC_FOLDERS:
                yield kind.name, posixpath.join(place.format(home=at_home), f"{kind.name}.app")
        else:
            for program in kind.programs:
                for place in linux_places:
                    yield kind.name, posixpath.join(place, program)


def _starts(command: Sequence[str]) -> bool:
    """Start a browser, apart from this process. False when it ends at once, with an error."""
    quiet = subprocess.DEVNULL
    # In a session of its own: a Ctrl-C that is meant for LocalSpec must not close the person's browser.
    flags = {"creationflags": 0x8 | 0x200} if sys.platform == "win32" else {"start_new_session": True}
    try:
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, **flags)
    except OSError:
        return False
    try:
        # 0 at once is the answer of a browser that was open already: it has handed the address on.
        return bool(process.wait(_REFUSAL_SECONDS) == 0)
    except subprocess.TimeoutExpired:
        threading.Thread(target=process.wait, name="window", daemon=True).start()  # so that no dead process stays
        return True
