"""A person's document library: one folder with copies of the files, one database, and caches that can be remade."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import unicodedata
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from localspec.errors import DocumentError, EmbedderError, LibraryInUseError, SettingsError, StoreError
from localspec.stores.database import StoreDatabase, disk_error, mapped_errors
from localspec.stores.documents import ParseLimits, content_hash
from localspec.stores.ingestion import INGESTION_MIGRATIONS, Ingestion, Progress, read_document
from localspec.stores.ngrams import NGRAM_MIGRATIONS, NgramStore
from localspec.stores.search import (
    SEARCH_MIGRATIONS,
    EmbedderLike,
    FoundPassage,
    PassageVectors,
    passages_of,
    search,
)

__all__ = [
    "DocumentInfo",
    "EmbedderLike",
    "FoundPassage",
    "Library",
    "Progress",
    "library_name",
    "list_libraries",
]

_logger = logging.getLogger(__name__)

DATABASE = "library.db"
_CACHE = "passages.hnsw"
_NAME_CHARACTERS = 64
_FILE_NAME_BYTES = 255
"""Longest file name of the common file systems."""
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED_NAMES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_RESERVED_CHARACTERS = frozenset('<>:"/\\|?*')


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What a person sees of a document."""

    id: int
    name: str
    """File name as added."""
    kind: str
    """'pdf', 'docx', ... as it truly is; empty before it was read."""
    status: str
    """'queued', 'parsed', 'passages' or 'ngrams' (the last step done), 'ready', or 'failed'."""
    reason: str
    """Why it failed; else the warnings of its reader, one per line."""
    pages: int | None
    characters: int
    passages: int
    tokens: int
    """Under the tokenizer its n-grams were last made with."""
    added: str
    """ISO 8601, UTC."""


