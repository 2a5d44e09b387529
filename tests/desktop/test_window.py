"""Which window opens, on every system, and what happens when it does not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from localspec import texts
from localspec.desktop import window
from localspec.desktop.window import Browser, Computer

ADDRESS = "http://127.0.0.1:7860"
PROGRAM_FILES = {"ProgramFiles": r"C:\Program Files", "ProgramFiles(x86)": r"C:\Program Files (x86)"}


def linux(*programs: str, **environment: str) -> Computer:
    known = {"DISPLAY": ":0", "PATH": "/usr/bin:/home/me/{odd} bin", "HOME": "/home/me", **environment}
    return Computer("linux", known, lambda path: path in programs)


def recorder(folder: Path, name: str, body: str = "") -> Path:
    """A program that writes down what it is started with."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" >>"{folder}/started"\n{body}\n')
    program.chmod(0o755)
    return program


def started(folder: Path) -> list[str]:
    limit = time.monotonic() + 20
    while not (folder / "started").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    return (folder / "started").read_text().splitlines()


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("/usr/bin/google-chrome", "Google Chrome"),
        ("/usr/bin/google-chrome-stable", "Google Chrome"),
        ("/home/me/{odd} bin/chromium", "Chromium"),
        ("/usr/bin/chromium-browser", "Chromium"),
        ("/snap/bin/chromium", "Chromium"),
        ("/snap/bin/brave", "Brave Browser"),
        ("/usr/bin/microsoft-edge", "Microsoft Edge"),
        ("/var/lib/flatpak/exports/bin/com.google.Chrome", "Google Chrome"),
        ("/home/me/.local/share/flatpak/exports/bin/com.brave.Browser", "Brave Browser"),
    ],
)
def test_linux(program: str, name: str) -> None:
    assert window.browsers(linux(program)) == [Browser(name, program, (program,))]
    assert window.description(linux(program)) == texts.WINDOW_OWN.format(name=name, program=program)


def test_the_best_first_and_each_once() -> None:
    computer = linux("/snap/bin/chromium", "/usr/bin/chromium", "/usr/bin/microsoft-edge", "/usr/bin/google-chrome")
    assert [found.program for found in window.browsers(computer)] == [
        "/usr/bin/google-chrome",
        "/usr/bin/chromium",
        "/usr/bin/microsoft-edge",
    ]


def test_without_such_a_browser_it_is_a_tab_and_without_a_display_nothing() -> None:
    assert window.browsers(linux()) == []
    assert window.description(linux()) == texts.WINDOW_TAB
    nowhere = linux("/usr/bin/chromium", DISPLAY="")
    assert window.browsers(nowhere) == []
    assert window.description(nowhere) == texts.WINDOW_NONE
    assert not window.show(ADDRESS, nowhere, lambda _address: True)
    assert window.browsers(linux("/usr/bin/chromium", DISPLAY="", WAYLAND_DISPLAY="wayland-0"))


def test_the_browser_that_a_person_has_chosen_is_used() -> None:
    chosen = linux("/usr/bin/chromium", BROWSER="firefox")
    assert window.browsers(chosen) == []
    assert window.show(ADDRESS, chosen, lambda address: address == ADDRESS)


@pytest.mark.parametrize("folder", ["/Applications", "/Users/me/Applications"])
def test_macos(folder: str) -> None:
    bundle = f"{folder}/Microsoft Edge.app"
    computer = Computer("darwin", {"PATH": "/usr/bin", "HOME": "/Users/me"}, lambda path: path == bundle)
    command = ("/usr/bin/open", "-n", "-a", bundle, "--args")
    assert window.browsers(computer) == [Browser("Microsoft Edge", bundle, command)]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (r"C:\Program Files\Google\Chrome\Application\chrome.exe", "Google Chrome"),
        (r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe", "Microsoft Edge"),
        (r"C:\Users\me\AppData\Local\Chromium\Application\chrome.exe", "Chromium"),
        (r"C:\Program Files\BraveSoftware\Brave-Browser\Application\brave.exe", "Brave Browser"),
        (r"D:\tools\msedge.exe", "Microsoft Edge"),
    ],
)
def test_windows(program: str, name: str) -> None:
    environment = {**PROGRAM_FILES, "LOCALAPPDATA": r"C:\Users\me\AppData\Local", "PATH": r"C:\Windows;;D:\tools"}
    computer = Computer("win32", environment, lambda path: path == program)
    assert window.browsers(computer) == [Browser(name, program, (program,))]


def test_the_window_is_opened_at_the_address_and_nothing_else_is_asked_for(tmp_path: Path) -> None:
    program = recorder(tmp_path / "with space", "google-chrome", "exec /bin/sleep 6")
    computer = Computer("linux", {"DISPLAY": ":0", "PATH": str(program.parent)})
    began = time.monotonic()
    assert window.show(ADDRESS, computer, lambda _address: False)
    assert time.monotonic() - began < 15  # it does not wait until the window is closed
    assert started(program.parent) == [str(program), f"--app={ADDRESS}"]


def test_a_browser_that_does_not_start_leaves_it_to_the_next_and_then_to_a_tab(tmp_path: Path) -> None:
    recorder(tmp_path, "google-chrome", "exit 1")
    recorder(tmp_path, "chromium", "exit 0")  # hands the address on to one that runs, and is done
    computer = Computer("linux", {"DISPLAY": ":0", "PATH": str(tmp_path)}, _inside(tmp_path))
    assert window.show(ADDRESS, computer, lambda _address: False)
    assert [Path(line).name for line in started(tmp_path)[::2]] == ["google-chrome", "chromium"]
    (tmp_path / "chromium").write_text("no program at all")
    assert window.show(ADDRESS, computer, lambda address: address == ADDRESS)
    assert not window.show(ADDRESS, computer, lambda _address: False)


def _inside(folder: Path):
    """Only programs of the folder, whatever this machine has."""
    return lambda path: path.startswith(f"{folder}/") and os.access(path, os.X_OK)
