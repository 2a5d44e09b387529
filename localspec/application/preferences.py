"""What the person has chosen on the page and finds again: kept in one small file, for every tab and every start.

What belongs to a chat (its system prompt, that it goes without documents) is kept with the chat, the model that was
loaded last by `remembered`. The command line has its own defaults and reads none of this.
"""

from __future__ import annotations

import json
import logging
import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from localspec import texts
from localspec.chat.methods import DEFAULT_METHOD, SIZINGS, listed
from localspec.chat.named_file import set_aside, writable
from localspec.chat.sampling_presets import RECOMMENDED
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError, StoreError
from localspec.models.llama import MAX_ROWS
from localspec.models.llama.sampling import SamplingSettings
from localspec.whole_file import write_whole

_logger = logging.getLogger(__name__)

FILE = "preferences.json"
FORMAT = "localspec-preferences"
VERSION = 1
_READ = re.compile(r"|all|none|[0-9]{1,18} .+")
"""The best passages, all documents, none, or one: its id and library. It falls back to the best passages elsewhere."""
THEMES = ("system", "light", "dark")
_LARGEST_FILE = 2**20
"""Bytes"""
_LONGEST = {"grammar": 100_000}
"""Characters of texts that people write"""
_LONGEST_NAME = 200
_USUAL = SamplingSettings()


@dataclass(frozen=True, slots=True)
class Chosen:
    """All of it, with what holds until the person chooses. Numbers that count for nothing while `sampling` is
    `RECOMMENDED` are kept all the same."""

    method: str = DEFAULT_METHOD
    preset: str = SIZINGS[0]  # sizing of draft trees
    rows: int = 0
    sampling: str = RECOMMENDED  # name of the preset that the fields show; "" = values of their own
    temperature: float = _USUAL.temperature
    top_k: int = _USUAL.top_k
    top_p: float = _USUAL.top_p
    min_p: float = _USUAL.min_p
    repeat_penalty: float = _USUAL.repeat_penalty
    dry_multiplier: float = _USUAL.dry_multiplier
    seed: str = ""  # as typed; "" = a fresh one for each answer
    grammar: str = ""
    max_tokens: int = ReplyOptions().max_tokens
    thinking: str = ""
    read: str = ""  # what is read for a question, as the field of the page has it; "" = the best passages
    theme: str = "system"
    chats: bool = True  # whether the column of chats is open
    panel: bool = False  # whether the panel with figures is open
    library: str = ""  # the one used last; "" = the default one
    tab: str = ""  # the tab of the settings that was shown last; "" = the first one


NAMES = tuple(each.name for each in fields(Chosen))
_KINDS: dict[str, type] = {each.name: type(getattr(Chosen(), each.name)) for each in fields(Chosen)}


def checked(name: str, value: object) -> Any:  # noqa: ANN401 - of the field's type
    """`value` as the field `name` holds it. Raises SettingsError for what it cannot hold, such as no number."""
    wrong = SettingsError(texts.NO_PREFERENCE.format(name=name, value=repr(value)[:40]))
    kind = _KINDS.get(name)
    if kind is None or isinstance(value, bool) is not (kind is bool):
        raise wrong
    if kind is float or kind is int:
        if not isinstance(value, (int, float)) or not math.isfinite(value) or kind(value) != value:
            raise wrong
        value = kind(value)
    elif not isinstance(value, kind):
        raise wrong
    if isinstance(value, str):
        value = writable(value)
        if len(value) > _LONGEST.get(name, _LONGEST_NAME):
            raise wrong
    if not _is_possible(name, value):
        raise wrong
    return value


def _is_possible(name: str, value: Any) -> bool:  # noqa: ANN401 - of the field's type
    choices: Mapping[str, Callable[[], Any]] = {
        "method": listed, "preset": lambda: SIZINGS, "thinking": lambda: texts.THINKING_CHOICES,
        "theme": lambda: THEMES,
    }  # fmt: skip
    if name in choices:
        return value in choices[name]()
    if name == "read":
        return _READ.fullmatch(value) is not None
    if name == "rows":
        return bool(0 <= value <= MAX_ROWS)
    if name == "seed":
        return not value.strip() or _is_seed(value)
    try:
        if name == "max_tokens":
            ReplyOptions(max_tokens=value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            drawn: dict[str, Any] = {name: value}
            SamplingSettings(**drawn)
    except SettingsError:
        return False
    return True


def _is_seed(text: str) -> bool:
    try:
        SamplingSettings(seed=int(text))
    except (ValueError, SettingsError):
        return False
    return True


class Preferences:
    """The preferences of a folder. Any thread may call any method.

    A file that cannot be read is set aside, and `problem` says so; a value that cannot be used is the usual one. What a
    newer version has written beside is kept. Without the file all is as usual again, from the next tab on.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._rest: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        """what else the file holds"""
        self._file: tuple[int, int] | None = None
        """of the file that was read or written last, when that was and its bytes; None where there was none"""
        self.problem = ""
        self.version = 0
        """grows with every change"""
        self.chosen = Chosen()
        """as it is now"""
        with self._lock:
            self._take_over()

    def look(self) -> None:
        """Take over what somebody else has written, or that the file was deleted."""
        with self._lock:
            if self._file != self._stamp():
                self._take_over()
                self.version += 1

    def update(self, **changes: object) -> None:
        """Take over and keep on disk what has changed; what a field cannot hold, as while somebody is typing, changes
        nothing. Raises StoreError when it cannot be written; then it holds until the application ends."""
        valid = {}
        for name, value in changes.items():
            try:
                valid[name] = checked(name, value)
            except SettingsError as error:
                _logger.debug("%s", error)
        with self._lock:
            now = replace(self.chosen, **valid)
            if now == self.chosen:
                return
            self.chosen = now
            self.version += 1
            try:
                write_whole(self._path, self._written(now), durable=True)
            except OSError as error:
                why = error.strerror or error
                self.problem = texts.PREFERENCES_UNWRITTEN.format(path=self._path, why=why)
                raise StoreError(self.problem, texts.PREFERENCES_UNWRITTEN_ADVICE) from error
            self._file, self.problem = self._stamp(), ""

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    def _take_over(self) -> None:
        self._file, self.chosen = self._stamp(), Chosen()
        try:
            self._read()
        except SettingsError as error:
            _logger.warning("%s", error)
            self.problem = f"{error.message} {set_aside(self._path, texts.PREFERENCES_USUAL)}"
            self._file = self._stamp()

    def _written(self, now: Chosen) -> str:
        data = {**self._rest, **{name: getattr(now, name) for name in NAMES}}
        return json.dumps(data, ensure_ascii=False, indent=1) + "\n"

    def _read(self) -> None:
        """Raises SettingsError for a file that cannot be read."""
        try:
            if self._path.stat().st_size > _LARGEST_FILE:
                raise ValueError("too large")
            data = json.loads(self._path.read_bytes())
            if not isinstance(data, dict) or data.get("format") != FORMAT:
                raise ValueError("it is another file")
        except FileNotFoundError:
            return
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise SettingsError(texts.PREFERENCES_UNREADABLE.format(name=self._path.name, why=error)) from error
        except OSError as error:
            why = error.strerror or error
            raise SettingsError(texts.PREFERENCES_UNREADABLE.format(name=self._path.name, why=why)) from error
        found = {}
        for name in NAMES:
            if name in data:
                try:
                    found[name] = checked(name, data[name])
                except SettingsError as error:
                    _logger.info("%s", error)
        self._rest = {**self._rest, **{name: value for name, value in data.items() if name not in NAMES}}
        self.chosen = Chosen(**found)