class Library:
    """A library that is open in this process, and in no other. Any thread may call any method.

    Every method raises StoreError when the folder cannot be read or written, and DiskFullError when it is full;
    nothing that was stored before is lost then.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tokenizer_fingerprint: str,
        tokenize: Callable[[str], NDArray[np.int32]],
        embedder: EmbedderLike,
    ) -> None:
        """Open `folder`, or begin a library there.

        `tokenize` turns text into the target model's token ids, int32 [n]; `tokenizer_fingerprint` names it. The
        embedder is first asked when vectors are made or searched. Raises LibraryInUseError when another instance
        holds the folder.
        """
        self.folder = folder
        self.name = folder.name
        self._files = folder / "files"
        with mapped_errors(folder):
            self._files.mkdir(parents=True, exist_ok=True)
            # Not thread-local: whichever thread closes the library gives the lock back.
            self._lock = FileLock(folder / ".lock", timeout=0, thread_local=False)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise LibraryInUseError(
                    f"The library '{self.name}' is open in another LocalSpec.", "Close the other window, or use that."
                ) from error
        try:
            migrations = (*INGESTION_MIGRATIONS, *SEARCH_MIGRATIONS, *NGRAM_MIGRATIONS)
            self._database = StoreDatabase(folder / DATABASE, migrations)
            with self._database.read() as connection:
                (identity,) = connection.execute("SELECT id FROM library").fetchone()
            self.ngrams = NgramStore(self._database, tokenizer_fingerprint)
            self._vectors = PassageVectors(self._database, folder / _CACHE, identity, embedder)
            self._ingestion = Ingestion(self._database, self._files, self.ngrams, self._vectors, tokenize)
            self._sweep()
        except BaseException:
            self._lock.release()
            raise

    @property
    def progress(self) -> Progress:
        """Where the work on the documents stands."""
        return self._ingestion.progress

    def add(self, path: Path) -> DocumentInfo:
        """Copy a file into the library and queue it; a running worker takes it from there.

        A file with the same content as one that is there gives that one; if that had failed, it is tried again.
        Raises DocumentError when the file cannot be read.
        """
        sha256 = content_hash(path)
        known = self._by_hash(sha256)
        if known is not None and known.status != "failed":
            return known
        suffix = path.suffix.lower()
        file = self._files / (sha256 + (suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", suffix) else ""))
        self._copy(path, sha256, file)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        with self._database.write() as database:
            database.execute(
                "INSERT INTO documents (sha256, name, file, stage, added)"
                " VALUES (:sha256, :name, :file, 'queued', :now)"
                " ON CONFLICT (sha256) DO UPDATE SET stage = 'queued', reason = '', name = :name, file = :file"
                " WHERE stage = 'failed'",
                {"sha256": sha256, "name": _printable(path.name), "file": file.name, "now": now},
            )
            if not file.exists():  # `remove` deletes the copy under the same lock
                raise StoreError(f"{path.name} was removed from the library while it was added.", "Add it again.")
        self._ingestion.wake()
        added = self._by_hash(sha256)
        if added is None:
            raise StoreError(f"{path.name} was removed from the library right after it was added.", "Add it again.")
        return added

    def documents(self) -> list[DocumentInfo]:
        """All documents, oldest first."""
        with self._database.read() as connection:
            return [_info(row) for row in connection.execute(f"{_SELECT} ORDER BY id").fetchall()]

    def remove(self, document: int) -> None:
        """Delete a document with everything that was made from it. An unknown one is no error."""
        with self._database.write() as database:
            row = database.execute("SELECT sha256 FROM documents WHERE id = ?", [document]).fetchone()
            if row is None:
                return
            self._ingestion.forget(database, document)
            database.execute("DELETE FROM documents WHERE id = ?", [document])
            copies = list(self._files.glob(f"{row[0]}*"))  # also one under another suffix, from before it failed
            self._database.after_commit(lambda: self._unlink(*copies))
        self._database.reclaim()
        self._ingestion.wake()  # the worker writes the vectors' file anew

    def ingest(
        self,
        *,
        should_yield: Callable[[], bool] = lambda: False,
        progress: Callable[[Progress], None] | None = None,
    ) -> list[DocumentInfo]:
        """Do all unfinished work in this thread; the documents that became ready or failed by it.

        Before each step (one stage of a document, or 32 vectors) it waits while `should_yield` is true. It may be
        killed at any moment, and goes on there the next time. Also raises EmbedderError; everything but the vectors
        is done then.
        """
        finished = self._ingestion.run(should_yield, progress)
        return [document for document in self.documents() if document.id in finished]

    def start(self, *, should_yield: Callable[[], bool] = lambda: False) -> None:
        """Start the background worker: it does what `ingest` does, whenever there is something to do."""
        self._ingestion.start(should_yield)

    def stop(self) -> None:
        """Stop the worker, or an `ingest` in another thread, after its current step."""
        self._ingestion.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the worker has nothing to do or `progress.problem` says why not; False after `timeout` seconds."""
        return self._ingestion.wait(timeout)

    def search(self, question: str, limit: int = 8, *, exclude: Collection[int] = ()) -> list[FoundPassage]:
        """The passages that fit the question best, by meaning and by words; `exclude` holds ids of passages."""
        return search(self._database, self._vectors, question, limit, exclude)

    def passages(self, document: int) -> list[FoundPassage]:
        """All passages of a document in its order; none before it was read."""
        return passages_of(self._database, document)

    def document_text(self, document: int) -> str:
        """The whole text of a document; empty before it was read."""
        return read_document(self._database, document).text

    def rebuild_needed(self) -> list[str]:
        """What was made with another tokenizer or embedder and is not used now, in words; empty if all is well."""
        reasons = []
        if outdated := self._without_ngrams():
            reasons.append(f"The drafts' n-grams of {_count(len(outdated), 'document')} belong to another tokenizer.")
        try:
            passages, documents = self._vectors.outdated()
        except EmbedderError as error:
            return [*reasons, str(error)]
        if passages:
            reasons.append(
                f"The search vectors of {_count(passages, 'passage')} in {_count(documents, 'document')} belong to"
                " another embedding model."
            )
        return reasons

    def rebuild(self) -> None:
        """Queue what `rebuild_needed` names, from the stored text; the worker, or the next `ingest`, does it.

        N-grams of other tokenizers stay, for a return to their model; vectors of other embedders are deleted.
        """
        with self._database.write() as database:
            database.execute(
                "UPDATE documents SET stage = 'passages' WHERE id IN (SELECT value FROM json_each(?))",
                [json.dumps(self._without_ngrams())],
            )
        self._ingestion.wake()
        # Apart, so that n-grams are made again even where the embedder cannot be used.
        with self._database.write() as database:
            self._vectors.drop_outdated(database)
        self._database.reclaim()
        self._ingestion.wake()

    def disk_bytes(self) -> int:
        """Bytes of everything in the library's folder."""
        total = 0
        for path in self.folder.rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except OSError as error:  # deleted since it was listed
                _logger.debug("Not counted: %s", error)
        return total

    def close(self) -> None:
        """Stop the worker after its current step and close everything."""
        self._ingestion.stop()
        self._database.close()
        self._lock.release()

    def _without_ngrams(self) -> list[int]:
        with self._database.read() as connection:
            rows = connection.execute("SELECT id FROM documents WHERE stage IN ('ngrams', 'ready')").fetchall()
        return sorted({document for (document,) in rows} - self.ngrams.documents())

    def _by_hash(self, sha256: str) -> DocumentInfo | None:
        with self._database.read() as connection:
            row = connection.execute(f"{_SELECT} WHERE sha256 = ?", [sha256]).fetchone()
        return _info(row) if row else None

    def _copy(self, path: Path, sha256: str, file: Path) -> None:
        """Copy a document to `file`, on disk before it has its name. Raises DocumentError if it is too large."""
        limit = ParseLimits().file_bytes
        temporary = self._files / f"{uuid.uuid4().hex}.tmp"
        try:
            source = path.open("rb")
        except OSError as error:
            raise DocumentError(path, f"cannot be read ({error.strerror}).", "Check the file, or copy it.") from error
        try:
            with source, mapped_errors(temporary):
                if os.fstat(source.fileno()).st_size > limit:
                    raise DocumentError(
                        path,
                        f"is too large; the limit is {limit // 1024**2} MB.",
                        "Split it, or save a smaller copy without pictures.",
                    )
                with temporary.open("wb") as target:
                    copied = _copy_bytes(source, target)
                if copied != sha256:
                    raise DocumentError(
                        path,
                        "changed while it was read.",
                        "Wait until the other program has saved it and add it again.",
                    )
                temporary.replace(file)
        finally:
            self._unlink(temporary)

    def _sweep(self) -> None:
        """Delete what a kill left in `files/`: copies without a document."""
        with self._database.read() as connection:
            wanted = {file for (file,) in connection.execute("SELECT file FROM documents").fetchall()}
        with mapped_errors(self._files):
            for path in self._files.iterdir():
                if path.name not in wanted:
                    self._unlink(path)

    def _unlink(self, *paths: Path) -> None:
        for path in paths:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # Windows keeps open files; the next opening of the library sweeps them
                _logger.warning("%s", disk_error(error, path))


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


_SELECT = "SELECT id, name, kind, stage, reason, pages, characters, passages, tokens, added, warnings FROM documents"


def _info(row: tuple[int, str, str, str, str, int | None, int, int, int, str, str]) -> DocumentInfo:
    document, name, kind, stage, reason, pages, characters, passages, tokens, added, warnings = row
    shown = reason if stage == "failed" else "\n".join(json.loads(warnings))
    return DocumentInfo(document, name, kind, stage, shown, pages, characters, passages, tokens, added)


def _copy_bytes(source: BinaryIO, target: BinaryIO) -> str:
    """Copy and make durable; the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    while chunk := source.read(1 << 20):
        digest.update(chunk)
        target.write(chunk)
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest()


def _printable(name: str) -> str:
    """A file name that SQLite can store: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
