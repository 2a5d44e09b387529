"""Libraries in a folder: what one may be called (its name is the name of its folder on every system), renaming one, and
deleting one."""

from __future__ import annotations

import logging
import os
import re
import shutil
import unicodedata
import uuid
from pathlib import Path

from localspec import config, texts
from localspec.errors import LibraryInUseError, SettingsError
from localspec.locks import Lock, try_lock
from localspec.stores.database import mapped_errors

_logger = logging.getLogger(__name__)

DATABASE = "library.db"
LOCK = ".lock"  # the file in a library's folder that whoever has it open holds
_DELETED = ".deleted-"
_CLOSE_IT = "Close the other one and try again."
_NAME_CHARACTERS = 64
_FILE_NAME_BYTES = 255  # longest file name of the common file systems
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_RESERVED_CHARACTERS = frozenset('<>:"/\\|?*')


def list_libraries(stores: Path) -> list[str]:
    """Names of the libraries in a folder, in alphabetical order."""
    with mapped_errors(stores):
        return sorted(path.parent.name for path in stores.glob(f"*/{DATABASE}") if not path.parent.name.startswith("."))


def library_title(name: str) -> str:
    """What people read for the library called `name`: the default one has a title beside the name of its folder, unless
    another one has that as its name."""
    if name != config.DEFAULT_LIBRARY or (config.stores_folder() / texts.LIBRARY_DEFAULT).exists():
        return name
    return texts.LIBRARY_DEFAULT


def library_name(text: str) -> str:
    """`text` as the name of a library's folder on every system; the title of the default one means that. Raises
    SettingsError when it cannot be one."""
    name = unicodedata.normalize("NFC", text).strip()
    if name.casefold() == library_title(config.DEFAULT_LIBRARY).casefold():
        return config.DEFAULT_LIBRARY
    advice = "Choose a short name of letters, digits, spaces, hyphens or underscores."
    if not name:
        raise SettingsError("The library name is empty.", advice)
    # Letters of some scripts are joined by format characters (Cf), of which these two are harmless.
    if any(
        character in _RESERVED_CHARACTERS
        or (unicodedata.category(character)[0] == "C" and character not in "\u200c\u200d")
        or unicodedata.category(character) in ("Zl", "Zp")
        for character in name
    ):
        raise SettingsError(f"The name {name!r} contains characters that are not allowed in folder names.", advice)
    if name.startswith(".") or name.endswith(".") or _RESERVED_NAMES.fullmatch(name.split(".")[0].strip()):
        raise SettingsError(f"The name {name!r} is reserved by the system.", advice)
    if len(name) > _NAME_CHARACTERS or len(name.encode()) > _FILE_NAME_BYTES:
        raise SettingsError(f"The library name is longer than {_NAME_CHARACTERS} characters.", advice)
    return name


def rename_library(stores: Path, name: str, wanted: str) -> str:
    """Give a library that nobody has open another name; what that is. All that is in it stays. Raises SettingsError
    when it cannot be called that, LibraryInUseError and StoreError."""
    new = library_name(wanted)
    source, target = stores / name, stores / new
    if new == name:
        return name
    with mapped_errors(source):
        if not (source / DATABASE).is_file():
            raise SettingsError(f"There is no library called {name!r}.")
        if target.exists() and not target.samefile(source):  # the same where the system knows no capitals
            raise SettingsError(f"There is something called {library_title(new)!r} already.", "Choose another name.")
        _move(source, target, lock_library(source, _CLOSE_IT))
    return new


def delete_library(stores: Path, name: str) -> None:
    """Delete a library that nobody has open, with the copies of its documents and all that it has learnt. The person's
    own files stay as they are. Raises SettingsError when there is none, LibraryInUseError and StoreError."""
    source = stores / library_name(name)
    with mapped_errors(source):
        if not (source / DATABASE).is_file():
            raise SettingsError(f"There is no library called {name!r}.")
        # At once and as a whole, whatever happens while its files go.
        _move(source, stores / f"{_DELETED}{uuid.uuid4().hex}", lock_library(source, _CLOSE_IT))
    sweep_deleted(stores)


def sweep_deleted(stores: Path) -> None:
    """Delete what is left of deleted libraries, as after a kill. What cannot be deleted is logged, and tried again."""
    for path in stores.glob(f"{_DELETED}*"):
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            _logger.warning("%s could not be deleted wholly", path)


def lock_library(folder: Path, advice: str) -> Lock:
    """The lock that says who has the library in `folder` open. Raises LibraryInUseError with `advice` when another
    LocalSpec holds it, and StoreError when the folder cannot be written."""
    with mapped_errors(folder):
        lock = try_lock(folder / LOCK)
    if lock is None:
        raise LibraryInUseError(f"The library '{library_title(folder.name)}' is open in another LocalSpec.", advice)
    return lock


def _move(source: Path, target: Path, lock: Lock) -> None:
    """Give a folder another name while its lock is held; Windows moves no folder with an open file."""
    try:
        if os.name == "nt":
            lock.release()
        source.rename(target)
    finally:
        lock.release()
