"""Things under names of the person's own, kept in one small file: sampling presets, system prompts."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from localspec.errors import SettingsError, StoreError
from localspec.whole_file import write_whole

_logger = logging.getLogger(__name__)

VERSION = 1
MOST = 200
NAME_CHARACTERS = 60
_ADVICE = "Choose a file that LocalSpec exported. Nothing was changed."


class Named(Protocol):
    """A frozen dataclass with a name; its other fields are what JSON holds."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """What the person calls it."""


Entry = TypeVar("Entry", bound=Named)


@dataclass(frozen=True)
class NamedKind(Generic[Entry]):
    """What the entries of a file are, and how messages call them."""

    file: str
    """name of the file in its folder"""
    format: str
    """what the file says that it holds"""
    one: str
    many: str
    """the words for one entry and for several"""
    read_one: Callable[[str, Mapping[str, Any]], Entry]
    """an entry of a file, by its cleaned name; raises SettingsError, ValueError, OverflowError"""
    built_in: tuple[Entry, ...] = ()
    reserved: tuple[str, ...] = ()
    """names that nothing of the person's own can have, beside those of `built_in`"""
    largest_file: int = 2**20
    """bytes"""
    list_name: str = field(default="", kw_only=True)
    """the name of the list in the file; "" is `many`"""

    def read(self, path: Path) -> list[Entry]:
        """The entries of a file. Raises SettingsError that says where it is wrong."""
        cannot = f"The {self.many} in {path.name} cannot be read"
        try:
            if path.stat().st_size > self.largest_file:
                raise SettingsError(f"{cannot}: the file is too large.", _ADVICE)
            data = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
            raise SettingsError(f"{cannot}: it is not JSON ({error}).", _ADVICE) from error
        except OSError as error:
            raise SettingsError(f"{cannot} ({error.strerror or error}).", _ADVICE) from error
        if not isinstance(data, dict) or data.get("format") != self.format or data.get("version") != VERSION:
            raise SettingsError(f"The file {path.name} holds no {self.many} of this version of LocalSpec.", _ADVICE)
        listed = data.get(self._list)
        if not isinstance(listed, list) or len(listed) > MOST:
            raise SettingsError(f"{cannot}: “{self._list}” is not a list.", _ADVICE)
        found: dict[str, Entry] = {}
        for number, entry in enumerate(listed, start=1):
            try:
                if not isinstance(entry, dict):
                    raise ValueError("It is not an object.")
                made = self.read_one(self.own_name(entry.get("name")), entry)
            except (SettingsError, ValueError, OverflowError) as error:
                said = error.message if isinstance(error, SettingsError) else str(error)
                raise SettingsError(f"{cannot}: number {number} is wrong. {said}", _ADVICE) from error
            found[made.name] = made
        return list(found.values())

    def written(self, entries: Mapping[str, Entry]) -> str:
        """A file that `read` reads."""
        data = {"format": self.format, "version": VERSION, self._list: [asdict(entry) for entry in entries.values()]}
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"

    def own_name(self, name: object) -> str:
        """A name for one of the person's own, on one line. Raises SettingsError."""
        text = writable(name) if isinstance(name, str) else ""
        clean = " ".join("".join(one if one.isprintable() else " " for one in text).split())
        if not clean:
            raise SettingsError(f"A {self.one} needs a name.", "Type one.")
        if len(clean) > NAME_CHARACTERS:
            said = f"The name of a {self.one} has at most {NAME_CHARACTERS} characters."
            raise SettingsError(said, "Choose a shorter one.")
        if self.is_reserved(clean):
            raise SettingsError(f"“{clean}” is built in.", "Choose another name.")
        return clean

    def is_reserved(self, name: str) -> bool:
        """Whether nothing of the person's own can be called so."""
        return name.casefold() in {taken.casefold() for taken in (*self.reserved, *(one.name for one in self.built_in))}

    @property
    def _list(self) -> str:
        return self.list_name or self.many


