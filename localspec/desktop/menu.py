"""The entry in the applications menu of Linux desktops.

https://specifications.freedesktop.org/desktop-entry-spec/latest/
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from localspec import texts
from localspec.errors import SettingsError
from localspec.whole_file import write_whole

STARTER = Path(__file__).resolve().parents[2] / "start.sh"
ICON = Path(__file__).parent / "icon.svg"
_HOME = "LOCALSPEC_HOME"
_ESCAPES = {"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}


def entry(starter: Path, icon: Path, home: Path | None = None) -> str:
    """The text of the desktop entry that runs `starter`, with its folders in `home` where that is given."""
    # Through env and bash, which PATH finds: a program whose own path holds a "=" cannot be named.
    words = ["env", f"{_HOME}={home}"] if home is not None else []
    command = " ".join(_argument(word) for word in (*words, "bash", str(starter)))
    lines = {
        "Type": "Application",
        "Version": "1.0",
        "Name": texts.TITLE,
        "Comment": texts.MENU_COMMENT,
        "Exec": _value(command),
        # Desktops leave the entry out when the folder is gone.
        "TryExec": _value(str(starter)),
        "Icon": _value(str(icon)),
        "Terminal": "false",
        "Categories": "Utility;",
        "Keywords": "".join(f"{word};" for word in texts.MENU_KEYWORDS),
    }
    return "[Desktop Entry]\n" + "".join(f"{key}={value}\n" for key, value in lines.items())


def install(environment: Mapping[str, str] = os.environ, starter: Path = STARTER) -> Path:
    """Write entry and icon for this person; returns the entry's file. A `LOCALSPEC_HOME` that is set goes into it.

    Raises SettingsError where there is no such menu, and when a file cannot be written.
    """
    target, icon = _files(environment)
    if not starter.is_file():
        raise SettingsError(texts.MENU_NO_STARTER.format(file=starter), texts.MENU_NO_STARTER_ADVICE)
    given = environment.get(_HOME)
    home = Path(given).expanduser().resolve() if given else None
    _write(icon, ICON.read_bytes())
    # As the names of files are: a desktop entry is UTF-8, but a folder's name may be anything.
    _write(target, entry(starter, icon, home).encode("utf-8", errors="surrogateescape"))
    return target


def remove(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Delete entry and icon; returns what there was of them. Raises SettingsError like `install`."""
    gone = []
    for file in _files(environment):
        try:
            file.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _not_written(file, error) from error
        gone.append(file)
    return gone


def _files(environment: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, Path]:
    """Entry and icon."""
    if platform in ("darwin", "win32"):
        raise SettingsError(texts.MENU_LINUX_ONLY, texts.MENU_ELSEWHERE)
    given = environment.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    data = Path(given) if given.startswith("/") else Path(environment.get("HOME") or Path.home()) / ".local" / "share"
    return data / "applications" / "localspec.desktop", data / "icons/hicolor/scalable/apps/localspec.svg"


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # In one step: desktops read the folder as soon as something changes in it.
        write_whole(file, content)
    except OSError as error:
        raise _not_written(file, error) from error


def _not_written(file: Path, error: OSError) -> SettingsError:
    said = texts.MENU_NOT_WRITTEN.format(file=file, error=error.strerror or error)
    return SettingsError(said, texts.MENU_NOT_WRITTEN_ADVICE)


def _argument(word: str) -> str:
    """A word of a command line, quoted as the key Exec wants it."""
    if re.fullmatch(r"[\w./-]+", word, re.ASCII):
        return word
    return '"' + re.sub(r'(["`$\\])', r"\\\1", word).replace("%", "%%") + '"'


def _value(text: str) -> str:
    """A value of type string."""
    return re.sub(r"[\\\n\t\r]", lambda found: _ESCAPES[found.group()], text)
