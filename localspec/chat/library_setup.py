"""Libraries set up for the chat: opened with the engine's tokenizer, filled from files and folders."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from localspec.chat.engine import Engine
from localspec.config import stores_folder
from localspec.errors import DocumentError, SettingsError, StoreError
from localspec.models.embedder import Embedder
from localspec.models.embedder_catalogue import available
from localspec.stores.documents.folders import contents
from localspec.stores.documents.parse import check_kind, content_hash
from localspec.stores.library import IngestionProgress, Library, library_name, list_libraries
from localspec.stores.overview import overview


def open_library(engine: Engine, name: str, *, create: bool = True, embedder: Embedder | None = None) -> Library:
    """The library `name` with the engine's tokenizer and its reader of hidden states; `embedder` is one that is
    loaded already.

    Raises StoreError, LibraryInUseError, SettingsError.
    """
    safe = library_name(name)
    stores = stores_folder()
    if not create and safe not in list_libraries(stores):
        names = ", ".join(list_libraries(stores)) or "none"
        raise SettingsError(
            f"There is no library called {name!r} (libraries: {names}).", "Create it with: index FILE … --library NAME"
        )
    return Library(
        stores / safe,
        tokenizer_fingerprint=engine.tokenizer_fingerprint,
        tokenize=engine.tokenize,
        embedder=(used := embedder or Embedder.chosen()),
        state_reader=engine.state_reader,
        other_embedders=lambda: _others(used),
    )


def _others(used: Embedder) -> list[Embedder]:
    """The embedders on this computer but one."""
    return [Embedder.of(entry) for entry in available() if entry.is_here and entry.name != used.entry.name]


def collect_files(
    paths: Sequence[Path], report: Callable[[Path, dict[str, int]], None] = lambda folder, counts: None
) -> list[Path]:
    """The files named, and the documents inside folders named, in order and once each. `report` is told of each folder
    what was left out there, as `Contents.counts` gives it. Raises DocumentError for a folder that may not be read."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = contents(path)
            found.update(dict.fromkeys(file.path for file in inside.files))
            report(path, inside.counts())
        else:
            found[path] = None
    return list(found)


def library_of_files(files: Sequence[Path]) -> str:
    """The name of these files' own library: asking about the same files again finds them indexed."""
    hashes: list[str] = []
    for file in files:
        try:
            hashes.append(content_hash(file))
        except (DocumentError, OSError):
            hashes.append(str(file))  # ingestion says what is wrong with it
    return "ask-" + hashlib.sha256("\n".join(sorted(hashes)).encode("utf-8", "replace")).hexdigest()[:12]


def ingest(
    library: Library, files: Sequence[Path], report: Callable[[str], None], *, states: bool = False
) -> list[str]:
    """Add the files and index all that is waiting, in this thread. Returns one message per file that failed; those of
    kinds that are no documents do not join the library.

    With `states` also the hidden states are read that are wanted and missing, which may take minutes.
    """
    failures: list[str] = []
    added: list[int] = []
    for file in files:
        try:
            check_kind(file, file.name)
            added.append(library.add(file).id)
        except DocumentError as error:
            failures.append(str(error))
    library.ingest(progress=lambda now: report(_described(now)), states=states)
    failures += [info.reason for info in library.documents() if info.status == "failed" and info.id in added]
    return failures


def _described(progress: IngestionProgress) -> str:
    if not progress.stage:
        return ""
    text = f"{progress.name}: {progress.stage} {progress.fraction:.0%}"
    if progress.stage == "states" and progress.seconds_left is not None:
        return f"{text}, about {max(1, round(progress.seconds_left))} s left"
    return text


def states_of(fingerprint: str) -> list[str]:
    """Names of the libraries with hidden states of the model of this fingerprint; without those that cannot be read."""
    found = []
    stores = stores_folder()
    for name in list_libraries(stores):
        with contextlib.suppress(StoreError):
            if any(fingerprint.startswith(target) for target in overview(stores / name).states):
                found.append(name)
    return found


def prepare_drafts(library: Library) -> None:
    """Load what drafts by meaning are looked up in, in this thread; the background worker does it by itself."""
    if library.states is not None:
        library.states.prepare()