class NamedFile(Generic[Entry]):
    """The entries of a folder's file. Any thread may call any method.

    A file that cannot be read never keeps the built-in ones from being there: it is set aside, and `problem` says so.
    """

    def __init__(self, folder: Path, kind: NamedKind[Entry]) -> None:
        self.kind = kind
        self._path = folder / kind.file
        self._lock = threading.Lock()
        self.problem = ""
        self.version = 0
        """grows with every change"""
        self._own: dict[str, Entry] = {}
        try:
            self._own = {entry.name: entry for entry in kind.read(self._path)} if self._path.exists() else {}
        except SettingsError as error:
            _logger.warning("%s", error)
            left = f"the built-in {kind.many} are there" if kind.built_in else f"no {kind.many} are saved now"
            self.problem = f"{error.message} {set_aside(self._path, left)}"

    def all(self) -> list[Entry]:
        """The built-in ones, then the person's own by name."""
        with self._lock:
            return [*self.kind.built_in, *sorted(self._own.values(), key=lambda entry: entry.name.casefold())]

    def get(self, name: str) -> Entry:
        """The one of this name. Raises SettingsError."""
        for entry in self.all():
            if entry.name == name:
                return entry
        raise SettingsError(f"There is no {self.kind.one} called “{name}” any more.", "Choose another one.")

    def is_own(self, name: str) -> bool:
        """Whether it can be renamed and deleted."""
        with self._lock:
            return name in self._own

    def save(self, entry: Entry) -> bool:
        """Keep it, in place of one of the same name; whether there was one. Raises SettingsError, StoreError."""
        with self._changing() as own:
            name = self.kind.own_name(entry.name)
            known = name in own
            if not known and len(own) >= MOST:
                raise SettingsError(f"There are {MOST} {self.kind.many} already.", "Delete one first.")
            own[name] = replace(entry, name=name)
        return known

    def rename(self, name: str, to: str) -> str:
        """Give one of the person's own another name; returns how it is called now. Raises SettingsError, StoreError."""
        with self._changing() as own:
            wanted = self.kind.own_name(to)
            if name not in own:
                said = f"Only {self.kind.many} of your own can be renamed."
                raise SettingsError(said, "Choose one of them first.")
            if wanted != name and wanted in own:
                raise SettingsError(f"There is a {self.kind.one} called “{wanted}” already.", "Choose another name.")
            own[wanted] = replace(own.pop(name), name=wanted)
        return wanted

    def delete(self, name: str) -> None:
        """Delete one of the person's own. Raises SettingsError, StoreError."""
        with self._changing() as own:
            if own.pop(name, None) is None:
                said = f"Only {self.kind.many} of your own can be deleted."
                raise SettingsError(said, "Choose one of them first.")

    def add(self, entries: list[Entry]) -> int:
        """Keep all or none, in place of those of the same names; returns how many. Raises SettingsError, StoreError."""
        with self._changing() as own:
            added = [entry for entry in entries if not self.kind.is_reserved(entry.name)]
            own.update({entry.name: entry for entry in added})
            if len(own) > MOST:
                raise SettingsError(f"There would be more than {MOST} {self.kind.many}.", "Delete some first.")
        return len(added)

    def exported(self) -> str:
        """The person's own as a file that `NamedKind.read` reads."""
        with self._lock:
            return self.kind.written(self._own)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Entry]]:
        """The person's own as they are to become: kept on disk first, and nothing is changed when that fails."""
        with self._lock:
            changed = dict(self._own)
            yield changed
            try:
                write_whole(self._path, self.kind.written(changed), durable=True)
            except OSError as error:
                raise StoreError(
                    f"The {self.kind.one} was not kept: {self._path} could not be written ({error.strerror or error}).",
                    "Free some space, or make the folder writable.",
                ) from error
            self._own, self.problem = changed, ""
            self.version += 1


def set_aside(path: Path, left: str) -> str:
    """Rename a file that cannot be read, so that it is never written over; says what became of it, and what is `left`
    without it."""
    aside = path.with_name(f"{path.stem}-damaged-{datetime.now():%Y-%m-%d-%H%M%S}{path.suffix}")
    try:
        path.rename(aside)
    except OSError as error:
        return f"It could not be renamed either ({error.strerror or error})."
    return f"It was renamed to {aside.name}; {left}."


def writable(text: str) -> str:
    """`text` as UTF-8 can write it: half a surrogate pair becomes “?”."""
    return text.encode("utf-8", "replace").decode()
