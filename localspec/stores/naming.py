"""Libraries in a folder, and what a library may be called: its name is the name of its folder on every system."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from localspec.errors import SettingsError
from localspec.stores.database import mapped_errors

DATABASE = "library.db"
_NAME_CHARACTERS = 64
_FILE_NAME_BYTES = 255
"""Longest file name of the common file systems."""
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_RESERVED_CHARACTERS = frozenset('<>:"/\\|?*')


def list_libraries(stores: Path) -> list[str]:
    """Names of the libraries in a folder, in alphabetical order."""
    with mapped_errors(stores):
        return sorted(path.parent.name for path in stores.glob(f"*/{DATABASE}") if not path.parent.name.startswith("."))


def library_name(text: str) -> str:
    """`text` as the name of a library's folder on every system. Raises SettingsError when it cannot be one."""
    name = unicodedata.normalize("NFC", text).strip()
    advice = "Choose a short name of letters, digits, spaces, hyphens or underscores."
    if not name:
        raise SettingsError("The name of a library must not be empty.", advice)
    # Letters of some scripts are joined by format characters (Cf), of which these two are harmless.
    if any(
        character in _RESERVED_CHARACTERS
        or (unicodedata.category(character)[0] == "C" and character not in "\u200c\u200d")
        or unicodedata.category(character) in ("Zl", "Zp")
        for character in name
    ):
        raise SettingsError(f"The name {name!r} holds characters that a folder's name must not have.", advice)
    if name.startswith(".") or name.endswith(".") or _RESERVED_NAMES.fullmatch(name.split(".")[0].strip()):
        raise SettingsError(f"The name {name!r} means something else to the system.", advice)
    if len(name) > _NAME_CHARACTERS or len(name.encode()) > _FILE_NAME_BYTES:
        raise SettingsError(f"The name of a library must not be longer than {_NAME_CHARACTERS} characters.", advice)
    return name
