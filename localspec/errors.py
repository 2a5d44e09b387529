"""One tree of errors. Each says what happened, to which file, and what the person can do next.

Third-party exceptions are mapped onto this tree at the border of the module that calls the library.
"""

from __future__ import annotations

from pathlib import Path


class LocalSpecError(Exception):
    """Base of every error that a person may see.

    `message` says what happened and names the file; `advice` says what to do next (may be empty). Both can be written
    as UTF-8 whatever the file's name holds.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        self.message = _writable(message)
        self.advice = _writable(advice)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()


class SettingsError(LocalSpecError):
    """A setting or argument is outside what the program can do."""


class ModelError(LocalSpecError):
    """A model file cannot be used, or the model failed while running."""


class ModelFileError(ModelError):
    """The model file is missing, truncated, corrupt, or no text model that can chat."""


class NoModelError(ModelError):
    """Nothing can be asked, because no model is loaded."""


class DraftMismatchError(ModelError):
    """A draft model does not share the target's vocabulary: what it proposes would mean something else there."""


class OutOfMemoryError(ModelError):
    """Model and context do not fit into the memory that is free."""


class ContextTooLongError(ModelError):
    """The prompt does not fit into the model's context."""


class StoppedError(LocalSpecError):
    """Work ended because the person wanted it to: nothing to be shown, and what was written before stays."""

    def __init__(self) -> None:
        super().__init__("Stopped.")


class DownloadError(LocalSpecError):
    """A model cannot be downloaded; what has arrived of it is kept where it can be of use."""


class DiskSpaceError(DownloadError):
    """The disk has no room for a model, wherever it may come from."""


class DownloadStoppedError(DownloadError):
    """A download ended because the person wanted it to; the next one goes on from there."""


class InstanceError(LocalSpecError):
    """The application cannot be the one of its folder."""


class StoreError(LocalSpecError):
    """A library or another store cannot be opened, read or written."""


class DamagedStoreError(StoreError):
    """The database of a store is damaged."""


class LibraryInUseError(StoreError):
    """Another running instance holds the library or the chats."""


class DiskFullError(StoreError):
    """Nothing more can be written; what was committed before is intact."""


class ChatFileError(LocalSpecError):
    """A file of chats cannot be imported; nothing of it was."""


class EmbedderError(LocalSpecError):
    """The embedding model cannot be loaded or failed."""


class DocumentError(LocalSpecError):
    """A document cannot be read; the rest of its batch is not affected."""

    def __init__(self, path: Path | str, reason: str, advice: str = "") -> None:
        self.path = Path(path)
        self.reason = _writable(reason)
        super().__init__(f"{self.path.name}: {reason}", advice)


def _writable(text: str) -> str:
    """`text` with lone surrogates, which stand for the bytes of a file name that is not UTF-8, spelled out."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")
